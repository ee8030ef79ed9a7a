"""Brings a part to what the parser reads best: UTF-8, one kind of line break, its size in lines known."""

from codecs import BOM_UTF8, getincrementaldecoder, register_error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cdp_sync.errors import FileRejected
from cdp_sync.importing.head import HEAD_SIZE, Head, check_columns, read_head
from cdp_sync.importing.unpacking import CHUNK, Part
from cdp_sync.model import Format, ImportGoal

DIVIDER, NO_CELL = "\x1f", "\x1e"
"""In the text of a row: between its cells, and for a cell without a value."""

_FITS_INSTEAD = {"utf-8": "windows-1252", "utf-16": "utf-8", "windows-1252": "latin-1"}


@dataclass(frozen=True)
class Survey:
    """What a file's bytes hold, counted."""

    line_feeds: int = 0
    returns: int = 0
    pairs: int = 0
    """Of a return and a line feed."""
    nuls: int = 0
    divided: bool = False
    """A cell holds `DIVIDER` or `NO_CELL`."""
    mark: int = 0
    """Bytes of the byte order mark."""
    ends_open: bool = False
    """The last line has no line break."""
    kept_inside: bool = False
    """Between rows there are line feeds only, but values hold other line breaks, which are theirs."""

    @property
    def mixed(self) -> bool:
        """Whether line breaks are of more than one kind, or of the oldest kind."""
        return bool(self.returns) and not (self.returns == self.pairs == self.line_feeds)

    @property
    def lines(self) -> int:
        """Physical lines, if not mixed."""
        return self.line_feeds + self.ends_open

    @property
    def break_size(self) -> int:
        """Bytes of a line break, if not mixed."""
        return 2 if self.pairs and not self.kept_inside else 1


@dataclass(frozen=True)
class Landed:
    """A part that lies ready for the parser."""

    name: str
    local: Path
    head: Head
    skip: int
    """Lines of `local` before the first row: none or the header's one."""
    survey: Survey
    """What the bytes of `local` hold."""
    warnings: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that are the same in every row, and no column."""

    @property
    def body_line(self) -> int:
        """Number of the line, in the part as delivered, that the first line behind the head has."""
        return self.head.lines + 1


def land(part: Part, goal: ImportGoal, folder: Path | None = None) -> Landed | None:
    """Survey a part, and write it anew where its encoding, its line breaks or its head ask for that.

    Args:
        part: What arrived.
        goal: Whose format and fields it shall have.
        folder: Where to write; beside the part where it is not given.

    Returns:
        What lies ready; None for a part that is empty but for blank lines.

    Raises:
        FileRejected: It does not decode, or its columns do not fit the goal.
    """
    local, form = part.local, goal.format
    folder = folder or local.parent
    if form.encoding != "utf-8":
        local = _decode(local, folder, form)
    survey = survey_file(local)
    if survey.mixed:
        local, survey = _even_out(local, folder, form)
    beginning = _beginning(local)
    head = read_head(beginning, form)
    if head is None:
        return None
    head = replace(head, columns=goal.named(head.columns))
    warnings = tuple(check_columns(head, goal, beginning))
    skip = int(form.header)
    if head.lines != skip:
        local, skip = _rewrite(folder / f"{local.name}.body", _without_head(local, head)), 0
        survey = replace(survey_file(local), kept_inside=survey.kept_inside)
    return Landed(part.name, local, head, skip, survey, warnings)


def fields_of(path: Path, goal: ImportGoal) -> tuple[str, ...] | None:
    """Return the fields that a file in UTF-8 holds; None for an empty one.

    Raises:
        FileRejected: A quote in the header opens and does not close.
    """
    head = read_head(_beginning(path), goal.format)
    return goal.named(head.columns) if head else None


def survey_file(path: Path) -> Survey:
    """Count a file's line breaks and NUL bytes, and look for the characters that divide the text of a row."""
    feeds = returns = pairs = nuls = mark = 0
    divided, last = False, b""
    for chunk in _chunks(path):
        feeds += chunk.count(b"\n")
        if b"\r" in chunk:  # looking for a byte that is not there is much quicker than counting
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n")
        pairs += last == b"\r" and chunk.startswith(b"\n")
        nuls += chunk.count(b"\0") if b"\0" in chunk else 0
        divided = divided or DIVIDER.encode() in chunk or NO_CELL.encode() in chunk
        mark = mark or 3 * (last == b"" and chunk.startswith(BOM_UTF8))
        last = chunk[-1:]
    return Survey(feeds, returns, pairs, nuls, divided, mark, ends_open=last not in (b"", b"\n"))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


KEPT_RETURN = "\x01"
"""Stands for a return inside a value, in copies that are read line by line."""


def readable(path: Path, *, kept_inside: bool = False) -> Path:
    """Return a copy of a file in which question marks stand for all bytes that are not UTF-8; it has the same lines.

    Args:
        path: The file.
        kept_inside: Its values hold returns, which are to be no line breaks.
    """
    decoder = getincrementaldecoder("utf-8")(errors="cdp_sync.marked")

    def marked() -> Iterator[bytes]:
        for chunk in _chunks(path):
            text = decoder.decode(chunk)
            yield (text.replace("\r", KEPT_RETURN) if kept_inside else text).encode()
        yield decoder.decode(b"", final=True).encode()

    return _rewrite(path.with_name(f"{path.name}.readable"), marked())


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "?" * (error.end - error.start), error.end


register_error("cdp_sync.marked", _mark)


def _rewrite(target: Path, chunks: Iterator[bytes]) -> Path:
    with target.open("wb") as file:
        file.writelines(chunks)
    return target


def _decode(path: Path, folder: Path, form: Format) -> Path:
    decoder = form.codec.incrementaldecoder(errors="strict")

    def decoded() -> Iterator[bytes]:
        for chunk in _chunks(path):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()

    try:
        return _rewrite(folder / f"{path.name}.utf-8", decoded())
    except UnicodeError as error:
        raise FileRejected(
            f"The file is not {form.encoding}: {getattr(error, 'reason', 'a byte does not decode')}.",
            needed=f"Text in {form.encoding}.",
            remedy=f"Declare the encoding it has; {_FITS_INSTEAD.get(form.encoding, 'utf-8')} may fit.",
        ) from None


def _even_out(path: Path, folder: Path, form: Format) -> tuple[Path, Survey]:
    """Bring the line breaks between rows to one kind; those inside quotes stay, where quotes are in good order."""
    target = folder / f"{path.name}.lf"
    try:
        _rewrite(target, _between_rows(_chunks(path), form))
    except _StrayQuote:
        _rewrite(target, _with_line_feeds(_chunks(path)))
    survey = survey_file(target)
    return target, replace(survey, kept_inside=bool(survey.returns))


class _StrayQuote(Exception):
    """A quote opens inside a field, or never closes."""


def _between_rows(chunks: Iterator[bytes], form: Format) -> Iterator[bytes]:
    """Turn line breaks outside quotes into line feeds."""
    quote, begins = form.quote.encode(), (form.separator.encode(), b"\n", b"\r", BOM_UTF8)
    if not quote:
        yield from _with_line_feeds(chunks)
        return
    inside, before = False, b"\n"
    for number, piece in _pieces(chunks, quote):
        if number:
            if not inside and before and not before.endswith(begins):
                raise _StrayQuote
            inside, before = not inside, b""
            yield quote
        yield piece if inside else piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        before = before if inside else (before + piece)[-8:]
    if inside:
        raise _StrayQuote


def _pieces(chunks: Iterator[bytes], quote: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what stands between quotes, and whether a quote stands before it; a pair of line breaks is not torn."""
    pending = b""
    for arrived in chunks:
        chunk = pending + arrived
        pending = b"\r" if chunk.endswith(b"\r") else b""
        for number, piece in enumerate(chunk.removesuffix(b"\r").split(quote)):
            yield min(number, 1), piece
    yield 0, pending


def _with_line_feeds(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Turn every kind of line break into a line feed, also where a pair stands across two chunks."""
    pending = b""
    for arrived in chunks:
        chunk = pending + arrived
        pending = b"\r" if chunk.endswith(b"\r") else b""
        yield chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    yield b"\n" if pending else b""


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(HEAD_SIZE)
    return raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


def _without_head(path: Path, head: Head) -> Iterator[bytes]:
    with path.open("rb") as file:
        for _ in range(head.lines):
            file.readline()
        while chunk := file.read(CHUNK):
            yield chunk
