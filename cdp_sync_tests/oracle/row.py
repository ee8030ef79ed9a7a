"""Values that the oracle's steps share: rows of files and entries of the quarantine."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cdp_sync.model import Mapping

Cell = str | None
"""The text of a field; None for a declared null."""

LinkValue = tuple[str, str]
"""An identifier property and one value as text."""


class FileFails(Exception):
    """The file fails as a whole and nothing is imported; rejected rows are reported."""

    def __init__(self, reason: str, rejected: Iterable["Entry"] = ()) -> None:
        """Store the reason and the rejected rows."""
        super().__init__(reason)
        self.rejected = list(rejected)


@dataclass(frozen=True)
class Entry:
    """A quarantined row or value with its reason. Without a field it is a whole row."""

    path: str
    line: int
    reason: str
    field: str | None = None
    value: str | None = None
    raw: str | None = None


@dataclass(frozen=True)
class Remembered:
    """A row of the previous import with its profile, if any, and its contribution to sums."""

    identity: tuple[Any, ...]
    applied: bool
    profile: int | None
    sums: dict[str, Any]
    source: tuple[Any, ...] = ()
    """Its cells before processors, in the fields of the identity."""


@dataclass(eq=False)
class Row:
    """A row of a file and the results of processing it."""

    path: str
    """The file."""
    name: str
    """The file or the member of an archive."""
    line: int
    cells: dict[str, Cell]
    retried: bool = False
    """Whether it waited for a profile and is retried without its file."""
    unchanged: bool = False
    """Whether the previous import of its file had it."""
    former: Remembered | None = None
    """Its entry in the previous import of its file."""
    stays: bool = False
    """Whether it stays linked to its former profile."""
    raw: dict[str, Cell] = field(default_factory=dict)
    """Its cells before processors."""
    steady: dict[str, Cell] = field(default_factory=dict)
    """Its cells without values that depend on the date of the run."""
    source: tuple[Any, ...] = ()
    """Its identity before processors; see `Remembered.source`."""
    filtered: bool = False
    """Whether a processor dropped it."""
    identity: tuple[Any, ...] = ()
    """Its identity; rows with the same one are the same."""
    key: tuple[Any, ...] | None = None
    """Its row key, if the goal has one."""
    set_aside: str = ""
    """The reason why a readable row does not count."""
    counts: bool = True
    """Whether it is the last applied row with its key."""
    sums: dict[str, Any] = field(default_factory=dict)
    """Its contribution to sums, if it is applied."""
    invalid: dict[tuple[str, str], str] = field(default_factory=dict)
    """Its invalid cells, by column and property."""
    by_link: list[list[LinkValue]] = field(default_factory=list)
    """Its usable link values by link, in cell order."""
    said: list[tuple[Mapping, Any]] = field(default_factory=list)
    """Its values by mapping, without invalid cells."""
    profile: int | None = None
    """Its profile, a position in the list of profiles."""
    withheld: bool = False
    """Whether its profile may not be processed, so that it has none."""
    found: frozenset[int] = frozenset()
    """The profiles that its values match."""
    ambiguous: bool = False
    """Whether these are more than one."""

    @property
    def applies(self) -> bool:
        """Return whether it is applied in this import."""
        return self.profile is not None and not self.unchanged and not self.set_aside

    @property
    def values(self) -> list[LinkValue]:
        """Return its usable link values in order of links, then of cells."""
        return [value for values in self.by_link for value in values]
