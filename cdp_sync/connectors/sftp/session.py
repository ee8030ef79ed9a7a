"""An open connection to a server, what is asked of it, and the limit on its silence."""

import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Self

import paramiko

from cdp_sync import errors
from cdp_sync.connectors.sftp import server_errors
from cdp_sync.connectors.sftp.credentials import credentials
from cdp_sync.connectors.sftp.host_keys import known_keys
from cdp_sync.connectors.sftp.paramiko_internals import ChannelBuffer
from cdp_sync.connectors.sftp.protocol import packets, transfer
from cdp_sync.connectors.sftp.protocol.packets import Attributes, Entry
from cdp_sync.connectors.sftp.protocol.wire import Deadline, LeastRate, Waited, Wire
from cdp_sync.connectors.sftp.transport import open_transport
from cdp_sync.model.counting import counted
from cdp_sync.model.remote import RemoteFile
from cdp_sync.model.server import SftpServer

_READ_AHEAD = 32
"""READDIR requests under way at once; servers put 16 to 100 names into a reply."""


class Session:
    """A connection after login. It never retries; that is the client's task.

    Raises:
        CdpSyncError: As `server_errors.while_talking` says.
    """

    def __init__(self, transport: paramiko.Transport, server: SftpServer, log: Callable[[str], None]) -> None:
        self._transport, self._server, self._log = transport, server, log
        self._watchdog = Watchdog(server.read_timeout, transport.close)

    def start(self) -> Self:
        """Begin to speak SFTP."""
        try:
            with server_errors.while_talking(self._server), self.watched():
                self._wire = self._conversation()
                self._limits = transfer.limits(self._wire)
                self._wire.pace = None
        except errors.ConnectionLost as lost:
            if isinstance(lost.__cause__, paramiko.SSHException):
                self._transport.join(0.2)  # a dying transport closes its channels a moment before it says so
                if self.alive:
                    raise server_errors.no_sftp(self._server, lost.__cause__) from lost.__cause__
            raise
        return self

    @property
    def alive(self) -> bool:
        """Whether the line stood when it was last looked at."""
        return self._transport.is_active()

    def close(self) -> None:
        """Hang up. The transport goes first: closing a file politely on a dead line would wait for it again."""
        self._watchdog.dismiss()
        self._transport.close()

    def watched(self) -> AbstractContextManager[None]:
        """Cut the line if it falls silent while the block runs."""
        return self._watchdog.watching()

    def attributes(self, path: str) -> Attributes:
        """Return the attributes of a path, links followed."""
        with self._talking(path):
            return packets.attributes(self._wire.call(packets.STAT, packets.path_bytes(path), packets.ATTRS))

    def exists(self, path: str) -> bool:
        """Whether there is something at a path; a link is something wherever it leads."""
        try:
            with self._talking(path):
                self._wire.call(packets.LSTAT, packets.path_bytes(path), packets.ATTRS)
        except errors.RemotePathMissing:
            return False
        return True

    def verify_room(self, directory: str, size: int) -> None:
        """Make sure that so many bytes fit into a directory, as far as the server says.

        Raises:
            RemoteDiskFull: They do not.
        """
        if packets.FREE_SPACE not in self._wire.extensions:
            return
        try:
            with self._talking(directory):
                path = packets.path_bytes(directory)
                reply = self._wire.extended(packets.FREE_SPACE, path, packets.EXTENDED_REPLY)
                _, unit, total, _, free = (reply.uint64() for _ in range(5))
        except (errors.RemotePathMissing, errors.RemotePermissionDenied, errors.RemoteFailure):
            return
        if total and unit * free < size:  # without any blocks it is no real disk
            why = f"{size} bytes are to come and {unit * free} are free"
            raise server_errors.remote_disk_full(self._server, directory, why)

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Have all answers within the block, but the bytes of files, by one deadline; that of an outer block counts."""
        with self._paced(Deadline(self._server.answer_timeout).waited, replacing=False):
            yield

    def entries(self, directory: str) -> Iterator[Entry]:
        """Yield the entries of a directory as the server lists them, links not followed.

        Raises:
            RemoteListingTooLong: There are more of them than `listing_entries`.
        """
        found = 0
        with self._talking(directory), self._handle(packets.OPENDIR, packets.path_bytes(directory)) as handle:
            more = True
            while more:
                numbers = [self._wire.ask(packets.READDIR, packets.string(handle)) for _ in range(_READ_AHEAD)]
                for number in numbers:
                    try:
                        entries = list(packets.entries(self._wire.answer(number, packets.NAME)))
                    except packets.End:
                        entries = []
                    more = more and bool(entries)
                    found += len(entries)
                    if found > (most := self._server.listing_entries):
                        raise errors.RemoteListingTooLong(
                            f"{directory!r} on {server_errors.address(self._server)} has more than "
                            f"{counted(most, 'entry', 'entries')}.",
                            needed=f"Needed are at most {most:,}, `listing_entries` of `server`.",
                            remedy="Have old files moved away; or declare a larger number, with half a kilobyte of "
                            "memory for each entry.",
                        )
                    yield from entries

    def regular_files(self, directory: str) -> list[RemoteFile]:
        """Return the regular files of a directory, links to regular files included, in the server's order.

        Raises:
            RemoteListingTooLong: It has too many entries.
            RemoteTooSlow: It was not listed in time, links included.
        """
        found = []
        with self.in_time():
            # The listing is taken whole before links are followed: the server may be slow to answer both at once.
            for entry in list(self.entries(directory)):
                if entry.name in (b".", b".."):
                    continue
                if not entry.name or b"/" in entry.name or b"\0" in entry.name:
                    self._log(f"{entry.name!r} in {directory!r} is left out: the name would leave the directory.")
                    continue
                path = f"{directory.rstrip('/')}/{packets.as_text(entry.name)}"
                attributes = self._attributes_of_regular(entry, path)
                if attributes and attributes.size is None:
                    self._log(f"{path!r} is left out: the server does not state its size.")
                elif attributes:
                    found.append(RemoteFile(attributes.modified_at, path, attributes.size or 0))
        return found

    def _attributes_of_regular(self, entry: Entry, path: str) -> Attributes | None:
        attributes = entry.attributes
        if attributes.mode is None and entry.listed_as.startswith(b"-"):
            return attributes
        if attributes.kind == stat.S_IFLNK:
            try:
                attributes = self.attributes(path)
            except (errors.RemotePathMissing, errors.RemotePermissionDenied):
                return None
        return attributes if attributes.kind == stat.S_IFREG else None

    def chunks(self, path: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file in order, from `start` to `end` or to where it ends."""
        with (
            self._talking(path),
            self._paced(self._least_rate().waited),
            self._handle(packets.OPEN, packets.opening(path, packets.FOR_READING)) as handle,
        ):
            yield from transfer.read(self._wire, handle, start, end, self._limits.read)

    def fill(self, path: str, read: Callable[[int], bytes], directory: str) -> Iterator[int]:
        """Write a new file and yield, as the server confirms piece after piece, how many bytes it has.

        `read` gives up to so many bytes of what is to be written, and none at the end; errors name the directory.

        Raises:
            RemoteDiskFull: The server refused bytes of a file that it let us open.
        """
        rate, confirmed = self._least_rate(), 0
        with self._talking(directory, "write to"), self._paced(lambda seconds, _: rate.waited(seconds, 0)):
            opening = packets.opening(path, packets.FOR_WRITING)
            handle = self._wire.call(packets.OPEN, opening, packets.HANDLE).string()
            try:
                for reach in transfer.write(self._wire, handle, read, self._limits.write):
                    rate.bytes += reach - confirmed
                    confirmed = reach
                    yield reach
                self._wire.call(packets.CLOSE, packets.string(handle), packets.STATUS)
            except packets.Refusal as refusal:
                # SFTP 3 has no word for a full disk but "failure", and hardly anything else makes a write fail.
                if refusal.code in (packets.NO_CONNECTION, packets.CONNECTION_LOST):
                    raise
                why = f"it stopped with {server_errors.said(refusal)}"
                raise server_errors.remote_disk_full(self._server, directory, why) from refusal

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; most servers refuse where the name is taken."""
        with self._talking(new, "write"):
            self._wire.call(packets.RENAME, packets.path_bytes(old) + packets.path_bytes(new), packets.STATUS)

    @property
    def replaces(self) -> bool:
        """Whether the server can `replace`."""
        return packets.REPLACE in self._wire.extensions

    def replace(self, old: str, new: str) -> None:
        """Give a file another name, in place of whatever file has it, in one step."""
        with self._talking(new, "write"):
            names = packets.path_bytes(old) + packets.path_bytes(new)
            self._wire.extended(packets.REPLACE, names, packets.STATUS)

    def remove(self, path: str) -> None:
        """Remove a file."""
        with self._talking(path, "remove"):
            self._wire.call(packets.REMOVE, packets.path_bytes(path), packets.STATUS)

    @contextmanager
    def _talking(self, path: str, deed: str = "read") -> Iterator[None]:
        with server_errors.while_talking(self._server, path, deed):
            try:
                with self.in_time():
                    yield
            except (EOFError, OSError, paramiko.SSHException) as problem:
                if self._watchdog.expired:  # a thread that waits to send learns only that the line is gone
                    raise TimeoutError from problem
                raise

    @contextmanager
    def _paced(self, pace: Waited, *, replacing: bool = True) -> Iterator[None]:
        before = self._wire.pace
        self._wire.pace = pace if replacing or before is None else before
        try:
            yield
        finally:
            self._wire.pace = before

    def _least_rate(self) -> LeastRate:
        return LeastRate(self._server.least_rate, self._server.read_timeout)

    def _conversation(self) -> Wire:
        channel = self._transport.open_session(timeout=self._server.connect_timeout)
        channel.in_buffer = ChannelBuffer(self._watchdog.touch)
        channel.settimeout(self._server.read_timeout)
        channel.invoke_subsystem("sftp")
        try:
            return Wire(channel, Deadline(self._server.answer_timeout).waited)
        except EOFError:
            status = channel.recv_exit_status()
            if status < 0:  # it was the line that ended
                raise
            raise packets.NotSftp(f"what it starts for SFTP ended with status {status}") from None

    @contextmanager
    def _handle(self, kind: int, body: bytes) -> Iterator[bytes]:
        handle = self._wire.call(kind, body, packets.HANDLE).string()
        yield handle
        # Only after success: on a broken line the close would wait once more, and the server closes it by itself.
        with suppress(packets.Refusal):
            self._wire.call(packets.CLOSE, packets.string(handle), packets.STATUS)


def open_session(server: SftpServer, environ: Mapping[str, str], log: Callable[[str], None]) -> Session:
    """Connect, log in and start SFTP; errors as of `open_transport`, `credentials` and `Session`."""
    transport = open_transport(server, known_keys(server, log), credentials(server, environ), log)
    session = Session(transport, server, log)
    try:
        return session.start()
    except BaseException:
        session.close()
        raise


class Watchdog:
    """Expires when, while a thread waits, nothing has arrived for too long.

    A channel's own timeout covers waiting for an answer; this also covers waiting to be allowed to send, where paramiko
    knows no timeout.

    Args:
        seconds: How long is too long.
        expire: Called then; it must wake up the thread that waits.
    """

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self._seconds, self._expire = seconds, expire
        self._seen, self._waited_for = time.monotonic(), False
        self._dismissed = threading.Event()
        self.expired = False
        threading.Thread(target=self._watch, name="sftp-watchdog", daemon=True).start()

    def touch(self) -> None:
        """Note that something arrived."""
        self._seen = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        self.touch()
        self._waited_for = True
        try:
            yield
        finally:
            self._waited_for = False

    def dismiss(self) -> None:
        """Stop watching for good."""
        self._dismissed.set()

    def _watch(self) -> None:
        while not self._dismissed.wait(self._seconds / 4):
            if self._waited_for and time.monotonic() - self._seen > self._seconds:
                self.expired = True
                self._expire()
                return
