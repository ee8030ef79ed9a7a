"""SFTP version 3 as bytes: requests to send, replies to read. This code performs no I/O.

Names and numbers are those of draft-ietf-secsh-filexfer-02; what ends in `@openssh.com` is described in OpenSSH's
PROTOCOL.
"""

import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, OPENDIR, READDIR, REMOVE, STAT, RENAME = 3, 4, 5, 6, 7, 11, 12, 13, 17, 18
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, NO_CONNECTION, CONNECTION_LOST, UNSUPPORTED = range(9)

LIMITS = b"limits@openssh.com"
FREE_SPACE = b"statvfs@openssh.com"
REPLACE = b"posix-rename@openssh.com"
SYNC = b"fsync@openssh.com"
LARGEST = 1 << 24
"""A packet of this many bytes or more is noise, such as text that a login shell prints."""

_SIZE, _OWNER, _PERMISSIONS, _TIMES, _EXTENDED_ATTRIBUTES = 1, 2, 4, 8, 0x80000000
FOR_READING = 1
FOR_WRITING = 2 | 8 | 16  # create it, and cut off what is there: what OpenSSH's own client asks for

_ESCAPE = r"x[89a-f][0-9a-f]"
_ESCAPE_LIKE = re.compile(rf"(\\+)(?={_ESCAPE})")
_AFTER_BACKSLASHES = re.compile(r"(\\*)([\udc80-\udcff])")
_ESCAPED = re.compile(rf"(\\+)({_ESCAPE})")


class NotSftp(Exception):
    """The other side sends something that is no SFTP."""


class End(Exception):
    """The server says that the file or directory ends here.

    Not an EOFError: that is what a dropped line raises, and what is cut short must never pass for a whole one.
    """


class Refusal(Exception):
    """The server answered a request with a status other than "ok" and "end of file".

    Attributes:
        code: Section 7 of the draft.
        text: The server's own words.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Attributes:
    """A file's attributes as a server sends them; servers may leave out any of them."""

    size: int | None = None
    """Bytes."""
    mode: int | None = None
    """Kind and permissions, as in `stat`."""
    mtime: int | None = None
    """Seconds since 1970, UTC."""

    @property
    def kind(self) -> int | None:
        """The kind of file, such as `stat.S_IFREG`."""
        return None if self.mode is None else stat.S_IFMT(self.mode)

    @property
    def modified_at(self) -> datetime:
        """The modification time; 1970 where the server states none, so that two listings agree."""
        return datetime.fromtimestamp(self.mtime or 0, UTC)


@dataclass(frozen=True)
class Entry:
    """One line of a directory listing."""

    name: bytes
    listed_as: bytes
    """The line as `ls -l` would print it; meant for people, but some servers show the kind of file only here."""
    attributes: Attributes


class Fields:
    """The fields of a packet, taken one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def raw(self, size: int) -> bytes:
        """Take `size` bytes.

        Raises:
            NotSftp: There are not that many.
        """
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise NotSftp("a packet ends before its fields do")
        return self._data[start : self._at]

    def uint32(self) -> int:
        """Take a number of four bytes."""
        return int.from_bytes(self.raw(4), "big")

    def uint64(self) -> int:
        """Take a number of eight bytes."""
        return int.from_bytes(self.raw(8), "big")

    def string(self) -> bytes:
        """Take a string, which SFTP prefixes with its length."""
        return self.raw(self.uint32())


def packet(kind: int, body: bytes, to_come: int = 0) -> bytes:
    """Return a packet as it goes over the wire, but for the last `to_come` bytes of its body."""
    return struct.pack(">IB", len(body) + to_come + 1, kind) + body


def string(value: bytes) -> bytes:
    """Return a string with its length in front."""
    return struct.pack(">I", len(value)) + value


def as_text(name: bytes) -> str:
    r"""Return a name or path as text, also one that is not UTF-8.

    A byte that is not UTF-8 stands as `\xe9`. So that every text means one name only, backslashes before what could be
    read as such an escape are doubled; all other names stand as they are.

    >>> as_text(b"caf\xe9.csv"), as_text(rb"caf\xe9.csv"), as_text(rb"a\b.csv")
    ('caf\\xe9.csv', 'caf\\\\xe9.csv', 'a\\b.csv')
    """
    text = _ESCAPE_LIKE.sub(r"\1\1", name.decode("utf-8", "surrogateescape"))
    return _AFTER_BACKSLASHES.sub(lambda found: f"{found[1] * 2}\\x{ord(found[2]) - 0xDC00:02x}", text)


def as_bytes(text: str) -> bytes:
    """Return the name or path that a text stands for; the opposite of `as_text`."""

    def unescaped(found: re.Match[str]) -> str:
        half, odd = divmod(len(found[1]), 2)
        return "\\" * half + (chr(0xDC00 + int(found[2][1:], 16)) if odd else found[2])

    return _ESCAPED.sub(unescaped, text).encode("utf-8", "surrogateescape")


def path_bytes(path: str) -> bytes:
    """Return a path as a string field: UTF-8, as everyone but the draft agrees, or escaped as of `as_text`."""
    return string(as_bytes(path))


def opening(path: str, how: int) -> bytes:
    """Return the body of OPEN; a new file has the permissions that the server gives by itself."""
    return path_bytes(path) + struct.pack(">II", how, 0)


def span(handle: bytes, offset: int, length: int) -> bytes:
    """Return the body of READ, or that of WRITE but for the data."""
    return string(handle) + struct.pack(">QI", offset, length)


def extensions(version: Fields) -> frozenset[bytes]:
    """Return the names of the extensions that a VERSION packet announces."""
    version.uint32()
    announced = set()
    while version:
        announced.add(version.string())
        version.string()
    return frozenset(announced)


def check_status(reply: Fields) -> None:
    """Read a STATUS.

    Raises:
        End: Of the file or directory.
        Refusal: Anything else that is not "ok".
    """
    code = reply.uint32()
    text = reply.string().decode("utf-8", "replace") if reply else ""
    if code == EOF:
        raise End(text)
    if code != OK:
        raise Refusal(code, text)


def attributes(reply: Fields) -> Attributes:
    """Read file attributes, section 5 of the draft."""
    flags = reply.uint32()
    size = reply.uint64() if flags & _SIZE else None
    if flags & _OWNER:
        reply.raw(8)
    mode = reply.uint32() if flags & _PERMISSIONS else None
    mtime = int.from_bytes(reply.raw(8)[4:], "big") if flags & _TIMES else None
    if flags & _EXTENDED_ATTRIBUTES:
        for _ in range(2 * reply.uint32()):
            reply.string()
    return Attributes(size, mode, mtime)


def entries(reply: Fields) -> Iterator[Entry]:
    """Read the lines of a NAME reply."""
    for _ in range(reply.uint32()):
        yield Entry(reply.string(), reply.string(), attributes(reply))
