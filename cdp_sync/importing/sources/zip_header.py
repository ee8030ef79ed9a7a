"""The members that the beginning of a zip archive holds, where the rest of it has not been fetched."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cdp_sync.errors import FileRejected
from cdp_sync.importing.sources.archives import ENCRYPTED, chosen, encrypted, unreadable_method
from cdp_sync.model import ImportGoal

_HEADER = struct.Struct("<4s5H3I2H")
_SIGNATURE = b"PK\3\4"
_SPANNED = b"PK\7\10"
_STORED, _DEFLATED = 0, 8
_UTF_8 = 0x800
_SIZE_FOLLOWS = 0x8


class NothingSeen(FileRejected):
    """The beginning of an archive shows no member to import; the whole of it may hold one."""


@dataclass(frozen=True)
class Begun:
    """A member of which at least the beginning is there."""

    name: str
    flags: int
    method: int
    packed: bytes

    def content(self, limit: int) -> bytes:
        """Return what is there of its content, at most so many bytes.

        Raises:
            FileRejected: It is encrypted, or packed by a method that cannot be read.
            zlib.error: It is damaged.
        """
        if self.flags & ENCRYPTED:
            raise encrypted()
        if self.method == _STORED:
            return self.packed[:limit]
        if self.method != _DEFLATED:
            raise unreadable_method(self.method)
        return zlib.decompressobj(wbits=-15).decompress(self.packed, limit)


def first_member(head: bytes, goal: ImportGoal) -> Begun:
    """Return the first member that an import would take, as far as the beginning of the archive shows.

    Raises:
        NothingSeen: The beginning shows none.
    """
    members = list(_members(head.removeprefix(_SPANNED)))
    names = chosen([member.name for member in members if not member.name.endswith("/")], goal)
    for member in members:
        if member.name in names:
            return member
    raise NothingSeen("The beginning of the archive shows no member to import; an import reads all of it.")


def _members(head: bytes) -> Iterator[Begun]:
    at = 0
    while head[at : at + 4] == _SIGNATURE and at + _HEADER.size <= len(head):
        _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack_from(head, at)
        start = at + _HEADER.size + name_size + extra_size
        name = head[at + _HEADER.size :][:name_size].decode("utf-8" if flags & _UTF_8 else "cp437", "replace")
        end = _end(head, start, method) if flags & _SIZE_FOLLOWS else start + packed
        yield Begun(name, flags, method, head[start:end])
        at = head.find(_SIGNATURE, end) if flags & _SIZE_FOLLOWS else end
        if at < 0:
            return


def _end(head: bytes, start: int, method: int) -> int:
    """Return where a member ends whose header does not tell its size."""
    if method != _DEFLATED:
        return len(head)
    stream = zlib.decompressobj(wbits=-15)
    stream.decompress(head[start:])
    return len(head) - len(stream.unused_data)
