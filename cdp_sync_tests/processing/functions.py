"""Functions that tests declare as Python processors."""

import time

import pandas as pd

PIECES: list[int] = []
"""Rows that `count` was given, call by call."""


def lower(rows: pd.DataFrame) -> pd.DataFrame:
    """Write every column in lower case."""
    return rows.apply(lambda column: column.str.lower())


def lower_a(rows: pd.DataFrame) -> pd.DataFrame:
    """Write the column `a` in lower case."""
    return rows.assign(a=rows["a"].str.lower())


def count(rows: pd.DataFrame) -> pd.DataFrame:
    """Note the rows of each call."""
    PIECES.append(len(rows))
    return rows


def drop_x(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop rows with an x in `a`, and add their length."""
    left = rows[~rows["a"].fillna("").str.contains("x")]
    return left.assign(size=left["a"].fillna("").str.len().astype("str"))


def drop_all(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop everything."""
    return rows.iloc[:0]


def shorten(rows: pd.DataFrame) -> pd.DataFrame:
    """Cut every cell after three characters, and drop rows without a value in the first column."""
    left = rows[rows.iloc[:, 0].notna()]
    return left.apply(lambda column: column.str[:3])


def in_reverse(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in another order, with a column changed in place."""
    rows.loc[rows["a"] == "b", "a"] = "changed"
    return rows.iloc[::-1]


def raise_with_a_value(rows: pd.DataFrame) -> pd.DataFrame:
    """Fail with an error that quotes a value."""
    raise ValueError(f"bad value {rows['a'].iloc[0]}")


def renumber(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows under names that they do not have."""
    return rows.set_axis(range(1000, 1000 + len(rows)))


def double(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each row twice."""
    return pd.concat([rows, rows])


def number(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers."""
    return rows.assign(a=1)


def add_undeclared(rows: pd.DataFrame) -> pd.DataFrame:
    """Add a column that is not declared."""
    return rows.assign(b="1")


def nothing(_rows: pd.DataFrame) -> None:
    """Return no DataFrame."""


def leave(_rows: pd.DataFrame) -> pd.DataFrame:
    """Try to end the process."""
    raise SystemExit(3)


def hang(_rows: pd.DataFrame) -> pd.DataFrame:
    """Never end."""
    while True:
        time.sleep(0.01)


def count_and_fail(rows: pd.DataFrame) -> pd.DataFrame:
    """Note the rows of each call, and fail."""
    PIECES.append(len(rows))
    raise ValueError("no")


NO_FUNCTION = 1


def prints(rows: pd.DataFrame) -> pd.DataFrame:
    """Print how many rows there are."""
    print(f"{len(rows)} rows")
    return rows
