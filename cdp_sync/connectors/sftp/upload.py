"""A file on its way to a server's disk: complete and confirmed before it gets its name, and otherwise not there.

It is sent under a temporary name that readers pass over. SFTP 3 cannot replace a file in one step; an extension
of OpenSSH's can. Without it the former file steps aside, and back again if anything then fails.
"""

import os
import secrets
import stat
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_sync import errors
from cdp_sync.connectors import disk
from cdp_sync.connectors.sftp.protocol.packets import Attributes
from cdp_sync.model.remote import Upload, UploadJournal

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session

_LONGEST_NAME = 255
"""Bytes, on every file system that servers use."""
_SHOWN = 40
"""Characters of the name that stand in a temporary one; even with four bytes each it is not too long."""


class FileUpload:
    """One file, over as many connections as it takes.

    Arguments and errors are those of `SftpClient.publish`; `server` is account and address, for the journal.
    """

    def __init__(
        self, local: Path, path: str, server: str, journal: UploadJournal | None, progress: Callable[[int], None],
        log: Callable[[str], None],
    ) -> None:  # fmt: skip
        head, slash, self._name = path.rpartition("/")
        _verify_name(self._name, path)
        self._local, self._path, self._server, self._journal = local, path, server, journal
        self._folder, self._directory = head + slash, head or slash or "."
        self._progress, self._log = progress, log
        self.placed: Attributes | None = None
        """What stands in its place, as far as is known: size and time, which renaming does not change."""
        self._sent: Attributes | None = None
        """A complete file that waits on the server for its name."""
        self._begun: Upload | None = None
        self._swaps = False

    @property
    def remains(self) -> tuple[str, ...]:
        """What may be on the server that should not stay there."""
        if self._begun is None:
            return ()
        part = () if self.placed else (self._begun.part,)
        return (*part, self._begun.aside) if self._swaps else part

    def run(self, session: "Session") -> None:
        """Bring the file to its place, over one connection. `settle` removes what an attempt leaves."""
        self.settle(session)
        if self.placed is None:
            self._verify_target(session)
            upload = self._send(session)
            self._put_in_place(session, upload)
            self.placed, self._sent = self._sent, None
            self._tidy(session)
        try:
            self._verify_size(session.attributes(self._path), self.placed)
        except errors.RemotePathMissing:
            self._log(f"{self._path!r} was published and is gone again: somebody has fetched it already.")
        except errors.RemoteSizeDiffers:
            self.placed = None
            raise

    def settle(self, session: "Session") -> None:
        """Remove what earlier attempts left; find out whether the last one succeeded without its answer."""
        if self._begun and self._sent and self._in_place(session, self._begun, self._sent):
            self.placed = self._sent
            self._log(f"{self._path!r} is in place; only the server's answer was lost.")
        self._sent = None
        self._tidy(session)

    def _in_place(self, session: "Session", upload: Upload, sent: Attributes) -> bool:
        if session.exists(upload.part):
            return False
        try:
            there = session.attributes(self._path)
        except errors.RemotePathMissing:
            return False
        return there.mtime is not None and (there.size, there.mtime) == (sent.size, sent.mtime)

    def _verify_target(self, session: "Session") -> None:
        try:
            there = session.attributes(self._path)
        except errors.RemotePathMissing:
            return
        if there.kind not in (None, stat.S_IFREG):
            raise errors.RemoteNotAFile(
                f"{self._path!r} is {'a directory' if there.kind == stat.S_IFDIR else 'not a regular file'}.",
                needed="Needed is a free name, or that of a file to be replaced.",
                remedy="Name another path, or one inside the directory.",
            )

    def _send(self, session: "Session") -> Upload:
        """Send all of it under a temporary name, and make sure that it is all there."""

        def read(size: int) -> bytes:
            with disk.while_reading(self._local):  # here, or it would pass for a failure of the line
                return source.read(size)

        with disk.while_reading(self._local), self._local.open("rb") as source:
            local = os.fstat(source.fileno())
            session.verify_room(self._directory, local.st_size)
            upload = self._begin()
            for confirmed in session.fill(upload.part, read, self._directory):
                self._progress(confirmed)
            after = os.fstat(source.fileno())
        if (local.st_size, local.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise errors.FileChanged(
                f"{self._local} changed while it was sent.",
                needed="Needed is a file at rest.",
                remedy="Publish it again once it is complete.",
            )
        there = session.attributes(upload.part)
        sent = Attributes(local.st_size, mtime=there.mtime)
        self._verify_size(there, sent)
        self._sent = sent
        return upload

    def _put_in_place(self, session: "Session", upload: Upload) -> None:
        if session.replaces:
            return session.replace(upload.part, self._path)
        try:
            return session.rename(upload.part, self._path)
        except errors.RemoteFailure:
            if not session.exists(self._path):
                raise
        self._swaps = True
        self._log(f"The server cannot replace a file in one step: {self._path!r} is {upload.aside!r} for a moment.")
        session.rename(self._path, upload.aside)
        try:
            session.rename(upload.part, self._path)
        except (errors.Terminal, errors.RemoteFailure):
            _settle_former(session, upload)
            raise

    def _tidy(self, session: "Session") -> None:
        """Leave nothing of the attempt but the file in its place; what must stay stays in the journal."""
        if self._begun is None:
            return
        if not self.placed:
            is_clear = clear_up(session, self._begun, self._log)
        else:
            is_clear = not self._swaps or _remove(session, self._begun.aside, self._log)
        if is_clear and self._journal:
            self._journal.end(self._begun)
        self._begun, self._swaps = None, False

    def _begin(self) -> Upload:
        """Note an attempt under new names beside the target, of those that receivers of files pass over."""
        hidden = f"{self._folder}.{self._name[:_SHOWN]}.{secrets.token_hex(8)}"
        upload = Upload(self._server, self._path, f"{hidden}.part", f"{hidden}.old")
        if self._journal:
            self._journal.begin(upload)
        self._begun = upload
        return upload

    def _verify_size(self, there: Attributes, sent: Attributes | None) -> None:
        if sent and there.size not in (None, sent.size):
            raise errors.RemoteSizeDiffers(
                f"The server confirmed the {sent.size} bytes of {self._path!r} and then holds {there.size}.",
                remedy="Check that no other program writes that file. The server's log may say more.",
            )


def _verify_name(name: str, path: str) -> None:
    if name in ("", ".", ".."):
        why = "it ends in none"
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        why = "it contains control characters or is not valid Unicode"
    elif len(name.encode()) > _LONGEST_NAME:
        why = f"{len(name.encode())} bytes are more than the {_LONGEST_NAME} that disks allow"
    else:
        return
    raise errors.RemoteNameRefused(
        f"{path!r} cannot be the name of a file: {why}.", remedy="Name a file in a directory."
    )


def clear_up(session: "Session", upload: Upload, log: Callable[[str], None]) -> bool:
    """Put the former file back where nothing has taken its place, and remove what else is left. Idempotent.

    Return whether nothing is left. What the server refuses to move or remove is logged.
    """
    settled = _done(session, lambda: _settle_former(session, upload), upload.aside, log)
    return _remove(session, upload.part, log) and settled


def _settle_former(session: "Session", upload: Upload) -> None:
    """Remove the former file, or put it back if nothing has its name."""
    if not session.exists(upload.aside):
        return
    if session.exists(upload.path):
        session.remove(upload.aside)
    else:
        session.rename(upload.aside, upload.path)


def _remove(session: "Session", path: str, log: Callable[[str], None]) -> bool:
    """Remove a file and return whether it is gone; it may have been before."""
    return _done(session, lambda: session.remove(path), path, log)


def _done(session: "Session", step: Callable[[], None], path: str, log: Callable[[str], None]) -> bool:
    """Do it and return whether nothing has this path any more."""
    try:
        with suppress(errors.RemotePathMissing):
            step()
    except (errors.RemotePermissionDenied, errors.RemoteFailure) as problem:
        if session.exists(path):  # some servers refuse before they look
            log(f"{path!r} stays on the server: {problem.found}")
            return False
    return True
