"""The client that others use: it connects when needed, tries again when that may help, and speaks in our errors."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from cdp_sync import errors
from cdp_sync.model import Profiles, SftpConnection
from cdp_sync.model.counting import counted
from cdp_sync.model.remote import FetchedFile, RemoteFile, Removal, Upload, UploadJournal
from cdp_sync.model.server import SftpServer
from cdp_sync.retrying import Pauses, RetryPolicy

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session

T = TypeVar("T")
_logger = logging.getLogger(__name__)
_FEWER_ATTEMPTS = {errors.FileChanged: 1, errors.RemoteFailure: 2}
"""A changed file is left to the next run. SFTP 3 reports most errors, lasting ones too, as FAILURE: retry once only."""


class SftpClient:
    """Reads from one SFTP server and publishes on it; for one thread at a time.

    It connects on first use and again after a dropped line, but not where the server has refused to let it in. A
    context manager: leaving it hangs up.

    Args:
        server: How to reach the server and how to know it.
        environ: Where the variables are looked up that the declaration names.
        attempts: How often a step is tried when it fails in a way that may pass; a download counts only attempts
            that brought no new byte.
        first_pause: Seconds before the second attempt; doubled each time, up to 30, less some chance.
        log: Receives one line for everything a person may want to know; the logging module by default.

    Raises:
        Transient: By every call. The connection could not be made or kept.
        Terminal: By every call. The server and we do not come together; the message says why.
    """

    def __init__(
        self,
        server: SftpServer,
        *,
        environ: Mapping[str, str] = os.environ,
        attempts: int = 5,
        first_pause: float = 1.0,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._server, self._environ = server, environ
        self._log = log or _logger.info
        self._retry = RetryPolicy(attempts, Pauses(first_pause), fewer=_FEWER_ATTEMPTS, log=self._log)
        self._session: Session | None = None
        self._refused: errors.ServerRefused | None = None

        self.address = f"{server.username}@{server.host}:{server.port}"

    def __repr__(self) -> str:
        """Name the account and the server, never a secret."""
        return f"SftpClient({self.address})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def connect(self) -> None:
        """Connect now, in one attempt, rather than on first use, which tries again."""
        self._live_session()

    def close(self) -> None:
        """Hang up. The next call connects again."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def list_directory(self, directory: str) -> list[RemoteFile]:
        r"""Return the regular files of a directory, in any order.

        A symbolic link to a regular file counts as that file; a dangling one does not count. Names that would leave
        the directory are left out and logged; in names that are not UTF-8, the bytes that are not stand as `\xe9`.

        Raises:
            RemotePathMissing: There is no such directory.
            RemotePermissionDenied: The account must not read it.
        """
        return self._perform(lambda session: session.regular_files(directory))

    def download(self, file: RemoteFile, target: Path, *, progress: Callable[[int], None] | None = None) -> FetchedFile:
        """Fetch a file; `target` appears only when it is whole and proven unchanged.

        On the way it is `<target>.part`, with `<target>.part.json` saying which file that is part of. Both outlive a
        lost connection, also that of an earlier process, and the download goes on where it stopped. `progress` is
        called with the number of bytes that have arrived so far.

        Raises:
            FileChanged: Size or modification time are not, or no longer, those of `file`. Nothing of it stays.
            RemotePathMissing: The file is gone. Nothing of it stays.
            RemotePermissionDenied: The account must not read it.
            RemoteNameRefused: The path has no usable file name.
            DiskFull: There is no room for it. Nothing of it stays.
            ConnectionLost: Too many attempts brought nothing.
        """
        from cdp_sync.connectors.sftp.download import Download

        download = Download(file, target, progress or (lambda _size: None))
        return self._perform(download.run, download.reached)

    def publish(
        self, local: Path, path: str, *, progress: Callable[[int], None] | None = None,
        journal: UploadJournal | None = None,
    ) -> None:  # fmt: skip
        """Send a file; `path` appears, or changes, only when all of it is on the server and proven complete.

        On the way it is a hidden file beside `path`, which is removed in the end; after a lost line it is sent again
        from the start. A file that has the name is replaced in one step where the server can, as most do. Where it
        cannot, the former file has another name for a moment, the log says so, and it gets its own back on failure.

        Args:
            local: The file; it must not change meanwhile.
            path: Directory and name on the server. The directory must be there.
            progress: Called with the number of bytes that the server has confirmed; smaller again after a lost line.
            journal: Notes what each attempt may leave on the server, before its first byte is sent.

        Raises:
            RemoteNameRefused: The path has no usable file name.
            RemotePathMissing: There is no such directory.
            RemotePermissionDenied: The account must not write there.
            RemoteNotAFile: A directory or device has the name.
            RemoteDiskFull: There is no room for it.
            RemoteSizeDiffers: The server holds another number of bytes than it confirmed.
            FileChanged: The local file changed while it was sent.
            ConnectionLost: Too many attempts failed.
            Terminal: The local file cannot be read.
        """
        from cdp_sync.connectors.sftp.upload import FileUpload

        publication = FileUpload(local, path, self.address, journal, progress or (lambda _size: None), self._log)
        try:
            self._perform(publication.run)
        except BaseException as problem:
            if publication.remains:
                try:
                    self._attempt(publication.settle)
                except errors.CdpSyncError as left:
                    self._log(f"On the server may be left: {', '.join(publication.remains)}. {left.found}")
            lost = isinstance(problem, (errors.ConnectionLost, errors.ServerUnreachable))
            if not (lost and publication.placed):  # it is published, though the answer was lost
                raise

    def clear_up(self, upload: Upload) -> bool:
        """Remove what an upload left that broke off, in one attempt; only its own hidden names are touched.

        Where the former file had stepped aside and nothing has its place, it is put back.

        Returns:
            Whether nothing is left. False also where the upload was noted of another address and is not found here.
        """
        from cdp_sync.connectors.sftp.upload import clear_up

        def work(session: "Session") -> bool:
            left = session.exists(upload.part) or session.exists(upload.aside)
            if upload.server != self.address and not left:
                self._log(f"{upload.part!r} may be on {upload.server}, which is not this connection's server any more.")
                return False
            return clear_up(session, upload, self._log)

        return self._attempt(work)

    def remove_delivered(self, path: str, size: int, sha256: str) -> Removal:
        """Remove a file that was delivered with this size and SHA-256, and nothing else.

        A file of that size is read first, which takes as long as a download.

        Returns:
            `removed`; `missing` where nothing has the name; `replaced` where something else has it, which stays.

        Raises:
            RemotePermissionDenied: The account must not read or remove it.
            ConnectionLost: Too many attempts failed.
        """
        from cdp_sync.connectors.sftp.removal import remove_delivered

        return self._perform(lambda session: remove_delivered(session, path, size, sha256))

    def read_head(self, path: str, size: int = 65536) -> bytes:
        """Return the first `size` bytes of a file, or all of a smaller one.

        Raises:
            RemotePathMissing: There is no such file.
            RemotePermissionDenied: The account must not read it.
        """
        return self._perform(lambda session: b"".join(session.chunks(path, 0, size)))

    def exists(self, path: str) -> bool:
        """Whether the server has something at this path."""
        try:
            self._perform(lambda session: session.attributes(path))
        except errors.RemotePathMissing:
            return False
        return True

    def _perform(self, work: "Callable[[Session], T]", reached: Callable[[], int] = lambda: 0) -> T:
        return self._retry.call(lambda: self._attempt(work), progress=reached)

    def _attempt(self, work: "Callable[[Session], T]") -> T:
        session = self._live_session()
        try:
            with session.watched():
                return work(session)
        except (errors.RemotePathMissing, errors.RemotePermissionDenied):
            raise
        except BaseException:
            # Replies may be under way that no request waits for any more.
            self.close()
            raise

    def _live_session(self) -> "Session":
        from cdp_sync.connectors.sftp.session import open_session

        if self._session is not None and not self._session.alive:
            self.close()
        if self._session is None:
            if self._refused:  # servers lock accounts that are refused several times
                raise self._refused
            try:
                self._session = open_session(self._server, self._environ, self._log)
            except errors.ServerRefused as refused:
                self._refused = refused
                raise
        return self._session


def check(connection: SftpConnection, _profiles: Profiles) -> Iterator[tuple[str, bool]]:
    """List the directories of all goals, and that of faults files.

    Yield in sentences what was found, and whether that is as it should be.

    Raises:
        ServerRefused: The server does not let us in.
        Transient: It cannot be reached.
    """
    directories = [goal.directory for goal in connection.imports]
    directories += [goal.directory for goal in connection.export_profiles]
    directories += [goal.directory for goal in connection.event_exports]
    directories += [goal.directory for goal in connection.response_exports]
    directories += [connection.faults_directory] if connection.faults_directory else []
    with SftpClient(connection.server) as server:
        for directory in dict.fromkeys(directories):
            try:
                yield f"{directory}: {counted(len(server.list_directory(directory)), 'file')}.", True
            except (errors.RemotePathMissing, errors.RemotePermissionDenied, errors.RemoteListingTooLong) as error:
                yield f"{directory}: {error}", False
