"""What a chain of processors works on: rows of text cells, as a query or a table. Pure values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cdp_sync.errors import ProcessorFailed
from cdp_sync.model.processor import Processor
from cdp_sync.warehouse import quote_identifier

Cells = Mapping[str, str]
"""The column of each field."""


@dataclass(frozen=True)
class Moment:
    """What is the same for all rows of a run.

    Args:
        now: When the run began, with its offset from UTC.
        secrets: The environment that holds the keys of pseudonyms.
    """

    now: datetime
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """Rows in an order, with a text column for each field.

    Args:
        source: What stands after `from`: a table, a table function, or a query in parentheses.
        cells: The column of each field, in order: c1, c2 and so on.
        width: The number of columns named so.
        values: What to bind.
        steady: Of fields that depend on the day of the run, a column that does not: rows are compared by it.
        kept: The condition that no processor has dropped a row.
        table: Whether `source` is a temporary table of the chain's own, whose row ids are in order.
    """

    source: str
    cells: Cells
    width: int
    values: Mapping[str, object] = field(default_factory=dict)
    steady: Cells = field(default_factory=dict)
    kept: str = "true"
    table: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, in order."""
        return tuple(self.cells)

    @property
    def compared(self) -> Cells:
        """The columns that a row is compared by, by field."""
        return {**self.cells, **self.steady}

    def require(self, place: int, processor: Processor) -> None:
        """Make sure that the fields exist that a processor reads.

        Raises:
            ProcessorFailed: One of them does not.
        """
        if missing := [name for name in processor.settings.reads if name not in self.cells]:
            raise ProcessorFailed(
                f"Processor {place} ({processor.name}) names {_listed(missing)}, which the rows do not have.",
                needed=f"Fields at that place: {_listed(self.cells)}.",
                remedy="Correct the name, or let an earlier processor add the field.",
            )

    def with_cells(self, written: Mapping[str, str], steady: Mapping[str, str] | None = None) -> "Relation":
        """Return the relation with fields changed or added, given the expression of each.

        `steady` has the expressions of those whose values depend on the day of the run.
        """
        steady = steady or {}
        cells, twins = dict(self.cells), {name: twin for name, twin in self.steady.items() if name not in written}
        new = [name for name in written if name not in cells]
        cells |= {name: f"c{self.width + number}" for number, name in enumerate(new, 1)}
        columns = {cells[name]: sql for name, sql in written.items()}
        for name, sql in steady.items():
            twins[name] = f"steady_{cells[name]}"
            columns[twins[name]] = sql
        return replace(self._level(columns), cells=cells, width=self.width + len(new), steady=twins)

    def where_kept(self, condition: str) -> "Relation":
        """Return the relation in which only rows stay for which a condition holds; it is never null."""
        kept = condition if self.kept == "true" else f"kept and {condition}"
        return replace(self._level({"kept": kept}), kept="kept")

    def _level(self, columns: Mapping[str, str]) -> "Relation":
        """Return the relation over a query that changes or adds columns."""
        old = self.columns
        changed = ", ".join(f"{sql} as {name}" for name, sql in columns.items() if name in old)
        added = "".join(f", {sql} as {name}" for name, sql in columns.items() if name not in old)
        every = f"* replace ({changed})" if changed else "*"
        return replace(self, source=f"(select {every}{added}\nfrom {self.source})", table=False)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the chain knows of."""
        return frozenset((*self.cells.values(), *self.steady.values(), self.kept))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quote_identifier, names))
