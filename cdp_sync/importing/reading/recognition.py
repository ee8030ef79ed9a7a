"""What a file is by its first bytes, whatever its name, where that is something else than text in its encoding."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from cdp_sync.errors import FileRejected
from cdp_sync.model import Format

HEAD = 4096
"""Bytes at the beginning that identify a file."""

GZIP = b"\x1f\x8b"
ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\10")
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Before 2007, and around what a password protects."""

_TEXT = "Needed is delimited text, plain or packed once as gzip or zip."
_PACK = "Have it delivered unpacked, or packed as gzip or zip."
_EXPORT = "Have it exported as CSV."
_WORKBOOK = "Have it exported as CSV, or declare `format: {{type: {}}}`, which reads the first sheet."
_SENDER = "Ask the sender for the file itself, as CSV: servers send such pages in place of one."
_DECRYPT = "Have it delivered without encryption; SFTP encrypts on the way."

_BY_PREFIX = (
    (GZIP, "a gzip archive", _PACK),
    *((prefix, "a zip archive", _PACK) for prefix in ZIP),
    (
        COMPOUND,
        "an old or encrypted Office document, such as an Excel workbook (.xls)",
        _WORKBOOK.format("xls"),
    ),
    (b"\xfd7zXZ\0", "an xz archive", _PACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _PACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _PACK),
    (b"Rar!\x1a\7", "a rar archive", _PACK),
    (b"\x04\x22\x4d\x18", "an lz4 archive", _PACK),
    (b"\x1f\x9d", "a file packed by compress (.Z)", _PACK),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"PAR1\x15", "a Parquet file", _EXPORT),
    (b"ARROW1\0", "an Arrow file", _EXPORT),
    (b"Obj\1", "an Avro file", _EXPORT),
    (b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (b"\x89PNG\r\n", "an image", _EXPORT),
    (b"\xff\xd8\xff", "an image", _EXPORT),
)
_BY_PATTERN = (
    (rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)", "a bzip2 archive", _PACK),
    # Packets that an encrypted message begins with: RFC 9580, sections 4.2, 5.1, 5.2 and 5.6.
    (rb"\x85..\x03|\x84.\x03|\xc1(.|[\xc0-\xdf].)[\x03\x06]", "a file encrypted with PGP", _DECRYPT),
    (rb"[\x8c\xc3][\x04-\x7f][\x04-\x06][\x00-\x0d]", "a file encrypted with PGP", _DECRYPT),
    (rb"\xa3[\x01-\x03]", "a file packed or signed with PGP", _DECRYPT),
)
_BY_FIRST_WORDS = (
    (r"-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----", "a PGP message", _DECRYPT),
    (r"<!doctype html|<(html|head|body|table|meta)\b", "an HTML page", _SENDER),
    (r"<\?xml\b", "an XML document", _EXPORT),
)
_MARKS = (  # those of UTF-32 first: one of them begins as one of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_BIG_ENDIAN_MARKS = (codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_PLACES_OF_ZEROS = {"utf-32-le": (1, 2, 3), "utf-32-be": (0, 1, 2), "utf-16-le": (1, 3), "utf-16-be": (0, 2)}
"""Of four bytes of letters of ours, which are zeros."""
_SOME, _FEW = 0.1, 0.02
"""Shares of the bytes in one place: in other alphabets, separators and line breaks are the only letters of ours."""
_FIRST_NAMES = 64
"""Bytes of a header, looked at by themselves."""


@dataclass(frozen=True)
class Kind:
    """What a file is."""

    name: str
    """With its article."""
    remedy: str

    def refusal(self, what: str) -> FileRejected:
        """Return the error for it; `what` names the file, such as "The file"."""
        return FileRejected(f"{what} is {self.name}.", needed=_TEXT, remedy=self.remedy)


def recognize(head: bytes, encoding: str) -> Kind | None:
    """Return what a file is, given its first `HEAD` bytes; None where it may be text in the declared encoding."""
    if head[257:262] == b"ustar":
        return Kind("a tar archive", _PACK)
    words = head.removeprefix(codecs.BOM_UTF8).lstrip()[:64].decode("latin-1")
    found = chain(
        (Kind(name, remedy) for prefix, name, remedy in _BY_PREFIX if head.startswith(prefix)),
        (Kind(name, remedy) for shape, name, remedy in _BY_PATTERN if re.match(shape, head, re.DOTALL)),
        (Kind(name, remedy) for shape, name, remedy in _BY_FIRST_WORDS if re.match(shape, words, re.IGNORECASE)),
    )
    return next(found, None) or _marked(head, encoding) or _unmarked(head, encoding)


def _marked(head: bytes, encoding: str) -> Kind | None:
    mark, name = next((pair for pair in _MARKS if head.startswith(pair[0])), (b"", ""))
    order = "le" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE) else "be"
    return _other_text(name) if name and encoding not in (name, f"{name}-{order}") else None


def _unmarked(head: bytes, encoding: str) -> Kind | None:
    """Go by the zeros that letters have in UTF-16 and UTF-32, and in no other encoding."""
    if encoding in _WIDE and len(head) > 4 and b"\0" not in head:  # not even in a separator or a line break
        return Kind("text of one byte for a letter", "Declare the encoding it has; utf-8 may fit.")
    found = _order_of_zeros(head[:_FIRST_NAMES]) or _order_of_zeros(head)
    # Without a mark, Python reads utf-16 and utf-32 as little-endian.
    alike = (found, found[:6]) if found.endswith("le") or head.startswith(_BIG_ENDIAN_MARKS) else (found,)
    return _other_text(found) if found and encoding not in alike else None


def _order_of_zeros(head: bytes) -> str:
    """Return the encoding whose letters have zeros in these places; empty where they are elsewhere, or few."""
    quarter = len(head) // 4
    shares = [head[start::4].count(0) / max(quarter, 1) for start in range(4)]
    for name, places in _PLACES_OF_ZEROS.items():
        if quarter > 1 and all(shares[at] > _SOME if at in places else shares[at] < _FEW for at in range(4)):
            return name
    return ""


def _other_text(encoding: str) -> Kind:
    return Kind(f"text in {encoding.upper()}", f"Declare `encoding: {encoding}`.")


def workbook(names: Iterable[str]) -> Kind | None:
    """Return what a zip archive is that holds members of these names; None for one that holds files."""
    parts = {name.partition("/")[0] for name in names}
    if "[Content_Types].xml" not in parts and not {"mimetype", "META-INF"} <= parts:
        return None
    if "xl" in parts:
        return Kind("an Excel workbook (.xlsx)", _WORKBOOK.format("xlsx"))
    known = (("word", "a Word document (.docx)"), ("ppt", "a presentation"))
    return Kind(next((name for folder, name in known if folder in parts), "an Office document"), _EXPORT)


def refuse_other_workbooks(head: bytes, names: Iterable[str], what: str, form: Format) -> None:
    """Make sure that a file is a workbook of the declared type, given its beginning and, of a zip, its names.

    Raises:
        FileRejected: It is something else.
    """
    is_zip_workbook = workbook(names) is not None
    if head.startswith(COMPOUND) or (is_zip_workbook and form.type == "xlsx"):
        return  # an old workbook, or one that a password protects: the reader tells them apart
    if is_zip_workbook:
        raise FileRejected(f"{what} is an Excel workbook (.xlsx).", remedy="Declare `format: {type: xlsx}`.")
    kind = recognize(head, "utf-8")
    raise FileRejected(
        f"{what} is {kind.name if kind else 'delimited text, or something else'}, and no Excel workbook.",
        needed=f"Needed is an Excel workbook (.{form.type}), plain or packed once as gzip or zip.",
        remedy="Have it saved as a workbook, or declare `format: {type: csv}`.",
    )
