r"""How text reaches a terminal, by one function: names and values of others are shown as they are, and never obeyed.

Text is never markup. A character that a terminal would not show, or would act on, becomes an escape such as `\x1b`; so
does one that the terminal's encoding lacks, so that no command fails because of what it prints.
"""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 160

_PLAIN_SIGNS = str.maketrans({"✓": "+", "✗": "x", "■": "#", "…": "...", "→": "->", "∅": "-", "⏎": "\\n", "·": "|"})
"""Our own signs, for terminals that are not UTF-8."""


class Output(Console):
    """A stream for people. Where it cannot be written, the rest is lost and the work goes on.

    Its reader may close the pipe, as `head` does, or its disk be full: neither is a reason to end with another status.
    """

    def print(self, *objects: Any, **settings: Any) -> None:  # noqa: ANN401 - what rich prints
        """Print, as rich does."""
        try:
            super().print(*objects, **settings)
        except OSError as problem:
            self.lose(problem)

    def lose(self, problem: OSError) -> None:
        """Write what follows to nowhere, and say so once, on the stream for errors."""
        self.on_broken_pipe()
        if self is not errors:
            say(f"The rest of the output is lost: {os.strerror(problem.errno or 0)}.", to=errors)

    def on_broken_pipe(self) -> None:
        """Write the rest to nowhere: neither a traceback nor another exit status."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)

    @property
    def is_unicode(self) -> bool:
        """Whether the stream takes every character."""
        return self.encoding.startswith("utf")


console = Output(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
errors = Output(stderr=True, highlight=False)

Part = str | tuple[str, str]
"""A piece of text, or one with its style, such as bold or red."""


def visible(text: str, *, lines: bool = False, to: Output = console) -> str:
    r"""Return a text in which every character is one that the stream shows.

    Args:
        text: Any text.
        lines: Its line breaks are meant; otherwise it becomes one line, so that no value looks like a line of ours.
        to: The stream.

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

    Args:
        parts: The parts.
        lines: Their line breaks are meant.
        to: The stream.
    """
    line = Text()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        line.append(visible(text, lines=lines, to=to), style)
    to.print(line, soft_wrap=True)


def print_title(text: str) -> None:
    """Print a line that begins a part of the output."""
    console.rule(Text(visible(text), "bold"), align="left")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand right, with thousands separators. The first column is never broken."""
    rows = list(rows)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float | None) for row in rows)
        table.add_column(_cell(name), justify="right" if numeric else "left", overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(_cell, row))
    console.print(table)


def _cell(value: object) -> Text:
    if value is None:
        return Text()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Text(f"{value:,}" if number else visible(str(value)))


def print_json(value: object) -> None:
    """Print a value for programs: ASCII where the stream is not UTF-8, and no character that a terminal obeys."""
    text = json.dumps(value, indent=2, default=str, ensure_ascii=not console.is_unicode)
    try:
        console.file.write(re.sub(r"[^\n -~]", _escaped, text) + "\n")
        console.file.flush()
    except BrokenPipeError:
        console.on_broken_pipe()
    except OSError as problem:
        console.lose(problem)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1] if ord(character) > 0x7F else f"\\u{ord(character):04x}"
