"""Reading one record of delimited text, character by character."""

from dataclasses import dataclass, field

from cdp_sync.model import Format
from cdp_sync_tests.oracle.row import Cell


@dataclass
class Line:
    """A line and its line break. With escaped line breaks it spans several physical lines."""

    number: int
    text: str
    line_break: str
    height: int = 1


@dataclass
class Scanned:
    """The outcome of reading a record from the beginning of a line."""

    cells: list[Cell] = field(default_factory=list)
    raw: str = ""
    lines: int = 1
    """The number of lines of the record."""
    problem: str = ""


AFTER_QUOTE = "text after a closing quote"
STRAY = "a quote inside an unquoted value"
NOT_CLOSED = "a quote opens and does not close"

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def physical_lines(text: str) -> list[Line]:
    """Split a text at each kind of line break."""
    lines, start, position = [], 0, 0
    while position < len(text):
        if text[position] not in "\r\n":
            position += 1
            continue
        size = 2 if text[position : position + 2] == "\r\n" else 1
        lines.append(Line(len(lines) + 1, text[start:position], text[position : position + size]))
        position += size
        start = position
    if start < len(text):
        lines.append(Line(len(lines) + 1, text[start:], ""))
    return lines


def logical_lines(lines: list[Line], fmt: Format) -> list[Line]:
    """Join each line whose line break is escaped with the next."""
    if not fmt.escape:
        return lines
    joined: list[Line] = []
    open_end = False
    for line in lines:
        if open_end:
            last = joined[-1]
            joined[-1] = Line(last.number, last.text + last.line_break + line.text, line.line_break, last.height + 1)
        else:
            joined.append(line)
        backslashes = len(line.text) - len(line.text.rstrip("\\"))
        open_end = backslashes % 2 == 1 and not (fmt.comment and line.text.startswith(fmt.comment))
    return joined


def scan(lines: list[Line], fmt: Format) -> Scanned:
    """Read the record that begins with the first line."""
    scanner = Scanner(fmt)
    for count, line in enumerate(lines, start=1):
        height = sum(one.height for one in lines[:count])
        if height > fmt.max_record_lines:
            return Scanned([], lines[0].text, 1, too_many(fmt) if count == 1 or closes(lines, fmt) else NOT_CLOSED)
        scanner.read(line.text)
        if scanner.problem:
            return Scanned([], lines[0].text, 1, scanner.problem if count == 1 else NOT_CLOSED)
        if scanner.place != "quoted":
            raw = "".join(one.text + one.line_break for one in lines[: count - 1]) + line.text
            return Scanned(scanner.cells, raw, count)
        if scanner.text_quotes:
            return Scanned([], lines[0].text, 1, STRAY if count == 1 else NOT_CLOSED)
        scanner.value += line.line_break
    return Scanned([], lines[0].text, 1, NOT_CLOSED)


def closes(lines: list[Line], fmt: Format) -> bool:
    """Return whether the record is complete without the limit on lines."""
    return not scan(lines, fmt.model_copy(update={"max_record_lines": 10**9})).problem


def too_many(fmt: Format) -> str:
    """Return the reason for a record with too many lines."""
    return f"a record of more than {fmt.max_record_lines} line{'s' * (fmt.max_record_lines > 1)}"


class Scanner:
    """Reads a record line by line. `place` is the state between two characters."""

    def __init__(self, fmt: Format) -> None:
        """Start a record."""
        self.fmt = fmt
        self.blanks = [blank for blank in " \t" if blank not in fmt.separator and blank != fmt.quote]
        self.cells: list[Cell] = []
        self.place = "begin"
        self.value = ""
        self.written = ""
        self.text_quotes: list[int] = []
        """The number of the cell of each quote that is text."""
        self.adjacent_quotes = False
        self.was_quote = False
        self.problem = ""

    def read(self, text: str) -> None:
        """Read the characters of one line."""
        self.was_quote = False
        first = not self.cells and self.place == "begin"
        while text and not self.problem:
            text = self.step(text)
        if self.place == "quoted" or self.problem:
            return
        self.end_cell()
        self.place = "end"
        if self.adjacent_quotes or len(set(self.text_quotes)) > 1 or (self.text_quotes and not first):
            self.problem = STRAY

    def step(self, text: str) -> str:
        """Read one character or one token; return the rest."""
        if self.fmt.escape and text.startswith("\\") and (taken := self.escape(text)):
            return text[taken:]
        if self.place != "quoted" and text.startswith(self.fmt.separator):
            self.end_cell()
            return text[len(self.fmt.separator) :]
        if self.fmt.quote and text.startswith(self.fmt.quote):
            return self.read_quote(text)
        self.add(text[0], blank=text[0] in self.blanks)
        return text[1:]

    def read_quote(self, text: str) -> str:
        """Read a quote that opens or closes a cell, is doubled, or is text."""
        quote = self.fmt.quote
        if self.place == "quoted":
            if text[1:].startswith(quote):
                self.value += quote
                return text[2:]
            self.place = "closed"
        elif self.place == "begin":
            self.place, self.value = "quoted", ""
        elif self.place == "closed":
            self.after_quote()
        else:
            self.adjacent_quotes = self.adjacent_quotes or self.was_quote
            self.text_quotes.append(len(self.cells))
            self.value += quote
            self.was_quote = True
            return text[1:]
        self.was_quote = False
        return text[1:]

    def add(self, text: str, *, blank: bool = False) -> None:
        """Add text to the cell."""
        self.was_quote = False
        if self.place == "closed":
            if not blank:
                self.after_quote()
            return
        if self.place == "begin" and not blank:
            self.place = "unquoted"
        self.value += text

    def after_quote(self) -> None:
        """Record the problem of text after a closing quote."""
        self.problem = STRAY if self.adjacent_quotes else AFTER_QUOTE

    def escape(self, text: str) -> int:
        """Read an escape sequence; return its length, or 0 if the backslash is text."""
        after = text[1:]
        if after[:2] == "\r\n":
            self.add("\r\n")
            return 3
        if after[:1] in ("\n", "\r"):
            self.add(after[0])
            return 2
        if after.startswith(self.fmt.separator):
            self.add(self.fmt.separator)
            return 1 + len(self.fmt.separator)
        if after.startswith(quote := self.fmt.quote or '"'):
            self.add(quote)
            return 2
        if after[:1] in ESCAPES and after:
            self.add(ESCAPES[after[0]])
            return 2
        if after.startswith("N"):
            alone = self.place == "begin" and not self.value
            self.add("\\N")
            self.written = "\\N" if alone else ""
            return 2
        return 0

    def end_cell(self) -> None:
        r"""End the cell. An unquoted `\N` is no value."""
        nothing = self.place == "unquoted" and self.written == "\\N" == self.value
        self.cells.append(None if nothing else self.value)
        self.place, self.value, self.written, self.was_quote = "begin", "", "", False
