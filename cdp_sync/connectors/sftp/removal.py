"""Removes a file that we delivered, if it is still the one that we delivered."""

import hashlib
import stat
from typing import TYPE_CHECKING

from cdp_sync import errors
from cdp_sync.model.remote import Removal

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session


def remove_delivered(session: "Session", path: str, size: int, sha256: str) -> Removal:
    """Remove a file if it has this size and content; see `SftpClient.remove_delivered`.

    SFTP has no word for a checksum, so a file of the same size is read once more.
    """
    try:
        there = session.attributes(path)
        if there.kind not in (None, stat.S_IFREG) or there.size != size:
            return "replaced"
        digest = hashlib.sha256()
        for chunk in session.chunks(path, 0, size):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            return "replaced"
        session.remove(path)
    except errors.RemotePathMissing:
        return "missing"
    return "removed"
