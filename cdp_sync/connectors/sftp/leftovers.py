"""What an upload that broke off has left on the server, and its removal."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from cdp_sync.errors import RemoteFailure, RemotePathMissing, RemotePermissionDenied
from cdp_sync.model.remote import Upload

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session

Log = Callable[[str], None]


def clear_up(session: "Session", upload: Upload, log: Log) -> bool:
    """Put the former file back where nothing has taken its place, and remove what else is left. Idempotent.

    Returns:
        Whether nothing is left. What the server refuses to move or remove is logged.
    """
    settled = _done(session, lambda: settle_former(session, upload), upload.aside, log)
    return remove(session, upload.part, log) and settled


def is_left(session: "Session", upload: Upload) -> bool:
    """Whether the server has anything under the upload's hidden names."""
    return session.exists(upload.part) or session.exists(upload.aside)


def settle_former(session: "Session", upload: Upload) -> None:
    """Remove the former file, or put it back if nothing has its name.

    Raises:
        RemotePermissionDenied: The account must not.
        RemoteFailure: The server failed to.
    """
    if not session.exists(upload.aside):
        return
    if session.exists(upload.path):
        session.remove(upload.aside)
    else:
        session.rename(upload.aside, upload.path)


def remove(session: "Session", path: str, log: Log) -> bool:
    """Remove a file and return whether it is gone; it may have been before."""
    return _done(session, lambda: session.remove(path), path, log)


def _done(session: "Session", step: Callable[[], None], path: str, log: Log) -> bool:
    """Do it and return whether nothing has this path any more."""
    try:
        with suppress(RemotePathMissing):
            step()
    except (RemotePermissionDenied, RemoteFailure) as problem:
        if session.exists(path):  # some servers refuse before they look
            log(f"{path!r} stays on the server: {problem.found}")
            return False
    return True
