r"""Writes text to a terminal. Names and values from outside are shown as they are; they never control the terminal.

Text is never markup. A control character, or one that is not shown, becomes an escape such as `\x1b`; so
does one that the terminal's encoding lacks, so that no command fails because of what it prints. Rich is imported only
for tables.
"""

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.text import Text

_PIPED_WIDTH = 160

_PLAIN_SIGNS = str.maketrans(
    {"✓": "+", "✗": "x", "■": "#", "…": "...", "→": "->", "∅": "-", "⏎": "\\n", "·": "|", "─": "-"}
)
"""Our own signs, for terminals that are not UTF-8."""


class Output:
    """A stream for people. Where it cannot be written, the rest is discarded and the work goes on.

    Its reader may close the pipe, as `head` does, or its disk be full: neither is a reason to end with another status.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def file(self) -> TextIO:
        """The stream as it is now."""
        stream: TextIO = getattr(sys, self._name)
        return stream

    @property
    def encoding(self) -> str:
        """The stream's encoding."""
        return (self.file.encoding or "utf-8").lower()

    @property
    def is_unicode(self) -> bool:
        """Whether the stream takes every character."""
        return self.encoding.startswith("utf")

    @property
    def is_terminal(self) -> bool:
        """Whether the stream is a terminal."""
        return self.file.isatty()

    @property
    def is_coloured(self) -> bool:
        """Whether the stream shows styles; NO_COLOR and TERM=dumb say that it does not."""
        return self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")

    @property
    def width(self) -> int:
        """Columns of the terminal; as many as a table may take where there is none."""
        return shutil.get_terminal_size().columns if self.is_terminal else _PIPED_WIDTH

    def write(self, text: str) -> None:
        """Write a text, styles included, and flush it."""
        try:
            self.file.write(text)
            self.file.flush()
        except BrokenPipeError:
            self._discard()
        except OSError as problem:
            self._discard()
            if self is not errors:
                say(f"The rest of the output is lost: {os.strerror(problem.errno or 0)}.", to=errors)

    def _discard(self) -> None:
        """Send what follows to /dev/null, so that neither a traceback nor another exit status follows."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


console = Output("stdout")
errors = Output("stderr")

Part = str | tuple[str, str]
"""A piece of text, or one with its style: bold, or a colour."""


def visible(text: str, *, lines: bool = False, to: Output = console) -> str:
    r"""Return a text in which every character is one that the stream shows.

    With `lines` its line breaks are meant; otherwise it becomes one line, so that no value looks like a line of ours.

    >>> visible("a\x1b[31mb\u202e\nc")
    'a\\x1b[31mb\\u202e⏎c'
    """
    if not text.isprintable():
        line_break = "\n" if lines else "⏎"
        text = "".join(line_break if each == "\n" else _shown(each) for each in text)
    if not (text.isascii() or to.is_unicode):
        text = text.translate(_PLAIN_SIGNS).encode(to.encoding, "backslashreplace").decode(to.encoding)
    return text


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def say(*parts: Part, lines: bool = False, to: Output = console) -> None:
    """Print a line of parts, each a text or a text with its style. The terminal wraps it; nothing in it is markup.

    With `lines` the line breaks in the parts are meant.
    """
    line = ""
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        text = visible(text, lines=lines, to=to)
        if style and to.is_coloured:
            text = click.style(text, bold=style == "bold" or None, fg=None if style == "bold" else style)
        line += text
    to.write(f"{line}\n")


def print_error(text: str) -> None:
    """Say in one paragraph what went wrong."""
    say(("Error:", "red"), f" {text}", lines=True, to=errors)


def print_title(text: str) -> None:
    """Print a line that begins a part of the output."""
    say((f"{text} ", "bold"), "─" * max(console.width - len(text) - 1, 0))


def fits(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Return whether a table is shown without breaking a word; the cells of the first column are never broken."""
    cells = [tuple(map(str, columns)), *(tuple(str(_cell(each)) for each in row) for row in rows)]
    first, *others = zip(*cells, strict=True)
    words = (max(len(word) for cell in column for word in cell.split() or [""]) for column in others)
    return max(map(len, first)) + sum(2 + width for width in words) <= console.width


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand right, with thousands separators. The first column is never broken."""
    from rich.console import Console
    from rich.table import Table

    rows = list(rows)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float | None) for row in rows)
        table.add_column(_cell(name), justify="right" if numeric else "left", overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(_cell, row))
    page = StringIO()
    Console(file=page, width=console.width, force_terminal=console.is_coloured, highlight=False).print(table)
    console.write(page.getvalue())


def _cell(value: object) -> "Text":
    from rich.text import Text

    if value is None:
        return Text()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Text(f"{value:,}" if number else visible(str(value)))


def print_json(value: object) -> None:
    """Print a value for programs: ASCII where the stream is not UTF-8, and no control character."""
    text = json.dumps(value, indent=2, default=str, ensure_ascii=not console.is_unicode)
    console.write(re.sub(r"[^\n -~]", _escaped, text) + "\n")


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1] if ord(character) > 0x7F else f"\\u{ord(character):04x}"
