"""Compiles SQLAlchemy statements for DuckDB: names quoted, values bound as `$name`.

A list is bound as one value, `list_contains(bindparam(…), …)`; `in_` is for queries only.
"""

import re
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement

from cdp_sync.warehouse import Step, quote_identifier, quote_literal


def step(name: str, statement: ClauseElement) -> Step:
    """Return a statement of SQLAlchemy Core as a step of a plan, named after the table that it yields.

    Raises:
        CompileError: `in_` received a Python list.
    """
    compiled = statement.compile(dialect=_DIALECT)
    return Step(name, compiled.string, dict(compiled.params))


def shown(made: Step) -> str:
    """Return a step's statement with its values in their places, for people who paste it into a shell of DuckDB."""
    lines = made.sql.replace(" AND ", "\n    AND ").replace(" OR ", "\n    OR ")
    if made.values:
        names = re.compile(rf"[$]({'|'.join(made.values)})\b")
        lines = names.sub(lambda name: _written(made.values[name[1]]), lines)
    return f"{lines};"


def _written(value: object) -> str:
    """Return a value as SQL. Dates and instants are texts: conditions cast each value to the property's type."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    parts = (  # a character that a terminal does not show as its number
        quote_literal("".join(run)) if visible else " || ".join(f"chr({ord(each)})" for each in run)
        for visible, run in groupby(str(value), str.isprintable)
    )
    return " || ".join(parts) or "''"


class SqlType(types.UserDefinedType[Any]):
    """A type by its name in SQL, such as `DECIMAL(18,4)` or `VARCHAR[]`."""

    cache_ok = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **_options: object) -> str:
        """Return the name."""
        return self.sql


class _Names(PGIdentifierPreparer):
    """Quotes every name: which words are reserved differs between databases and versions."""

    def quote(self, ident: str) -> str:
        return quote_identifier(ident)

    def quote_schema(self, schema: str) -> str:
        return quote_identifier(schema)


class _Compiler(PGCompiler):
    def bindparam_string(self, name: str, *more: Any, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
        if options.get("post_compile"):
            raise CompileError(f"found a list in in_, {name}; needed is one value that holds it")
        # SQLAlchemy names values after columns, with any characters; DuckDB takes words, in any case.
        word = re.sub(r"\W|^(?=\d)", "_", name.lower(), flags=re.ASCII)
        if word != name:
            options["escaped_from"] = name
        return f"${super().bindparam_string(word, *more, **options).removeprefix(':')}"

    def visit_try_cast(self, cast: Any, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
        return f"TRY_{super().visit_cast(cast, **options)}"  # type: ignore[no-untyped-call]


class _DuckDB(PGDialect):
    """PostgreSQL's grammar, which is DuckDB's, with DuckDB's names and values."""

    name = "duckdb"
    supports_statement_cache = False
    statement_compiler = _Compiler
    preparer = _Names


_DIALECT = _DuckDB(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped
