"""Puts the written file on the server: complete, or not at all."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.writing import LocalFile


class Server(Protocol):
    """What takes files."""

    def publish(self, local: Path, path: str, *, progress: Callable[[int], None] | None = None) -> None:
        """Put a file in place, confirmed."""


@dataclass(frozen=True)
class DeliveredFile:
    """A file that the server has confirmed."""

    path: str
    size: int
    sha256: str
    rows: int

    def to_handle(self) -> dict[str, Any]:
        """Return plain values that steps can hand on."""
        return asdict(self)

    @classmethod
    def from_handle(cls, handle: dict[str, Any]) -> "DeliveredFile":
        """Return the file of a handle."""
        return cls(**handle)


def deliver_file(
    run: ExportRun, server: Server, file: LocalFile, *, progress: Callable[[int], None] | None = None
) -> DeliveredFile:
    """Publish a file in the goal's directory.

    Args:
        run: The run.
        server: Where to.
        file: What was written.
        progress: Called with the number of bytes that the server has confirmed so far.

    Raises:
        RemotePathMissing: There is no such directory.
        RemotePermissionDenied: The account must not write there.
        CdpSyncError: Whatever else kept the file from its place; nothing of it is left.
    """
    server.publish(file.local, run.path, progress=progress)
    return DeliveredFile(run.path, file.size, file.sha256, file.rows)
