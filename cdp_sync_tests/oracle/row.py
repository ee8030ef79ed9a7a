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
    """The file fails as a whole; nothing of it lands. Rows that were rejected are reported nevertheless."""

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


@dataclass(frozen=True)
class Remembered:
    """A row of the previous import: to which profile it was applied, if any, and what it has ever added to sums."""

    identity: tuple[Any, ...]
    applied: bool
    profile: int | None
    sums: dict[str, Any]
    source: tuple[Any, ...] = ()
    """Its cells before processors, of the fields that the identity is made of."""


@dataclass(eq=False)
class Row:
    """One row of a file, and what has been found out about it."""

    path: str
    """The file."""
    name: str
    """The file, or where it is an archive the member that the row stands in."""
    line: int
    cells: dict[str, Cell]
    retried: bool = False
    """It waited for a profile; its file is not read again."""
    unchanged: bool = False
    """It occurred in the previous import of its file."""
    former: Remembered | None = None
    """What it was in the previous import of its file."""
    stays: bool = False
    """It is linked as it was then."""
    raw: dict[str, Cell] = field(default_factory=dict)
    """Its cells before processors."""
    steady: dict[str, Cell] = field(default_factory=dict)
    """Its cells as they would be on any other day."""
    source: tuple[Any, ...] = ()
    """What it was before processors; see `Remembered.source`."""
    filtered: bool = False
    """A processor dropped it."""
    identity: tuple[Any, ...] = ()
    """What makes it the same as another row."""
    key: tuple[Any, ...] | None = None
    """What its sender calls it, where the goal has a row key."""
    set_aside: str = ""
    """Why it cannot count, though it could be read."""
    counts: bool = True
    """It is the last applied row with its key."""
    sums: dict[str, Any] = field(default_factory=dict)
    """What it has added to sums once it is applied."""
    invalid: dict[tuple[str, str], str] = field(default_factory=dict)
    """Its cells that do not convert, by column and property."""
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
    def applies(self) -> bool:
        """Whether it is applied in this import."""
        return self.profile is not None and not self.unchanged and not self.set_aside

    @property
    def values(self) -> list[LinkValue]:
        """Its usable link values, in link order, then cell order."""
        return [value for values in self.by_link for value in values]
