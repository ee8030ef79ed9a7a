"""What the oracle's steps hand on to each other: a row of a file, and a line of the quarantine."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cdp_sync.model import Mapping

Cell = str | None
"""The text of a field; None where the format says that it means "no value"."""

LinkValue = tuple[str, str]
"""An identifier property and one value, in text form."""


class FileFails(Exception):
    """The file fails as a whole; nothing of it lands. Rows that were rejected are told of nevertheless."""

    def __init__(self, reason: str, rejected: Iterable["Entry"] = ()) -> None:
        """Keep the reason and the rejected rows."""
        super().__init__(reason)
        self.rejected = list(rejected)


@dataclass(frozen=True)
class Entry:
    """What could not land, and why. Without a field it is a whole row."""

    path: str
    line: int
    reason: str
    field: str | None = None
    value: str | None = None
    raw: str | None = None


@dataclass(eq=False)
class Row:
    """One row of a file, and what has been found out about it."""

    path: str
    """The file."""
    name: str
    """The file, or where it is an archive the member that the row stands in."""
    line: int
    cells: dict[str, Cell]
    unchanged: bool = False
    """It occurred in the previous import of its file."""
    added_before: frozenset[str] = frozenset()
    """The `sum` properties it has added to in earlier imports of its file."""
    added_now: set[str] = field(default_factory=set)
    """The `sum` properties it adds to in this one."""
    by_link: list[list[LinkValue]] = field(default_factory=list)
    """Its usable link values, link by link, each in cell order."""
    said: list[tuple[Mapping, Any]] = field(default_factory=list)
    """What its mapped cells say, in the order of the mappings; cells that do not convert say nothing."""
    profile: int | None = None
    """The profile it belongs to: a place in the list of profiles."""
    withheld: bool = False
    """Its profile may not be processed, and it belongs to none."""
    ambiguous: bool = False
    """Its values point at more than one profile."""

    @property
    def values(self) -> list[LinkValue]:
        """Its usable link values, in link order, then cell order."""
        return [value for values in self.by_link for value in values]
