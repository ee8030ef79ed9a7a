"""The folder that the SFTP sandbox serves, and nothing outside it."""

import errno
import os
import stat
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import paramiko
from paramiko import sftp
from paramiko.message import Message

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

P = ParamSpec("P")
T = TypeVar("T")
POSIX_RENAME = b"posix-rename@openssh.com"
LIMITS = b"limits@openssh.com"
FSYNC = b"fsync@openssh.com"
_LARGEST_READ = 255 << 10
_LARGEST_PACKET = 256 << 10


def _with_status(work: Callable[Concatenate["Files", P], T]) -> Callable[Concatenate["Files", P], T | int]:
    """Return SFTP's status code where a method raises OSError."""

    @wraps(work)
    def answer(files: "Files", /, *args: P.args, **kwargs: P.kwargs) -> T | int:
        try:
            return work(files, *args, **kwargs)
        except OSError as problem:
            return _status(problem)

    return answer


class OpenFile(paramiko.SFTPHandle):
    """An open file, read and written at any offset."""

    def __init__(self, path: Path, flags: int) -> None:
        super().__init__(flags)
        self._path = path
        self._descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o644)

    def read(self, offset: int, length: int) -> bytes | int:
        """Return up to `length` bytes from an offset; none at the end."""
        try:
            return os.pread(self._descriptor, min(length, _LARGEST_READ), offset)
        except OSError as problem:
            return _status(problem)

    def write(self, offset: int, data: "ReadableBuffer") -> int:
        """Write all of `data` at an offset."""
        rest = memoryview(data)
        try:
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
            return sftp.SFTP_OK
        except OSError as problem:
            return _status(problem)

    def sync(self) -> int:
        """Flush it to the disk."""
        try:
            os.fsync(self._descriptor)
            return sftp.SFTP_OK
        except OSError as problem:
            return _status(problem)

    def stat(self) -> paramiko.SFTPAttributes:
        """Return the attributes of the open file."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        """Change modes and times as asked; other attributes are ignored."""
        return _change(self._path, attr)

    def close(self) -> None:
        """Close the descriptor, once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Files(paramiko.SFTPServerInterface):
    """One folder as an account sees it.

    The folder is the root of all paths, so that `..` never leads above it. A symbolic link that leads outside is
    "permission denied". Links cannot be made.

    Args:
        server: The connection's login.
        root: The folder.
    """

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server)
        self.root = root.resolve()

    def local(self, path: str, *, follow: bool = True) -> Path:
        """Return the path on this machine.

        Args:
            path: As the client names it.
            follow: Whether the last part is followed if it is a link.

        Raises:
            PermissionError: It lies outside the root.
        """
        inside = self.root / os.path.normpath("/" + path).lstrip("/")
        if inside == self.root:
            return inside
        resolved = inside.resolve() if follow else inside.parent.resolve() / inside.name
        if not resolved.is_relative_to(self.root):
            raise PermissionError(errno.EACCES, "outside the root")
        return resolved

    def canonicalize(self, path: str) -> str:
        """Return a path without `.` and `..`."""
        return os.path.normpath("/" + path.lstrip("/"))

    @_with_status
    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        """Return the entries of a folder, links not followed."""
        with os.scandir(self.local(path)) as entries:
            return [_listed(entry) for entry in entries]

    @_with_status
    def stat(self, path: str) -> paramiko.SFTPAttributes:
        """Return attributes, links followed."""
        return paramiko.SFTPAttributes.from_stat(self.local(path).stat())

    @_with_status
    def lstat(self, path: str) -> paramiko.SFTPAttributes:
        """Return attributes, the last link not followed."""
        return paramiko.SFTPAttributes.from_stat(self.local(path, follow=False).lstat())

    @_with_status
    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        """Open a file."""
        local = self.local(path)
        if local.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder")
        return OpenFile(local, flags)

    @_with_status
    def remove(self, path: str) -> int:
        """Remove a file."""
        self.local(path, follow=False).unlink()
        return sftp.SFTP_OK

    @_with_status
    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename; as in OpenSSH, refuses to replace the target."""
        target = self.local(newpath, follow=False)
        if os.path.lexists(target):
            return sftp.SFTP_FAILURE
        self.local(oldpath, follow=False).rename(target)
        return sftp.SFTP_OK

    @_with_status
    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename; replaces the target."""
        self.local(oldpath, follow=False).replace(self.local(newpath, follow=False))
        return sftp.SFTP_OK

    @_with_status
    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        self.local(path, follow=False).mkdir()
        return sftp.SFTP_OK

    @_with_status
    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        self.local(path, follow=False).rmdir()
        return sftp.SFTP_OK

    @_with_status
    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Change mode and times, so that uploads can keep theirs."""
        return _change(self.local(path), attr)


class Protocol(paramiko.SFTPServer):
    """paramiko's server with some of OpenSSH's extensions, as its PROTOCOL describes them in section 4.

    Its methods are not in paramiko's type stubs.
    """

    extensions: tuple[bytes, ...] = (POSIX_RENAME, LIMITS, FSYNC)
    """The announced extensions; a subclass may leave some out."""

    def _send_server_version(self) -> int:
        kind, _ = self._read_packet()  # type: ignore[attr-defined]
        if kind != sftp.CMD_INIT:
            raise sftp.SFTPError("no greeting")
        version = Message()
        version.add_int(3)
        for name in self.extensions:
            version.add_string(name)
            version.add_string("1")
        self._send_packet(sftp.CMD_VERSION, version)  # type: ignore[attr-defined]
        return 3

    def _process(self, t: int, request_number: int, msg: Message) -> None:
        msg.get_text = lambda: os.fsdecode(msg.get_binary())  # type: ignore[method-assign]  # names need not be UTF-8
        if t == sftp.CMD_EXTENDED:
            self._process_extended(request_number, msg.get_binary(), msg)
        else:
            super()._process(t, request_number, msg)  # type: ignore[misc]

    def _process_extended(self, request_number: int, name: bytes, msg: Message) -> None:
        if name not in self.extensions:
            self._answer(request_number, sftp.SFTP_OP_UNSUPPORTED)
        elif name == POSIX_RENAME:
            self._answer(request_number, self.server.posix_rename(msg.get_text(), msg.get_text()))
        elif name == FSYNC:
            file = self.file_table.get(msg.get_binary())
            self._answer(request_number, file.sync() if isinstance(file, OpenFile) else sftp.SFTP_BAD_MESSAGE)
        else:
            limits = [sftp.int64(value) for value in (_LARGEST_PACKET, _LARGEST_READ, _LARGEST_READ, 0)]
            self._response(request_number, sftp.CMD_EXTENDED_REPLY, *limits)  # type: ignore[attr-defined]

    def _answer(self, request_number: int, status: int) -> None:
        self._send_status(request_number, status)  # type: ignore[attr-defined]


class WithoutPosixRename(Protocol):
    """Like many servers other than OpenSSH's: it replaces a file in several steps only."""

    extensions = (LIMITS, FSYNC)


def _listed(entry: os.DirEntry[str]) -> paramiko.SFTPAttributes:
    attributes = paramiko.SFTPAttributes.from_stat(entry.stat(follow_symlinks=False), entry.name)
    if not entry.name.isprintable():  # such as one that is not UTF-8, which paramiko fails to encode
        attributes.filename = os.fsencode(entry.name)  # type: ignore[assignment]
    return attributes


def _status(problem: OSError) -> int:
    return paramiko.SFTPServer.convert_errno(problem.errno or 0)


def _change(target: Path, attr: paramiko.SFTPAttributes) -> int:
    try:
        if attr.st_mode is not None:
            target.chmod(stat.S_IMODE(attr.st_mode))
        if attr.st_mtime is not None:
            os.utime(target, (attr.st_atime or attr.st_mtime, attr.st_mtime))
        if attr.st_size is not None:
            os.truncate(target, attr.st_size)
    except OSError as problem:
        return _status(problem)
    return sftp.SFTP_OK
