"""Which entries of a directory are files to be fetched."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cdp_sync.connectors.sftp.protocol.packets import Attributes, Entry, as_text
from cdp_sync.errors import RemotePathMissing, RemotePermissionDenied
from cdp_sync.model.remote import RemoteFile

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session


def regular_files(session: "Session", directory: str, log: Callable[[str], None]) -> list[RemoteFile]:
    """Return the regular files of a directory, links to regular files included, in the server's order.

    Raises:
        RemotePathMissing: There is no such directory.
        RemotePermissionDenied: The account must not read it.
        RemoteListingTooLong: It has too many entries.
        RemoteTooSlow: It was not listed in time, links included.
    """
    found = []
    with session.in_time():
        # The listing is taken whole before links are followed: the server may be slow to answer both at once.
        for entry in list(session.entries(directory)):
            if entry.name in (b".", b".."):
                continue
            if not entry.name or b"/" in entry.name or b"\0" in entry.name:
                log(f"{entry.name!r} in {directory!r} is left out: the name would leave the directory.")
                continue
            path = f"{directory.rstrip('/')}/{as_text(entry.name)}"
            attributes = _attributes(session, path, entry)
            if attributes is None:
                continue
            if attributes.size is None:
                log(f"{path!r} is left out: the server does not state its size.")
            else:
                found.append(RemoteFile(modified_at=modified_at(attributes), path=path, size=attributes.size))
    return found


def modified_at(attributes: Attributes) -> datetime:
    """Return the modification time; 1970 where the server states none, so that two listings agree."""
    return datetime.fromtimestamp(attributes.mtime or 0, UTC)


def _attributes(session: "Session", path: str, entry: Entry) -> Attributes | None:
    """Return the attributes of a regular file, or None for anything else."""
    attributes = entry.attributes
    if attributes.mode is None and entry.listed_as.startswith(b"-"):
        return attributes
    if attributes.kind == stat.S_IFLNK:
        try:
            attributes = session.attributes(path)
        except (RemotePathMissing, RemotePermissionDenied):
            return None
    return attributes if attributes.kind == stat.S_IFREG else None
