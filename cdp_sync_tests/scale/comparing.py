"""Compares two warehouses, table by table: what must be the same however runs were spread, killed and repeated.

Ids of profiles are made by the run that meets a person first: they are compared by the person's e-mail address.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

TABLES_LEFT_OUT = {
    "changed_value": "a sample of the last profiles of each run",
    "clock": "the time of the last write",
    "connection_number": "numbers in the order of first runs; what they number is compared by name",
    "exported_file": "which run of an export delivered what, and when",
    "identity": "each warehouse has its own",
    "migration": "when it was applied",
    "profile_change": "a sample of the last profiles of each run",
    "profile_touch": "traces for exports, which the job `maintenance` removes",
    "revision": "counts commits",
}
"""Tables, each with the reason why it may differ."""

COLUMNS_LEFT_OUT = {
    "run_id": "each run has its own",
    "seen_run_id": "each run has its own",
    "number": "in the order of first runs",
    "_created_by": "which of two connections met a person first",
    "profiles_created": "which of two connections met a person first",
    "profiles_updated": "which of two connections met a person first",
    "sha256": "of the whole export, whose order is that of ids",
    "mark": "a time",
    "moment": "a time",
    "since": "a time",
    "began": "a time",
}
"""Columns of any table, each with the reason. Those of times of writing (`…_at`) are left out, too."""

_TIMES_COMPARED = {"happened_at", "modified_at", "said_at"}
"""Times that the data says."""

_RUNS = """(
    select connection, goal, direction, sum(rows_applied) as rows_applied, sum(rows_rejected) as rows_rejected,
        sum(rows_without_identifier) as rows_without_identifier, sum(events_created) as events_created
    from {catalog}.run where state = 'success' and direction = 'import' group by all
)"""
"""Of runs what they have landed altogether: those that were killed or repeated are more."""


_IMPORTED_BY = """(
    from {catalog}.imported_profile
    union all
    select known.connection, met.profile_id
    from {catalog}.profile met join {catalog}.connection_number known on known.number = met._created_by
)"""
"""Which connections have imported a person: the one that did so first stands with the profile."""


@dataclass(frozen=True)
class Difference:
    """A table that differs: how many rows only one of the warehouses has."""

    table: str
    only_first: int
    only_second: int

    def __str__(self) -> str:
        return f"{self.table}: {self.only_first:,} rows only in the first, {self.only_second:,} only in the second"


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what differs."""

    rows: dict[str, int]
    """By table: rows of the first."""
    differences: tuple[Difference, ...]


def compare(first: Path, second: Path) -> Comparison:
    """Compare two warehouses in DuckDB files."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{first}' as first_warehouse (read_only)")
        connection.execute(f"attach '{second}' as second_warehouse (read_only)")
        tables = [_tables(connection, catalog) for catalog in ("first_warehouse", "second_warehouse")]
        rows, differences = {}, []
        for table in sorted({*tables[0], *tables[1]} - {*TABLES_LEFT_OUT}):
            columns = [each.get(table, {}) for each in tables]
            if columns[0] != columns[1]:
                differences.append(Difference(f"{table} (its columns)", 0, 0))
                continue
            sides = [_comparable(catalog, table, columns[0]) for catalog in ("first_warehouse", "second_warehouse")]
            rows[table] = _count(connection, sides[0])
            lost, more = (_count(connection, f"({a}) except all ({b})") for a, b in (sides, sides[::-1]))
            if lost or more:
                differences.append(Difference(table, lost, more))
        return Comparison(rows, tuple(differences))


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, dict[str, str]]:
    """Return the columns with their types, by table."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        """select table_name, column_name, data_type from duckdb_columns()
        where database_name = ? and table_name in (select table_name from duckdb_tables() where database_name = ?)
        order by all""",
        [catalog, catalog],
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _comparable(catalog: str, table: str, columns: dict[str, str]) -> str:
    """Return the query for what of a table has to be the same."""
    if table == "run":
        return _RUNS.format(catalog=catalog)
    source = _IMPORTED_BY.format(catalog=catalog) if table == "imported_profile" else f"{catalog}.{table}"
    kept = {name: kind for name, kind in columns.items() if name not in COLUMNS_LEFT_OUT and not _is_time(name, kind)}
    shown = [_shown(catalog, name, kind) for name, kind in kept.items()]
    return f"select {', '.join(shown)} from {source} compared"


def _is_time(name: str, kind: str) -> bool:
    return kind.startswith("TIMESTAMP") and name not in _TIMES_COMPARED


def _shown(catalog: str, name: str, kind: str) -> str:
    column = f'compared."{name}"'
    if kind == "UUID":
        person = f"select min(value) from {catalog}.profile_identifier known where known.profile_id = {column}"
        return f'coalesce(({person}), {column}::text) as "{name}"'
    if name == "goal_number":
        named = f"from {catalog}.exported_goal known where known.number = {column}"
        return f"(select min(concat(connection, '/', goal)) {named}) as {name}"
    return column


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    (found,) = connection.execute(f"select count(*) from ({query})").fetchall()[0:1]
    return int(found[0])
