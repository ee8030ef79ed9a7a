"""Files as a server lists them and as they arrived here; what a platform has to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from cdp_sync.model.declared import PropertyType
from cdp_sync.model.delta import Delta, Replace


@dataclass(frozen=True, order=True)
class RemoteFile:
    """One file of a listing. Its order is that of importing: modification time, then name."""

    modified_at: datetime
    """In UTC; SFTP knows whole seconds."""
    path: str
    """Absolute path on the server."""
    size: int
    """Bytes."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Members:
    """Which rows of an arrival count: those whose key is a line of a file."""

    path: Path
    """UTF-8 text, a key a line; blank lines, and blanks around a key, do not count."""
    fields: tuple[str, ...]
    """The fields that hold the key; the first that has a value counts."""


class Growing(Protocol):
    """What is known of a file of lines that still arrives."""

    def wait(self, size: int | None) -> int:
        """Wait until so many bytes are there, or all of them; return how many there are, which are whole lines.

        Raises:
            FileRejected: The rest does not arrive.
            CdpSyncError: No file could arrive.
        """
        ...

    def end(self) -> tuple[int, str]:
        """Wait until all of it is there, and return its size and SHA-256; errors as of `wait`."""
        ...


@dataclass(frozen=True)
class FetchedFile:
    """A remote file whose bytes lie on this machine's disk."""

    remote: RemoteFile
    local: Path
    """Where the bytes are."""
    sha256: str
    """Of the bytes as they were on the server, in hexadecimal."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that are the same in every row, and no column."""
    reader: Literal["csv", "ndjson", "lines"] = "csv"
    """What reads its bytes."""
    delta: Delta = field(default_factory=Replace)
    """Which of its rows are new."""
    watermarks: Mapping[str, str] = field(default_factory=dict)
    """How far it was read, by stream, where the source knows that; written when its rows land."""
    fields: tuple[str, ...] = ()
    """Of JSON: fields that are columns also where no row has a value, as the source knows them."""
    members: Members | None = None
    """Of JSON: which rows count; the others are no rows of the arrival. All of them unless given."""
    growing: Growing | None = field(default=None, compare=False)
    """Of JSON: where more of it still arrives. Its size and checksum are not known until then."""
    without_keys: str = ""
    """Of JSON, where it is no matter of single rows: what is wrong if most rows lack a key, or none is a member."""
    types: Mapping[str, PropertyType] = field(default_factory=dict)
    """Of JSON: the property types of fields, as the source knows them, for those that the goal detects."""
    within: tuple[str, ...] = ()
    """Of JSON: objects whose keys are fields as well, where the line itself does not have them."""

    def complete(self) -> "FetchedFile":
        """Return the file when all of it is there; errors as of `Growing.wait`."""
        if self.growing is None:
            return self
        size, sha256 = self.growing.end()
        return replace(self, remote=replace(self.remote, size=size), sha256=sha256, growing=None)


@dataclass(frozen=True)
class Upload:
    """What one attempt to send a file may leave on a server. No other upload uses its hidden names."""

    server: str
    """Account and address."""
    path: str
    """Where the file is to be."""
    part: str
    """What it is called until it is complete."""
    aside: str
    """What the former file is called while it is replaced, on a server that cannot do that in one step."""


Removal = Literal["removed", "missing", "replaced"]
"""The outcome for a delivered file that is to go: it is removed, it was gone, or another one has its name."""


class UploadJournal(Protocol):
    """Remembers the uploads that have begun, also when the process is killed."""

    def begin(self, upload: Upload) -> None:
        """Note an upload durably. It is sent only once this has returned."""

    def end(self, upload: Upload) -> None:
        """Forget an upload of which nothing is left but the file in its place."""


@dataclass(frozen=True)
class SourceLook:
    """What there is to import, as a table: a row for each thing that the goal names."""

    noun: str
    """What a row is, such as `list`; with an s it names the rows in JSON."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    summary: str
    """How much there is, in a few words."""
    further: "tuple[SourceLook, ...]" = ()
    """What else there is to know, each a table of its own."""
    sample: bytes = b""
    """Some rows as the platform delivers them, in the text that an import reads; empty where it offers none cheaply."""
    sampled: str = ""
    """What these rows are."""
