"""From the bytes of a file to its delimited texts."""

import fnmatch
import gzip
import io
import re
import zipfile

from cdp_sync.model import FileGoal
from cdp_sync_tests.oracle.row import FileFails

OTHERS = {
    b"PK": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old or encrypted Office document",
    b"-----BEGIN PGP": "a PGP message",
    b"<!DOCTYPE": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML document",
    b"PAR1\x15": "a Parquet file",
}
"""First bytes of files that are not text."""


def unpack(path: str, content: bytes, goal: FileGoal) -> list[tuple[str, bytes]]:
    """Return the file with its path, or the selected members of an archive."""
    if content.startswith(b"\x1f\x8b"):
        inner = gzip.decompress(content)
        refuse_others("the content", inner, goal)
        return [(path, inner)]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return unzip(path, archive, goal)
    refuse_others("the file", content, goal)
    return [(path, content)]


def unzip(path: str, archive: zipfile.ZipFile, goal: FileGoal) -> list[tuple[str, bytes]]:
    """Return the selected members."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if "[Content_Types].xml" in names:
        raise FileFails("an Excel workbook")
    chosen = selected_members(names, goal)
    if names and not chosen:
        raise FileFails(f"no member is to be imported; left out: {', '.join(names)}")
    for name in chosen:
        if archive.getinfo(name).compress_type not in (0, 8, 12, 14):
            raise FileFails(f"{path}!{name}: the method cannot be read")
        refuse_others(f"{path}!{name}: the member", archive.read(name), goal)
    return [(f"{path}!{name}", archive.read(name)) for name in chosen]


def selected_members(names: list[str], goal: FileGoal) -> list[str]:
    """Return the names of the members that the goal selects."""
    last = {name: name.split("/")[-1] for name in names}
    names = [name for name in names if not re.search(r"(^|/)\.[^/]|__MACOSX/|(Thumbs\.db|desktop\.ini)$", name)]
    if goal.members:
        return [name for name in names if fnmatch.fnmatchcase(last[name], goal.members)]
    data = [name for name in names if not last[name].lower().startswith(("readme", "license", "manifest"))]
    names = data or names
    pattern = goal.files_regex or fnmatch.translate(goal.files or "*")
    own = [name for name in names if re.fullmatch(pattern, last[name])]
    if own and pattern not in (fnmatch.translate("*"), ".*"):
        return own
    for suffix in (r"\.(csv|tsv|psv)$", r"\.(dat|asc|txt)$", r"^[^.]*$"):
        if likely := [name for name in names if re.search(suffix, last[name].lower())]:
            return likely
    return names


def refuse_others(what: str, content: bytes, goal: FileGoal) -> None:
    """Raise FileFails for content that is not text in the declared encoding."""
    for beginning, name in OTHERS.items():
        if content.startswith(beginning):
            raise FileFails(f"{what} is {name}")
    if content[257:262] == b"ustar":
        raise FileFails(f"{what} is a tar archive")
    wide = goal.format.encoding.startswith(("utf-16", "utf-32"))
    if not wide and (content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:200].count(b"\0") > 20):
        raise FileFails(f"{what} is text in UTF-16")
    if goal.format.encoding != "utf-8" and content.startswith(b"\xef\xbb\xbf"):
        raise FileFails(f"{what} is text in UTF-8")
    if wide and len(content) > 4 and b"\0" not in content:
        raise FileFails(f"{what} is text of one byte for a letter")
