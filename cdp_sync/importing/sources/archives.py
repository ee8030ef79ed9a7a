"""From a file as it arrived to delimited texts: archives are unpacked within bounds, what is no text is refused."""

import fnmatch
import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cdp_sync.errors import NO_ROOM, FileRejected
from cdp_sync.importing.reading.recognition import GZIP, HEAD, ZIP, recognize, refuse_other_workbooks, workbook
from cdp_sync.model import Growing, ImportGoal, Members

CHUNK = 1 << 20

# What gzip and zipfile raise over bytes that are no archive, or a broken one: they document no closed list.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, IndexError, ValueError, struct.error)

FREE_ALLOWANCE = 256 << 20
"""Bytes that any archive may unpack to."""
RATIO_ALLOWANCE = 100
"""Beyond that, an archive may unpack to so many times its own size; text packs ten-fold, a bomb thousand-fold."""

ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags of a zip's member: encrypted, strongly encrypted, with masked headers."""
_METHODS = {
    1: "Shrink", 2: "Reduce", 3: "Reduce", 4: "Reduce", 5: "Reduce", 6: "Implode", 9: "Deflate64", 10: "PKWARE Implode",
    12: "bzip2", 14: "LZMA", 18: "IBM TERSE", 19: "IBM LZ77", 20: "Zstandard", 93: "Zstandard", 94: "MP3", 95: "xz",
    96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES encryption",
}  # fmt: skip
"""Compression methods by their number in a zip, section 4.4.5 of its specification."""
_JUNK = ("thumbs.db", "desktop.ini")
_SUFFIXES = ((".csv", ".tsv", ".psv"), (".dat", ".asc", ".txt"), ("",))
"""Of delimited text, the most plausible first."""
_ABOUT = ("readme", "read_me", "license", "licence", "liesmich", "lisezmoi", "leesmij", "manifest", "changelog")
"""How files are called that describe the others."""
_NO_NAME = "\1"
"""Only patterns that name everything name this."""

_LISTED = 10
"""Names that a warning or an error lists."""


@dataclass(frozen=True)
class Part:
    """One delimited text of a file: the file itself, or a member of an archive."""

    name: str
    """As the quarantine names it: the file's path, for a member followed by `!` and its name."""
    local: Path
    fields: tuple[str, ...] = ()
    """Of JSON: fields that are columns also where no row has a value."""
    members: Members | None = None
    """Of JSON: which rows count; all of them unless given."""
    within: tuple[str, ...] = ()
    """Of JSON: objects whose keys are fields as well."""
    growing: Growing | None = None
    """Where more of it still arrives."""
    is_slice: bool = False
    """Whether other slices of the same text are parts as well."""
    lines_before: int = 0
    """Of a slice: the lines of the text before it."""


def unpack(
    path: str, local: Path, folder: Path, goal: ImportGoal, warn: Callable[[str], None] = lambda _: None
) -> Iterator[Part]:
    """Yield the parts of a file at `path` of a server; members are written into `folder` under names of our own.

    `local` holds its bytes. The goal says which members are meant; `warn` receives what is left out.

    Raises:
        FileRejected: The file is no delimited text, or the archive is damaged, encrypted, packed by a method that
            cannot be read, too large unpacked, without a member that is meant, or names a member outside of itself.
    """
    with local.open("rb") as file:
        head = file.read(HEAD)
    part = Part(path, local)
    with _rejecting_damage():
        is_archive = head.startswith(ZIP) and not (goal.format.is_workbook and workbook(_names_in(local)))
        if goal.expected:
            goal.expected.check_arrival(path, local.stat().st_size, is_archive=is_archive)
        if is_archive:
            yield from _unpack_zip(path, local, folder, goal, warn)
            return
        if head.startswith(GZIP):
            part = Part(path, folder / f"{local.name}.unpacked")
            with gzip.open(local, "rb") as packed:
                _copy_bounded(packed, part.local, allowance(local.stat().st_size))
        _refuse_other_kinds(part, "The file" if part.local is local else "The content of the gzip archive", goal)
        yield part


def _names_in(local: Path) -> list[str]:
    """Return the names in a zip archive; none of what is no whole one."""
    if not zipfile.is_zipfile(local):
        return []
    with zipfile.ZipFile(local) as archive:
        return archive.namelist()


@contextmanager
def _rejecting_damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        raise FileRejected(f"The archive is damaged: {error}.", remedy="Have it delivered again.") from error


@contextmanager
def naming(part: str, path: str) -> Iterator[None]:
    """Name the member of an archive in front of what is wrong with it, unless the part is the file at `path` itself."""
    try:
        yield
    except FileRejected as error:
        if part == path:
            raise
        member = printable(path.rpartition("/")[2] + part.removeprefix(path))
        raise FileRejected(f"{member}: {error.found}", needed=error.needed, remedy=error.remedy) from error


def printable(name: str) -> str:
    """Return a name with escapes in place of characters that cannot be printed in one line."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


def _refuse_other_kinds(part: Part, what: str, goal: ImportGoal) -> None:
    """Make sure that a part is what the goal reads: text in its encoding, or a workbook of its type."""
    with part.local.open("rb") as file:
        head = file.read(HEAD)
    if goal.format.is_workbook:
        refuse_other_workbooks(head, _names_in(part.local) if head.startswith(ZIP) else (), what, goal.format)
        return
    kind = recognize(head, goal.format.encoding)
    if head.startswith(ZIP):
        kind = workbook(_names_in(part.local)) or kind
    if kind:
        raise kind.refusal(what)


def _unpack_zip(path: str, local: Path, folder: Path, goal: ImportGoal, warn: Callable[[str], None]) -> Iterator[Part]:
    left = allowance(local.stat().st_size)
    with zipfile.ZipFile(local) as archive:
        for number, member in enumerate(_members(archive, goal, warn)):
            part = Part(f"{path}!{member.filename}", folder / f"{local.name}.{number}.unpacked")
            with naming(part.name, path), _rejecting_damage():
                left -= _extract(archive, member, part.local, left)
                _refuse_other_kinds(part, "The member", goal)
            yield part


def _members(archive: zipfile.ZipFile, goal: ImportGoal, warn: Callable[[str], None]) -> list[zipfile.ZipInfo]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    every = tuple(dict.fromkeys(member.filename for member in members))
    if (document := workbook(every)) and not goal.format.is_workbook:
        raise document.refusal("The file")
    plain = [name.replace("\\", "/") for name in every]
    if any(name.startswith("/") or ".." in name.split("/") for name in plain):
        raise FileRejected(
            "The archive holds a member whose name leaves the archive.",
            needed="All names must be below the archive's own root.",
            remedy="Have it packed without `..` and absolute paths.",
        )
    names = frozenset(chosen(every, goal))
    left = [name for name in every if name not in names]
    if every and not names:
        raise FileRejected(
            f"No member of the archive is to be imported; left out: {_listed(left)}.",
            needed="One member must be named by `members:`; without it, one must not be a hidden or system file.",
            remedy="Correct `members:`, or have the archive packed with the file.",
        )
    if not every:
        warn("The file is empty: an archive that holds no file.")
    if left:
        warn(f"Members of the archive that are left out: {_listed(left)}.")
    return [member for member in members if member.filename in names]


def chosen(names: Sequence[str], goal: ImportGoal) -> list[str]:
    """Return the members to import, in the order of the archive, given the names of all but its folders.

    What people's computers add is never among them. Of the others, those that `members:` of the goal names. Without it,
    what describes the other members is left out, and of the rest those count that the goal's own pattern names; where
    it names none or tells none apart, those whose suffix is the most plausible for delimited text.
    """
    ordinary = [name for name in names if not _is_junk(name)]
    if goal.member_pattern is not None:
        return [name for name in ordinary if fnmatch.fnmatchcase(_last(name), goal.member_pattern)]
    rows = [name for name in ordinary if PurePosixPath(_last(name).lower()).stem not in _ABOUT] or ordinary
    named = [name for name in rows if goal.names_file(_last(name))]
    if named and not goal.names_file(_NO_NAME):
        return named
    suffixes = ((f".{goal.format.type}",),) if goal.format.is_workbook else _SUFFIXES
    by_suffix = ([name for name in rows if PurePosixPath(_last(name).lower()).suffix in some] for some in suffixes)
    return next(filter(None, by_suffix), rows)


def _is_junk(name: str) -> bool:
    *folders, last = name.replace("\\", "/").split("/")
    hidden = any(part.startswith(".") and part != "." for part in (*folders, last))
    return hidden or "__MACOSX" in folders or last.lower() in _JUNK


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(printable(name) for name in names[:_LISTED]) + more


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> int:
    if member.flag_bits & ENCRYPTED:
        raise encrypted()
    try:
        with archive.open(member) as packed:
            return _copy_bounded(packed, target, limit)
    except (NotImplementedError, RuntimeError):
        if member.compress_type not in _METHODS:
            raise
        raise unreadable_method(member.compress_type) from None


def encrypted() -> FileRejected:
    """Return the error for an archive that needs a password."""
    return FileRejected("The archive is encrypted.", remedy="Have it delivered without a password.")


def unreadable_method(number: int) -> FileRejected:
    """Return the error for an archive that is sound, but packed in a way that cannot be read."""
    return FileRejected(
        f"The archive is packed by the method {_METHODS.get(number, f'number {number}')}, which cannot be read here.",
        needed="Needed is a zip packed by Deflate, the usual method.",
        remedy="Have it packed again by that method, or delivered as gzip.",
    )


def allowance(packed: int) -> int:
    """Return how many bytes an archive of `packed` bytes may unpack to."""
    return max(FREE_ALLOWANCE, RATIO_ALLOWANCE * packed)


def _copy_bounded(source: IO[bytes] | gzip.GzipFile, target: Path, limit: int) -> int:
    size = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise FileRejected(
                    f"The archive unpacks to more than {limit:,} bytes.",
                    needed=f"At most {RATIO_ALLOWANCE} times its packed size is allowed.",
                    remedy="If it is meant, have it delivered in smaller pieces or unpacked.",
                )
            file.write(chunk)
    return size


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
        """Return at most so many bytes of its content; `FileRejected` if it cannot be read, `zlib.error` if damaged."""
        if self.flags & ENCRYPTED:
            raise encrypted()
        if self.method == _STORED:
            return self.packed[:limit]
        if self.method != _DEFLATED:
            raise unreadable_method(self.method)
        return zlib.decompressobj(wbits=-15).decompress(self.packed, limit)


def first_member(head: bytes, goal: ImportGoal) -> Begun:
    """Return the first member that an import would take; `NothingSeen` where the beginning of the archive has none."""
    members = list(_begun(head.removeprefix(_SPANNED)))
    names = chosen([member.name for member in members if not member.name.endswith("/")], goal)
    for member in members:
        if member.name in names:
            return member
    raise NothingSeen("The beginning of the archive shows no member to import; an import reads all of it.")


def _begun(head: bytes) -> Iterator[Begun]:
    at = 0
    while head[at : at + 4] == _SIGNATURE and at + _HEADER.size <= len(head):
        _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack_from(head, at)
        start = at + _HEADER.size + name_size + extra_size
        name = head[at + _HEADER.size :][:name_size].decode("utf-8" if flags & _UTF_8 else "cp437", "replace")
        end = start + packed
        if flags & _SIZE_FOLLOWS:  # the header does not say where the member ends
            stream = zlib.decompressobj(wbits=-15)
            if method == _DEFLATED:
                stream.decompress(head[start:])
            end = len(head) - len(stream.unused_data)
        yield Begun(name, flags, method, head[start:end])
        at = head.find(_SIGNATURE, end) if flags & _SIZE_FOLLOWS else end
        if at < 0:
            return
