"""Digests of tables: equal to those of another implementation, in any order of rows, in any version of DuckDB."""

import hashlib
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.errors import DumpUnusable
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.dumping.digests import digest_of
from cdp_sync_tests.generated import examples

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = {
    "id": "UUID",
    "name": "VARCHAR",
    "number": "BIGINT",
    "level": "UTINYINT",
    "amount": "DECIMAL(18,4)",
    "share": "DOUBLE",
    "born": "DATE",
    "at": "TIMESTAMP WITH TIME ZONE",
    "wants": "BOOLEAN",
    "tags": "VARCHAR[]",
    "items": 'STRUCT("id" VARCHAR, "net price" DECIMAL(18,4))[]',
    "counts": "MAP(VARCHAR, BIGINT)",
}


def amount() -> st.SearchStrategy[Decimal]:
    """Return what `DECIMAL(18,4)` holds."""
    return st.integers(-(10**17), 10**17).map(lambda number: Decimal(number).scaleb(-4))


TEXT = st.text(st.sampled_from("an:1é\x00😀"), max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.uuids(),
    "name": TEXT,
    "number": st.integers(-(2**63), 2**63 - 1),
    "level": st.integers(0, 255),
    "amount": amount(),
    "share": st.floats(),
    "born": st.dates(),
    "at": st.datetimes(timezones=st.just(UTC)),
    "wants": st.booleans(),
    "tags": st.lists(st.none() | TEXT, max_size=3),
    "items": st.lists(
        st.none() | st.fixed_dictionaries({"id": st.none() | TEXT, "net price": st.none() | amount()}), max_size=2
    ),
    "counts": st.dictionaries(TEXT, st.none() | st.integers(-5, 5), max_size=2),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), max_size=4)

FIXED = """
select
    '00000000-0000-0000-0000-00000000000a'::uuid as id, 'Ünal' as name, 7 as number, 200 as level,
    12.5 as amount, 0.1::double as share, '0099-12-31'::date as born, 'infinity'::timestamptz as at, true as wants,
    ['a', null, ''] as tags, [{'id': 'x', 'net price': 1.5}, null] as items, map{'k': 1, 'n': null} as counts
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session with an empty table of all types."""
    with Warehouse(tmp_path_factory.mktemp("digests") / "none.duckdb").open("none") as opened:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
        opened.execute(f"create table t ({columns})")
        yield opened


def stored(session: Session, rows: list[dict[str, Any]]) -> tuple[int, str]:
    """Return count and digest of a table with these rows alone."""
    session.execute("delete from t")
    for row in rows:
        counts = row["counts"]
        bound = {**row, "keys": None if counts is None else list(counts), "numbers": list((counts or {}).values())}
        del bound["counts"]
        names = ", ".join(f"${name}" for name in COLUMNS if name != "counts")
        session.execute(
            f"insert into t select {names}, if($keys is null, null, map($keys::text[], $numbers::bigint[]))", bound
        )
    return digest_of(session, "t", COLUMNS)


def expected(rows: list[dict[str, Any]]) -> tuple[int, str]:
    """Return the same by Python alone."""
    halves = [0, 0]
    for row in rows:
        content = b"".join(written(row[name]) for name in COLUMNS)
        upper, lower = struct.unpack("<QQ", hashlib.md5(content, usedforsecurity=False).digest())
        halves = [halves[0] + upper, halves[1] + lower]
    return len(rows), "".join(f"{half % 2**64:016x}" for half in halves)


def written(value: Any) -> bytes:
    """Return a value with its length, as a row holds it."""
    if value is None:
        return b"n"
    content = plain(value)
    return b"%d:%s" % (len(content), content)


def plain(value: Any) -> bytes:
    """Return a value without its length."""
    match value:
        case dict() if value.keys() == {"id", "net price"}:
            return plain([value["id"], value["net price"]])
        case dict():
            return plain([list(entry) for entry in value.items()])
        case list():
            return b"".join(map(written, value))
        case _:
            return _scalar(value).encode()


def _scalar(value: Any) -> str:
    """Return a value as text."""
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return str((value - EPOCH) // datetime.resolution)
        case float():
            return format(value, ".17g")
        case Decimal():
            return format(value, ".4f")
        case _:
            return str(value)


@given(rows=ROWS)
@examples(60)
def test_digest_equals_that_of_another_implementation(session: Session, rows: list[dict[str, Any]]) -> None:
    """Values of every type, nulls and whatever text: SQL and Python write and sum them alike."""
    assert stored(session, rows) == expected(rows)


@given(rows=ROWS)
@examples(20)
def test_order_does_not_matter_and_repetition_does(session: Session, rows: list[dict[str, Any]]) -> None:
    """The same rows in another order have the same digest; with one of them twice another."""
    found = stored(session, rows)
    assert stored(session, rows[::-1]) == found
    if rows:
        assert stored(session, [*rows, rows[0]])[1] != found[1]


def test_digest_is_the_same_in_every_version_of_duckdb(session: Session) -> None:
    """A dump made by one version is restored by another: what is fixed here must never change."""
    session.execute("delete from t")
    session.execute(f"insert into t by name {FIXED}")
    assert digest_of(session, "t", COLUMNS) == (1, "6bd3645b4fd8fa7de79e5828c1062270")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("null", "''"),
        ("'n'", "null"),
        ("''", "'0:'"),
        ("'1:a'", "'a'"),
    ],
)
def test_values_do_not_run_into_each_other(session: Session, one: str, other: str) -> None:
    """Cells that are written alike without their lengths have different digests."""
    columns = {"a": "VARCHAR", "b": "VARCHAR"}
    both = [digest_of(session, f"(select {x} as a, {y} as b)", columns) for x, y in ((one, other), (other, one))]
    assert both[0] != both[1]


@pytest.mark.parametrize("kind", ["HUGEINT", "UHUGEINT", "HUGEINT[]", "INTERVAL", "no type"])
def test_types_that_a_file_does_not_hold_exactly_are_refused(session: Session, kind: str) -> None:
    """128-bit integers become doubles in Parquet; a name that is no type is no SQL either."""
    with pytest.raises(DumpUnusable, match="The column x has the type"):
        digest_of(session, "t", {"x": kind})


def test_the_oracle_reads_what_it_is_meant_to() -> None:
    """The other implementation is fixed by a value that was worked out by hand."""
    assert written([None, "é", UUID(int=1)]) == b"44:n2:\xc3\xa936:00000000-0000-0000-0000-000000000001"
