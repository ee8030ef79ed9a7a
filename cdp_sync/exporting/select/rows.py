"""What a kind of export makes of profiles: columns, and level by level the line that leaves. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement

from cdp_sync.warehouse import quote_literal

Taken = dict[str, ColumnElement[Any]]
"""What is taken from profiles, by the name that it gets."""

Level = Mapping[str, str]
"""Expressions over what the levels before have named, by the name that each gets."""


@dataclass(frozen=True)
class Problem:
    """Why a profile cannot be delivered."""

    fails_if: str
    reason: str
    field: str | None
    """The column whose value it is; None: the whole row."""

    @property
    def told(self) -> str:
        """The expression for its entry in `problems`; null where it does not fail."""
        name = quote_literal(self.field) if self.field else "null::varchar"
        return f"case when {self.fails_if} then {{field: {name}, reason: {quote_literal(self.reason)}}} end"


@dataclass(frozen=True)
class Column:
    """A column of what leaves."""

    number: int
    name: str
    taken: Taken = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fails_if: str = "false"
    """The condition that there is one of the problems: quicker than to ask for each."""

    @property
    def cell(self) -> str:
        """What the cell is called."""
        return f"c{self.number}"


@dataclass(frozen=True)
class Rows:
    """How profiles become lines."""

    columns: Sequence[Column]
    cells: Sequence[Level]
    """How the cells come about, level by level: `c0`, `c1` and so on."""
    line: Sequence[Level]
    """How of the cells `line` comes about: null where a profile is not eligible."""
    problems: Sequence[Problem] = ()
    """Why a profile could not be delivered."""
    fails_if: str = "false"
    """The condition that there is one of these problems: quicker than to ask for each."""
    links: Taken = field(default_factory=dict)
    """What a profile must have one of to be anybody there; nothing: it needs none."""
    named: Sequence[str] = ()
    """Cells that say who somebody is there, besides the columns."""

    @property
    def shown(self) -> dict[str, str]:
        """The cells that a person is shown, by what they are called."""
        return {name: name for name in self.named} | {column.name: column.cell for column in self.columns}

    @property
    def levels(self) -> tuple[Level, ...]:
        """How lines come about."""
        return (*self.cells, *self.line)

    @property
    def taken(self) -> Taken:
        """All that is taken from profiles."""
        every = [*(column.taken for column in self.columns), self.links]
        return {name: value for taken in every for name, value in taken.items()}


def on(source: str, named: Level) -> str:
    """Return a select of all that the source has, and more."""
    if not named:
        return source
    more = "".join(f",\n    {sql} as {name}" for name, sql in named.items())
    return f"select *{more}\nfrom (\n{source}\n)"
