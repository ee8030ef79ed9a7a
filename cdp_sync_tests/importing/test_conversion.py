"""Conversions in SQL agree with the oracle on thousands of cells, most of them irregular."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from cdp_sync.importing.converting.conversion import convert, fit
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import Session
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.strategies import CELLS, ODD_CELLS, ODD_ELEMENTS
from cdp_sync_tests.oracle import converting as oracle

SIGNS = list(" .,-+()'0159aZ@<>\"#é€\u00a0\u2009\u200b\u2019\t")
FORMATS: tuple[dict[str, Any], ...] = (
    {},
    {"trim": True, "decimal": ",", "thousands": "."},
    {"thousands": " ", "decimal": ",", "currency": ["€", "EUR"], "negative": ["parentheses"]},
    {"thousands": "'", "negative": ["trailing_minus", "parentheses"], "currency": ["US$", "$"]},
    {"multi_value": "|", "date_in_zone": True, "time_zone": "Europe/Amsterdam", "dates": ["iso", "epoch_seconds"]},
    {"json_lists": True, "decimal": ",", "booleans": {"true": ["Ja", "1"], "false": ["f"]}},
    {"dates": ["%d-%m-%y", "%d-%m-%Y"], "century_pivot": 24, "time_zone": "Europe/Amsterdam"},
    {"dates": ["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d"], "time_zone": "Asia/Kolkata"},
    {"dates": ["%a %d.%m.%y", "%Y%j", "%G-W%V-%u", "%d%m%Y", "%Y-%m-%d"], "century_pivot": 50},
    {"dates": ["%B %d, %Y", "%d %b %y %I:%M %p", "%Y-%m-%dT%H:%M:%S.%f"]},
)
MORE = {
    "email": (
        "a.b@x.example",
        "<mailto:a@x>",
        '"a@x"',
        "\u2018a@x\u2019",
        "a@x#mailto:a@x#",
        "A <a@x>",
        "ä@ö.example",
        "a@x-.b",
    ),
    "text": ("1.23457E+12", "1E5", "NaN", "#REF!", "[null]", "\\N", "A1"),
    "number": ("1.234", "1 234", "(12)", "12-", "€ 12", "12 EUR", "-€12", "US$ 1'234", "1\u2019234"),
    "decimal": ("1.234,50", "1 234,5", "(1.5 €)", "$1,5", "€ 1.234.567,8-", "-1'000.25", "EUR1 234,5"),
    "date": ("05-01-24", "5-1-99", "2024-02-29T23:59:59.1234567+0100", "Tue 31.12.24", "2026-W53-1", "31122024"),
    "datetime": ("2024-02-29T12:00:00.12Z", "2024-02-29 12:00:00+05:30", "February 9, 2024", "9 Feb 24 12:30 pm"),
    "boolean": ("ja", "1", "F "),
}
MORE["date"] += ("2023366", "2024366", "February 29, 2023", "05-01-2024", "86400")
MORE["datetime"] += ("05-01-68", "29-02-00", "1 mar 99 00:10 am", "2024-10-27T02:30:00.9999999", "Wed 01.01.25")
PROPERTIES = [
    Property(name="p", type=kind, multiple=multiple, identifier=identifier, scale=2, precision=9)
    for kind in CELLS
    for multiple in (False, True)
    for identifier in ((False, True) if kind in ("text", "email", "number") else (False,))
]


def cells_of(prop: Property, form: Format, rng: random.Random, count: int) -> Iterator[str]:
    """Yield known cells, variants with a few characters changed, and lists of them."""
    known = [*CELLS[prop.type], *ODD_CELLS[prop.type], *MORE[prop.type]]
    yield from known
    for _ in range(count):
        parts = [changed(rng.choice(known), rng) for _ in range(rng.choice((1, 1, 2)))]
        yield written(parts, prop, form, rng)


def changed(cell: str, rng: random.Random) -> str:
    """Return the cell after up to two random insertions, deletions or replacements."""
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        place = rng.randrange(len(cell) + 1)
        cell = cell[:place] + rng.choice([*SIGNS, ""]) + cell[place + rng.choice((0, 1)) :]
    return cell


def written(parts: list[str], prop: Property, form: Format, rng: random.Random) -> str:
    """Return the parts as one cell, in the notation for lists where property and format allow one."""
    if form.json_lists and prop.multiple:
        texts = [
            oracle.json.dumps(part, ensure_ascii=rng.random() < 0.5) for part in (*parts, rng.choice(ODD_ELEMENTS))
        ]
        return f" [{' , '.join(texts)}]"
    return (form.multi_value or "").join(parts) if prop.multiple else parts[0]


def expected(cell: str, prop: Property, form: Format) -> Any:
    """Return the oracle's value of a cell; None for a blank and for an invalid one."""
    try:
        return oracle.convert(cell, prop, form)
    except oracle.Invalid:
        return None


def same(value: Any, right: Any, form: Format) -> bool:
    """Return whether two values are equal. Times are compared in UTC; local times before 1970 are not compared."""
    if isinstance(value, list) and isinstance(right, list) and len(value) == len(right):
        return all(same(one, other, form) for one, other in zip(value, right, strict=True))
    if isinstance(value, datetime) and isinstance(right, datetime):
        return value.astimezone(UTC) == right or (right.year < 1970 and form.time_zone != "UTC")
    return bool(value == right)


@pytest.mark.parametrize("settings", FORMATS, ids=str)
def test_cells_convert_as_in_the_oracle(settings: dict[str, Any]) -> None:
    """Cells of every type, single and multiple, convert as in the oracle."""
    form = Format(**settings)
    rng = random.Random(f"{SEED} {settings}")
    with duckdb.connect() as connection:
        Session(connection).define_functions()
        connection.execute(f"set timezone = '{form.time_zone}'")
        for prop in PROPERTIES:
            cells = list(dict.fromkeys(cells_of(prop, form, rng, 400)))
            query = f"""select ({convert(prop, "fitted", form).sql})
                from (select {fit(prop, "cell", form)} as fitted from (select unnest($cells)::varchar as cell))"""
            found = [value for (value,) in connection.execute(query, {"cells": cells}).fetchall()]
            wrong = [
                (cell, value, right)
                for cell, value in zip(cells, found, strict=True)
                if not same(value, right := expected(cell, prop, form), form)
            ]
            assert wrong == [], (SEED, prop)
