"""Runs processors on rows of text, with a session that has no warehouse."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.model.processor import Processor
from cdp_sync.processing import Moment, Relation, process
from cdp_sync.warehouse import Session, Warehouse

NOW = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)

Row = Sequence[str | None]


@dataclass(frozen=True)
class Processed:
    """What processors made of rows."""

    fields: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    """All rows, in order."""
    kept: list[bool]
    compared: list[tuple[str | None, ...]]
    """The cells by which rows are compared with those of another run."""

    @property
    def left(self) -> list[tuple[str | None, ...]]:
        """The rows that are kept."""
        return [row for row, kept in zip(self.rows, self.kept, strict=True) if kept]


def processors(declared: Sequence[Mapping[str, Any]]) -> list[Processor]:
    """Return declared processors."""
    return [Processor.model_validate(one) for one in declared]


@contextmanager
def given(fields: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[Session, Relation]]:
    """Yield a session, and the rows in it."""
    with Warehouse(Path("unused")).open("none") as session:
        session.define_functions()
        columns = [f"c{number}" for number in range(1, len(fields) + 1)]
        session.execute(f"create temp table given ({', '.join(f'{column} text' for column in columns)})")
        for row in rows:
            session.execute(f"insert into given values ({', '.join('?' * len(fields))})", list(row))
        yield session, Relation("given", dict(zip(fields, columns, strict=True)), len(fields))


def run(fields: Sequence[str], rows: Sequence[Row], *declared: Mapping[str, Any], **secrets: str) -> Processed:
    """Return what processors make of rows."""
    with given(fields, rows) as (session, relation):
        done = process(session, relation, processors(declared), Moment(NOW, secrets))
        cells, compared = ", ".join(done.cells.values()), ", ".join(done.compared.values())
        return Processed(
            done.fields,
            session.rows(f"select {cells} from {done.source}", done.values),
            [kept for (kept,) in session.rows(f"select {done.kept} from {done.source}", done.values)],
            session.rows(f"select {compared} from {done.source}", done.values),
        )


def one(cell: str | None, *declared: Mapping[str, Any], **secrets: str) -> str | None:
    """Return what processors make of one cell, of the field `f`."""
    [(found, *_)] = run(["f"], [[cell]], *declared, **secrets).rows
    return found
