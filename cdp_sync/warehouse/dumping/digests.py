"""The digest of a table: the same for the same rows in any order, in any backend and any version of DuckDB.

It is the sum of the MD5 digests of the rows, modulo 2^64 in each half, so that a row that is there twice counts twice.
A row is written as a text of its own, not as DuckDB would write it, which differs between versions.
"""

from collections.abc import Mapping

import duckdb
from duckdb.sqltypes import DuckDBPyType

from cdp_sync.errors import DumpUnusable
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.session import Session

_AS_TEXT = frozenset(
    {"varchar", "uuid", "boolean", "date", "decimal"}
    | {f"{sign}{size}" for sign in ("", "u") for size in ("tinyint", "smallint", "integer", "bigint")}
)
"""Types whose values every version of DuckDB writes alike. 128-bit integers are none: files hold them as doubles."""


def digest_of(session: Session, table: str, columns: Mapping[str, str]) -> tuple[int, str]:
    """Return how many rows a table has, and their digest as 32 hexadecimal digits.

    Args:
        session: Where the table can be read.
        table: The table, as SQL names it.
        columns: Its columns and their SQL types; their order counts.

    Raises:
        DumpUnusable: A column has a type that cannot be dumped.
    """
    parts = ", ".join(_written(quote_identifier(name), type_of(name, kind)) for name, kind in columns.items())
    rows, *halves = session.row(
        f"""select count(*), sum(md5_number_upper(content)), sum(md5_number_lower(content))
        from (select concat({parts}) as content from {table})"""
    )
    return int(rows), "".join(f"{int(half or 0) % 2**64:016x}" for half in halves)


def type_of(column: str, kind: str) -> DuckDBPyType:
    """Return the type of a column that can be dumped.

    Raises:
        DumpUnusable: It cannot, or is no type.
    """
    try:
        found = duckdb.sqltype(kind)
        _written("value", found)
    except (duckdb.Error, KeyError) as error:
        raise DumpUnusable(
            f"The column {column} has the type {kind}.",
            needed="Needed is one whose values a Parquet file holds exactly.",
            remedy="Convert the column, or remove it.",
        ) from error
    return found


def _written(value: str, kind: DuckDBPyType, depth: int = 0) -> str:
    """Return the expression that writes a value: its length in bytes, a colon and its text, or `n` for null."""
    return f"coalesce(strlen({_text(value, kind, depth)}) || ':' || {_text(value, kind, depth)}, 'n')"


def _text(value: str, kind: DuckDBPyType, depth: int) -> str:
    if kind.id in ("list", "struct", "map"):
        return _nested_text(value, kind, depth)
    if kind.id in ("timestamp with time zone", "timestamp"):
        return f"coalesce(epoch_us({value})::text, {value}::text)"  # the first is null of infinity
    if kind.id == "double":
        return f"if(isnan({value}), 'nan', format('{{:.17g}}', {value}))"  # nan may have a sign
    if kind.id not in _AS_TEXT:
        raise KeyError(kind.id)
    return f"{value}::text"


def _nested_text(value: str, kind: DuckDBPyType, depth: int) -> str:
    parts = {str(name): part for name, part in kind.children if isinstance(part, DuckDBPyType)}
    if kind.id == "list":
        return _list_text(value, parts["child"], depth)
    if kind.id == "map":
        return _list_text(f"map_entries({value})", duckdb.struct_type(parts), depth)
    each = ", ".join(_written(f"{value}.{quote_identifier(name)}", part, depth) for name, part in parts.items())
    return f"if({value} is null, null, concat({each}))"


def _list_text(value: str, kind: DuckDBPyType, depth: int) -> str:
    element = f"element_{depth}"
    return f"array_to_string(list_transform({value}, lambda {element}: {_written(element, kind, depth + 1)}), '')"
