"""How a kind of export turns profiles into lines: columns, then level by level the line. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement

from cdp_sync.warehouse import quote_literal

Inputs = dict[str, ColumnElement[Any]]
"""Values read from profiles, by the name that each gets."""

Level = Mapping[str, str]
"""Expressions over the names of the levels before, by the name that each gets."""


@dataclass(frozen=True)
class Problem:
    """Why a profile cannot be delivered."""

    fails_if: str
    reason: str
    field: str | None
    """The column whose value it is; None: the whole row."""

    @property
    def entry(self) -> str:
        """The expression for its entry in `problems`; null where it does not fail."""
        name = quote_literal(self.field) if self.field else "null::varchar"
        return f"case when {self.fails_if} then {{field: {name}, reason: {quote_literal(self.reason)}}} end"


@dataclass(frozen=True)
class Column:
    """A column of an export."""

    number: int
    name: str
    inputs: Inputs = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fails_if: str = "false"
    """The condition that there is one of the problems: quicker to evaluate than each."""

    @property
    def cell(self) -> str:
        """Name of the cell."""
        return f"c{self.number}"


@dataclass(frozen=True)
class Rows:
    """How profiles become lines."""

    columns: Sequence[Column]
    cells: Sequence[Level]
    """The expressions for the cells, level by level: `c0`, `c1` and so on."""
    line: Sequence[Level]
    """The expressions that make `line` of the cells: null where a profile is not eligible."""
    problems: Sequence[Problem] = ()
    """Why a profile could not be delivered."""
    fails_if: str = "false"
    """The condition that there is one of these problems: quicker to evaluate than each."""
    links: Inputs = field(default_factory=dict)
    """Identifiers: a profile needs one of them to be delivered. Empty: it needs none."""
    named: Sequence[str] = ()
    """Cells that identify the profile on the platform, besides the columns."""

    @property
    def shown(self) -> dict[str, str]:
        """The cells that a preview shows, by their headings."""
        return {name: name for name in self.named} | {column.name: column.cell for column in self.columns}

    @property
    def levels(self) -> tuple[Level, ...]:
        """The expressions for lines, level by level."""
        return (*self.cells, *self.line)

    @property
    def inputs(self) -> Inputs:
        """All values read from profiles."""
        every = [*(column.inputs for column in self.columns), self.links]
        return {name: value for inputs in every for name, value in inputs.items()}


def on(source: str, named: Level) -> str:
    """Return a select of the source's columns, and more."""
    if not named:
        return source
    more = "".join(f",\n    {sql} as {name}" for name, sql in named.items())
    return f"select *{more}\nfrom (\n{source}\n)"
