"""Surveys the bytes of a part: is every line one row with all its cells, so that any parser reads it alike?

DuckDB's parser can lose rows without a word: an opening quote that never closes swallowed 185,000 rows of a file of
two million, and the trailing empty cells of a row with too many fields vanish. So it gets parts that are *regular*,
where nothing is left to judge, and `records` reads the others. The survey passes over the bytes once, at the speed of
the C library: `translate` leaves the characters that structure a text, and those of a regular part repeat one pattern.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cdp_sync.importing.reading.grammar import Grammar
from cdp_sync.importing.sources.archives import CHUNK
from cdp_sync.model import Format

DIVIDER, NO_CELL = "\x1f", "\x1e"
"""In the text of a row: between its cells, and for a cell without a value."""

_LONGEST = 2_000_000
"""Bytes of a line that DuckDB's parser takes."""

_LOOKED_AT = 20
"""Names of a header that are tried as the part that every repetition of it holds."""


@dataclass(frozen=True)
class Survey:
    """What the bytes of a part hold after the head."""

    regular: bool = False
    """Every line is one row with as many cells as there are columns, and nothing in it is set aside."""
    lines: int = 0
    """Lines of a regular part."""
    nuls: bool = False
    divided: bool = False
    """A cell holds `DIVIDER` or `NO_CELL`."""


def survey_body(path: Path, start: int, form: Format, *, width: int, header: str) -> Survey:
    """Survey a file in UTF-8 from its first row on; a regular row has `width` cells and differs from the header."""
    shape = _Shape(form, width, header)
    regular, nuls, divided = shape.may_be_regular, False, False
    for chunk in _whole_lines(path, start):
        nuls = nuls or b"\0" in chunk or bool(form.escape and b"\\0" in chunk)
        divided = divided or DIVIDER.encode() in chunk or NO_CELL.encode() in chunk
        regular = regular and shape.fits(chunk)
    return Survey(regular, shape.lines, nuls, divided)


def _whole_lines(path: Path, start: int) -> Iterator[bytes]:
    """Yield a file in chunks that end with a line feed, but for the last one and those that hold no line feed."""
    pending = b""
    with path.open("rb") as file:
        file.seek(start)
        while read := file.read(CHUNK):
            end = read.rfind(b"\n") + 1
            if end or len(pending) > _LONGEST:
                yield pending + read[:end]
                pending = b""
            pending += read[end:]
    if pending:
        yield pending


class _Shape:
    """The pattern that a regular part repeats. Its line breaks are of one kind, given by the first chunk."""

    def __init__(self, form: Format, width: int, header: str) -> None:
        self._separator, self._quote = form.separator.encode(), form.quote.encode()
        self._width = width
        # Bytes that do not structure a text.
        self._others = bytes(set(range(256)) - set(self._separator + self._quote + b"\n\r\x1a"))
        self._break = b""
        self.lines = 0
        texts = (form.comment, form.trailer and form.trailer.begins_with)
        self._set_aside = [text.encode() for text in texts if text]
        self._repeated = _repeated_header(header, form, width) if header else None
        self._escapes = form.escape is not None
        one_byte = len(self._separator) == 1 and len(self._quote) <= 1
        self.may_be_regular = one_byte and width > 0 and form.record_type is None

    def fits(self, chunk: bytes) -> bool:
        """Return whether a chunk of whole lines is regular, and count its lines."""
        self._break = self._break or (b"\r\n" if b"\r" in chunk else b"\n")
        chunk = chunk if chunk.endswith(b"\n") else chunk + self._break
        if self._holds_exceptions(chunk):
            return False
        if self._break == b"\r\n" and chunk.count(b"\r\n") != chunk.count(b"\r"):
            return False
        skeleton = chunk.translate(None, self._others)
        if self._quote and self._quote in skeleton:
            skeleton = self._outside_quotes(chunk, skeleton)
        line = self._separator * (self._width - 1) + self._break
        lines = len(skeleton) // len(line)
        self.lines += lines
        return bool(lines) and skeleton == line * lines

    def _holds_exceptions(self, chunk: bytes) -> bool:
        part, beginnings = self._repeated or (b"", [])
        repeated = beginnings if part in chunk else []
        # One byte is looked for ten times as quickly as several are.
        marks = [BOM_UTF8] * (BOM_UTF8[:1] in chunk)
        if any(chunk.startswith(text) or b"\n" + text in chunk for text in (*self._set_aside, *marks, *repeated)):
            return True
        if self._escapes and b"\\" in chunk:
            return True
        return not chunk.isascii() and (b"\xef\xb7" in chunk or not _is_utf_8(chunk))

    def _outside_quotes(self, chunk: bytes, skeleton: bytes) -> bytes:
        """Return what of the skeleton stands outside of quotes; nothing where the quotes are not in good order.

        Every opening quote follows a separator or a line break, every closing one precedes one, and a closing quote
        directly before an opening one is a doubled quote. Every quoted value ends on its line.
        """
        text, (quote,) = np.frombuffer(chunk, np.uint8), self._quote
        places = np.flatnonzero(text == quote)
        edge = np.zeros(256, bool)
        edge[list(self._separator + self._quote + b"\n\r")] = True
        # The byte before the first one is the last one: a line feed.
        well_placed = edge[text[places[::2] - 1]].all() and edge[text[places[1::2] + 1]].all()
        if len(places) % 2 or not well_placed:
            return b""
        structure = np.frombuffer(skeleton, np.uint8)
        quotes = structure == quote
        inside = np.cumsum(quotes, dtype=np.uint8) & 1 == 1
        if np.isin(structure[inside], list(b"\n\r\x1a")).any():
            return b""
        outside: bytes = structure[~(inside | quotes)].tobytes()
        return outside


def _repeated_header(header: str, form: Format, width: int) -> tuple[bytes, list[bytes]]:
    """Return a part of the header, and how lines begin that may be the header again, with other quotes or blanks.

    The part is the longest name that can be written in one way only: the longer, the sooner it is seen to be absent.
    """
    grammar, quote = Grammar(form), form.quote
    names = [name.strip() for name in grammar.split(grammar.prepare(header))]
    longest = sorted(names, key=len, reverse=True)[:_LOOKED_AT]
    as_written = (name for name in longest if name in header and not (quote and quote in name))
    part, name = next(as_written, ""), names[0]
    ends = (*((form.separator,) if width > 1 else ("\r", "\n")), " ", "\t")
    beginnings = [header, f" {name}", f"\t{name}", *(name + end for end in ends)]
    beginnings += [quote + name + quote] if quote else []
    return part.encode(), [text.encode() for text in beginnings]


def _is_utf_8(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True
