"""Normalizes a file for the CSV parser: UTF-8, the header read, one line break style where every line is a row."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.csv_header import HEAD_SIZE, Head, check_columns, read_head
from cdp_sync.importing.reading.survey import Survey, survey_body
from cdp_sync.importing.sources.archives import CHUNK, Part
from cdp_sync.model import Format, ImportGoal

_FITS_INSTEAD = {"utf-8": "windows-1252", "utf-16": "utf-8", "windows-1252": "latin-1"}

ReaderName = Literal["csv", "ndjson", "lines"]
"""What an arrival can name; a goal's format says whether a file is a workbook."""
AnyReader = ReaderName | Literal["excel"]


@dataclass(frozen=True)
class NormalizedPart:
    """A part that can be read: text in UTF-8 whose columns are known."""

    name: str
    local: Path
    head: Head
    start: int
    """Bytes of `local` before the first row."""
    survey: Survey
    """What the bytes after these hold."""
    warnings: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that are the same in every row, and no column."""
    complete: bool = True
    """Every field that the goal names is a column."""
    reader: AnyReader = "csv"
    arrays: Mapping[str, bool] = field(default_factory=dict)
    """Of JSON: the detected fields with arrays, and whether all their values are arrays."""
    relation: str = ""
    """For readers other than CSV's: the relation with the rows of `record` as text columns c1, c2 and so on."""

    @property
    def body_line(self) -> int:
        """Number of the line, in the part as delivered, that the first line after the head has."""
        return self.head.lines + 1

    @property
    def skip(self) -> int:
        """Lines of `local` before the first row of a regular part: none or the header's one."""
        return self.head.lines if self.start else 0


def normalize(part: Part, goal: ImportGoal, folder: Path | None = None) -> NormalizedPart | None:
    """Survey a part, and write it anew where its encoding or its header ask for that, in `folder` or beside it.

    Returns None for a part that is empty but for blank lines and comments.

    Raises:
        FileRejected: It does not decode, its header is malformed, or its columns do not fit the goal.
    """
    form, folder = goal.format, folder or part.local.parent
    local = in_utf_8(part, form, folder)
    beginning, mark = beginning_of(local)
    head = read_head(beginning, form)
    if head is None:
        return None
    start = mark + len(head.text.encode("utf-8", "surrogateescape"))
    if start >= HEAD_SIZE and start < local.stat().st_size:
        raise FileRejected(
            f"The header does not end within {HEAD_SIZE:,} bytes.",
            needed="The header, or the first row, must be shorter.",
            remedy="Look at the declared `quote` and `skip_rows`.",
        )
    head = replace(head, columns=goal.named(head.columns))
    warnings = tuple(check_columns(head, goal, beginning)) if head.columns else ()
    survey = survey_body(local, start, form, width=len(head.columns), header=head.header)
    counts = form.trailer and form.trailer.count_field
    if counts or head.names_separator:  # in the latter case several files may have been joined
        survey = replace(survey, regular=False)
    if survey.regular and not (head.lines == 0 or (head.lines == 1 and _breaks_alike(head, local, start))):
        local, start = _rewrite(folder / f"{local.name}.body", _after(local, start)), 0
    added = {name for processor in goal.processors for name in processor.settings.writes}
    complete = set(head.missing(goal.row_fields)) <= goal.from_elsewhere | added
    return NormalizedPart(part.name, local, head, start, survey, warnings, complete=complete)


def fields_of(path: Path, goal: ImportGoal) -> tuple[str, ...] | None:
    """Return the fields that a file in UTF-8 holds; None for an empty one.

    Raises:
        FileRejected: The header is malformed.
    """
    head = read_head(beginning_of(path)[0], goal.format)
    return goal.named(head.columns) if head else None


def _breaks_alike(head: Head, path: Path, start: int) -> bool:
    """Return whether the head ends with the line break that the rows have: then the parser can skip it."""
    with path.open("rb") as file:
        following = file.read(start + CHUNK)[start:]
    return not following or head.text.endswith("\r\n" if b"\r\n" in following else "\n")


def _rewrite(target: Path, chunks: Iterator[bytes]) -> Path:
    with target.open("wb") as file:
        file.writelines(chunks)
    return target


def in_utf_8(part: Part, form: Format, folder: Path) -> Path:
    """Return a part's text in UTF-8, written to the folder where its declared encoding is another one.

    Raises:
        FileRejected: It does not decode.
    """
    path = part.local
    if form.encoding == "utf-8":
        return path
    decoder = form.codec.incrementaldecoder(errors="strict")

    def decoded() -> Iterator[bytes]:
        for chunk in _after(path, 0):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()

    try:
        return _rewrite(folder / f"{path.name}.utf-8", decoded())
    except UnicodeError as error:
        raise FileRejected(
            f"The file is not {form.encoding}: {getattr(error, 'reason', 'a byte does not decode')}.",
            needed=f"The file must be text in {form.encoding}.",
            remedy=f"Declare the encoding it has; {_FITS_INSTEAD.get(form.encoding, 'utf-8')} may fit.",
        ) from None


def beginning_of(path: Path) -> tuple[str, int]:
    """Return the beginning of a file and the size of its byte order mark; bytes that do not decode are surrogates."""
    with path.open("rb") as file:
        raw = file.read(HEAD_SIZE)
    mark = len(BOM_UTF8) if raw.startswith(BOM_UTF8) else 0
    return raw[mark:].decode("utf-8", "surrogateescape"), mark


def _after(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            yield chunk
