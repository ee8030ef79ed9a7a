"""What importing needs of a platform that is not a server of files."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from cdp_sync.model import FetchedFile, FileReport, SourceLook

Progress = Callable[[str, int], None]
"""Called with the name of what arrives, and its number of bytes so far."""


class Enricher(Protocol):
    """Looks up fields that an arrival does not hold of its people, one call a person."""

    identity: str
    """The field that holds the platform's own id of a person."""
    identity_property: str
    """The property that takes it."""
    fields: tuple[str, ...]
    """The fields that can be looked up."""
    digests: Mapping[str, str]
    """By field that can be looked up, the field that holds the MD5 of its value, in lower case."""

    def look_up(self, platform_ids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the fields of these people, in any order; none of people that the platform no longer has."""


class Source(Protocol):
    """What an import goal reads from a platform. A connector makes it of a client and the goal."""

    paths: tuple[str, ...]
    """What the ledger calls the parts that the goal reads."""
    enricher: Enricher | None
    """What looks up fields that an arrival does not hold; None where an arrival holds all there is."""

    def arrivals(self, folder: Path, progress: Progress) -> Iterator[FetchedFile | FileReport]:
        """Yield the goal's data, written to `folder` part by part, or why a part could not be fetched."""

    def look(self) -> SourceLook:
        """Return what there is to import, without fetching it."""


@runtime_checkable
class Resumable(Protocol):
    """A source that can read what is new since its watermarks."""

    def resume(self, watermarks: Mapping[str, str]) -> None:
        """Read on from these watermarks, by stream. Called before `arrivals`, and not where all is to be read."""
