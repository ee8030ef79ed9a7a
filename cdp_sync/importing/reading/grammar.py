r"""The grammar of delimited text, as regular expressions that Python's `re` and DuckDB's RE2 read alike.

RFC 4180, with two additions. Blanks between a separator or a line's edge and a quote are ignored. A quote inside an
unquoted value is text where it cannot change the split: in a record of one line, all such quotes stand in one value, no
two of them side by side (`5" screen`). Anything else that RFC 4180 does not know is malformed.

A line is seen in two ways: from outside of quotes, as the beginning of a record, and from inside, as the continuation
of a value whose quote opened on an earlier line. A doubled quote never spans a line break, so lines are judged
one by one.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from cdp_sync.model import Format
from cdp_sync.warehouse import quote_literal

_SEPARATOR, _BACKSLASH, _QUOTE, _ESCAPED, _NULL, _FEED, _TAB, _RETURN, _NUL = map(chr, range(0xFDD8, 0xFDE1))

NONCHARACTERS = re.compile("[\ufdd0-\ufdef]")
"""Characters that Unicode keeps for internal use; a row of a file that holds one is rejected."""

TEXT_AFTER_QUOTE = "text after a closing quote"
QUOTE_IN_TEXT = "a quote inside an unquoted value"
NOT_CLOSED = "a quote opens and does not close"

ESCAPED_END = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
"""An odd number of backslashes at the end of a line: they escape its line break."""


@dataclass(frozen=True)
class Grammar:
    """The grammar of one declared format."""

    form: Format

    @cached_property
    def divider(self) -> str:
        """What separates cells in a prepared text: always one character."""
        return self.form.separator if len(self.form.separator) == 1 else _SEPARATOR

    @cached_property
    def _replaced(self) -> list[tuple[str, str]]:
        """What a text is replaced by before it is judged, in this order."""
        separator = self.form.separator
        pairs = [("\\\\", _BACKSLASH), ("\\" + separator, _ESCAPED), ("\\N", _NULL)]
        pairs += [("\\n", _FEED), ("\\t", _TAB), ("\\r", _RETURN), ("\\0", _NUL)]
        pairs += [("\\" + line_break, line_break) for line_break in ("\r\n", "\n", "\r")]
        pairs += [("\\" + self._escaped_quote, _QUOTE)]
        return (pairs if self.form.escape else []) + [(separator, self.divider)] * (separator != self.divider)

    @property
    def _escaped_quote(self) -> str:
        """The quote that a backslash may stand before: MySQL writes it before `"` also where nothing is quoted."""
        return self.form.quote or '"'

    @cached_property
    def _restored(self) -> list[tuple[str, str]]:
        """What stands for what in the cells of a prepared text."""
        pairs = [(_BACKSLASH, "\\"), (_ESCAPED, self.form.separator), (_NULL, "\\N")]
        pairs += [(_FEED, "\n"), (_TAB, "\t"), (_RETURN, "\r"), (_NUL, "\0"), (_QUOTE, self._escaped_quote)]
        return (pairs if self.form.escape else []) + [(_SEPARATOR, self.form.separator)] * (self.divider == _SEPARATOR)

    def prepare(self, text: str) -> str:
        """Return a text in which `divider` separates cells and marks stand for escaped characters."""
        for old, new in self._replaced:
            text = text.replace(old, new)
        return text

    def prepared(self, text: str) -> str:
        """Return the SQL expression that does the same."""
        return _replacing(text, self._replaced)

    @cached_property
    def blanks(self) -> str:
        """White space that is ignored between a separator and a quote."""
        return "".join(blank for blank in " \t" if blank not in self.form.separator and blank != self.form.quote)

    @cached_property
    def _blank(self) -> str:
        return f"[{self.blanks}]*" if self.blanks else ""

    @cached_property
    def _content(self) -> str:
        """What may stand between two quotes."""
        quote = re.escape(self.form.quote)
        return f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"

    @cached_property
    def _opened(self) -> str:
        return f"{self._blank}{re.escape(self.form.quote)}{self._content}"

    @cached_property
    def quoted(self) -> str:
        """A quoted cell, with the blanks around it."""
        return f"{self._opened}{re.escape(self.form.quote)}{self._blank}"

    @cached_property
    def _divider(self) -> str:
        return re.escape(self.divider)

    @cached_property
    def _neither(self) -> str:
        """Inside of a character class: neither separator nor quote."""
        return f"^{self._divider}{re.escape(self.form.quote)}"

    @cached_property
    def _cell(self) -> str:
        return f"(?:{self.quoted}|[{self._neither}]*)"

    @cached_property
    def _stray(self) -> str:
        """An unquoted cell in which quotes stand as text."""
        quote, neither = re.escape(self.form.quote), f"[{self._neither}]"
        return f"{self._blank}[{self._neither}{self.blanks}]{neither}*(?:{quote}{neither}+)*{quote}?"

    @cached_property
    def whole(self) -> str:
        """A record that follows RFC 4180."""
        return f"{self._cell}(?:{self._divider}{self._cell})*"

    @cached_property
    def lenient(self) -> str:
        """A record with one cell in which quotes stand as text."""
        return f"(?:{self._cell}{self._divider})*{self._stray}(?:{self._divider}{self._cell})*"

    @cached_property
    def opens(self) -> str:
        """A line whose last cell opens a quote and does not close it."""
        return f"(?:{self._cell}{self._divider})*{self._opened}"

    @cached_property
    def closes(self) -> str:
        """A line, seen from inside a quote, that closes it and ends the record."""
        return f"{self._content}{re.escape(self.form.quote)}{self._blank}(?:{self._divider}{self._cell})*"

    @cached_property
    def continues(self) -> str:
        """A line, seen from inside a quote, at whose end one is open: the same, or another."""
        return f"{self._content}|{self.closes}{self._divider}{self._opened}"

    @cached_property
    def after_quote(self) -> str:
        """A line with text after a closing quote. A quote is such text only after a blank; else it is a doubled one."""
        before = f"(?:(?:{self._cell}|{self._stray}){self._divider})*{self._opened}{re.escape(self.form.quote)}"
        follows = f"{self._blank}[{self._neither}{self.blanks}]"
        return (
            f"{before}(?:{follows}|[{self.blanks}]+{re.escape(self.form.quote)}).*"
            if self.blanks
            else f"{before}{follows}.*"
        )

    @cached_property
    def next_cell(self) -> str:
        """A cell of a record that is not malformed, with the divider before it."""
        return f"{self._divider}(?:{self.quoted}|[^{self._divider}]*)"

    @cached_property
    def _quote_first(self) -> str:
        return f"{self._divider}{self._blank}{re.escape(self.form.quote)}"

    def is_open(self, line: str) -> bool:
        """Return whether a prepared line opens a quote and does not close it."""
        return self._has_quote(line) and _matches(self.opens, line)

    def is_continued_by(self, line: str) -> bool:
        """Return whether a quote is open at the end of a prepared line that is seen from inside a quote."""
        return not self._has_quote(line) or _matches(self.continues, line)

    def is_closed_by(self, line: str) -> bool:
        """Return whether a prepared line that is seen from inside a quote ends the record."""
        return self._has_quote(line) and _matches(self.closes, line)

    def problem(self, line: str) -> str:
        """Return why a prepared line is malformed; nothing where it is a record."""
        if not self._has_quote(line) or _matches(f"{self.whole}|{self.lenient}", line):
            return ""
        return TEXT_AFTER_QUOTE if _matches(self.after_quote, line) else QUOTE_IN_TEXT

    def _has_quote(self, text: str) -> bool:
        return bool(self.form.quote) and self.form.quote in text

    def split(self, text: str) -> tuple[str, ...]:
        """Return the cells of a prepared record that is not malformed."""
        if not self.form.quote:
            return tuple(self._restore(cell) for cell in text.split(self.divider))
        return tuple(self._unquote(cell) for cell in re.findall(self.next_cell, self.divider + text))

    def _unquote(self, cell: str) -> str:
        quote = self.form.quote
        if not re.match(self._quote_first, cell):
            return self._restore(cell[1:])
        return self._restore(cell[1:].strip(self.blanks)[1:-1].replace(quote * 2, quote))

    def _restore(self, cell: str) -> str:
        for mark, text in self._restored:
            cell = cell.replace(mark, text)
        return cell

    def split_sql(self, text: str, quoted: str) -> str:
        """Return the SQL expression for the cells of a prepared record that is not malformed.

        `quoted` is the condition that the text holds a quote. `cell_sql` brings each cell of the list to its text.
        """
        plain = f"string_split({text}, {quote_literal(self.divider)})"
        return f"case when {quoted} then {self._split_quoted(text)} else {plain} end" if self.form.quote else plain

    def _split_quoted(self, text: str) -> str:
        quote, divider = quote_literal(self.form.quote), quote_literal(self.divider)
        inner = f"trim(cell[2:], {quote_literal(self.blanks)})[2:-2]"
        inner = f"replace({inner}, {quote} || {quote}, {quote})"
        if self.form.escape:
            inner = f"replace({inner}, {quote_literal(_NULL)}, '\\N')"
        value = (
            f"case when regexp_matches(cell, {quote_literal('^' + self._quote_first)}) then {inner} else cell[2:] end"
        )
        cells = f"regexp_extract_all({divider} || {text}, {quote_literal(self.next_cell)})"
        return f"list_transform({cells}, lambda cell: {value})"

    def text_sql(self, cell: str) -> str:
        """Return the SQL expression for a cell's text."""
        return _replacing(cell, self._restored)

    def cell_sql(self, cell: str) -> str:
        """Return the SQL expression for a cell's text, null where it has no value."""
        if self.form.escape:
            cell = f"nullif({cell}, {quote_literal(_NULL)})"
        cell = self.text_sql(cell)
        for word in self.form.nulls:
            cell = f"nullif({cell}, {quote_literal(word)})"
        return cell

    def count_sql(self, text: str, quoted: str) -> str:
        """Return the SQL expression for the number of cells of a prepared record that is not malformed."""
        divider = quote_literal(self.divider)
        plain = f"1 + (strlen({text}) - strlen(replace({text}, {divider}, ''))) // {len(self.divider.encode())}"
        if not self.form.quote:
            return plain
        cells = f"len(regexp_extract_all({divider} || {text}, {quote_literal(self.next_cell)}))"
        return f"case when {quoted} then {cells} else {plain} end"


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _replacing(sql: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        new_literal = "chr(0)" if new == "\0" else quote_literal(new)
        sql = f"replace({sql}, {quote_literal(old)}, {new_literal})"
    return sql
