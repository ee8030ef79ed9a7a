r"""The grammar of delimited text, as regular expressions that Python's `re` and DuckDB's RE2 read alike.

RFC 4180, with two additions. Blanks between a separator or a line's edge and a quote are ignored. A quote inside an
unquoted value is text where it cannot change the split: in a record of one line, all such quotes stand in one value, no
two of them side by side (`5" screen`). Anything else that RFC 4180 does not know is malformed.

A line is seen in two ways: from outside of quotes, as the beginning of a record, and from inside, as the continuation
of a value whose quote opened on an earlier line. A doubled quote never spans a line break, so lines are judged
one by one.
"""

import re

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


class Grammar:
    """The grammar of one declared format."""

    def __init__(self, form: Format) -> None:
        self.form = form
        separator, quote = form.separator, re.escape(form.quote)
        # In a prepared text, always one character separates cells.
        self.divider = separator if len(separator) == 1 else _SEPARATOR
        self._set_marks()
        # White space that is ignored between a separator and a quote.
        self.blanks = "".join(blank for blank in " \t" if blank not in separator and blank != form.quote)
        blank, divider = f"[{self.blanks}]*" if self.blanks else "", re.escape(self.divider)
        # Inside of a character class: neither separator nor quote.
        neither = f"^{divider}{quote}"
        # What may stand between two quotes.
        content = f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"
        opened = f"{blank}{quote}{content}"
        # A quoted cell, with the blanks around it.
        quoted = f"{opened}{quote}{blank}"
        cell = f"(?:{quoted}|[{neither}]*)"
        # An unquoted cell in which quotes stand as text.
        stray = f"{blank}[{neither}{self.blanks}][{neither}]*(?:{quote}[{neither}]+)*{quote}?"
        # A record that follows RFC 4180.
        self.whole = f"{cell}(?:{divider}{cell})*"
        # A record with one cell in which quotes stand as text.
        self.lenient = f"(?:{cell}{divider})*{stray}(?:{divider}{cell})*"
        # A line whose last cell opens a quote and does not close it.
        self.opens = f"(?:{cell}{divider})*{opened}"
        # A line, seen from inside a quote, that closes it and ends the record.
        self.closes = f"{content}{quote}{blank}(?:{divider}{cell})*"
        # A line, seen from inside a quote, at whose end one is open: the same, or another.
        self.continues = f"{content}|{self.closes}{divider}{opened}"
        # A line with text after a closing quote. A quote is such text only after a blank; else it is a doubled one.
        before = f"(?:(?:{cell}|{stray}){divider})*{opened}{quote}"
        follows = f"{blank}[{neither}{self.blanks}]"
        after = f"(?:{follows}|[{self.blanks}]+{quote})" if self.blanks else follows
        self.after_quote = f"{before}{after}.*"
        # A cell of a record that is not malformed, with the divider before it.
        self.next_cell = f"{divider}(?:{quoted}|[^{divider}]*)"
        self._quote_first = f"{divider}{blank}{quote}"

    def _set_marks(self) -> None:
        """Set what a text is replaced by before it is judged, in this order, and what its cells are restored by."""
        separator, escape = self.form.separator, bool(self.form.escape)
        # MySQL writes a backslash before `"` also where nothing is quoted.
        quote = self.form.quote or '"'
        replaced = [("\\\\", _BACKSLASH), ("\\" + separator, _ESCAPED), ("\\N", _NULL)]
        replaced += [("\\n", _FEED), ("\\t", _TAB), ("\\r", _RETURN), ("\\0", _NUL)]
        replaced += [("\\" + line_break, line_break) for line_break in ("\r\n", "\n", "\r")]
        replaced += [("\\" + quote, _QUOTE)]
        self._replaced = replaced * escape + [(separator, self.divider)] * (separator != self.divider)
        restored = [(_BACKSLASH, "\\"), (_ESCAPED, separator), (_NULL, "\\N")]
        restored += [(_FEED, "\n"), (_TAB, "\t"), (_RETURN, "\r"), (_NUL, "\0"), (_QUOTE, quote)]
        self._restored = restored * escape + [(_SEPARATOR, separator)] * (self.divider == _SEPARATOR)

    def prepare(self, text: str) -> str:
        """Return a text in which `divider` separates cells and marks stand for escaped characters."""
        for old, new in self._replaced:
            text = text.replace(old, new)
        return text

    def prepared(self, text: str) -> str:
        """Return the SQL expression that does the same."""
        return _replacing(text, self._replaced)

    def matches(self, pattern: str, line: str, *, plain: bool = False) -> bool:
        """Return whether a prepared line has the form of one of the patterns; `plain` where it holds no quote."""
        has_quote = bool(self.form.quote) and self.form.quote in line
        return re.fullmatch(pattern, line, re.DOTALL) is not None if has_quote else plain

    def problem(self, line: str) -> str:
        """Return why a prepared line is malformed; nothing where it is a record."""
        if self.matches(f"{self.whole}|{self.lenient}", line, plain=True):
            return ""
        return TEXT_AFTER_QUOTE if self.matches(self.after_quote, line) else QUOTE_IN_TEXT

    def split(self, text: str) -> tuple[str, ...]:
        """Return the cells of a prepared record that is not malformed."""
        quote, cells = self.form.quote, text.split(self.divider)
        if quote:
            found = re.findall(self.next_cell, self.divider + text)
            cells = [
                cell[1:].strip(self.blanks)[1:-1].replace(quote * 2, quote)
                if re.match(self._quote_first, cell)
                else cell[1:]
                for cell in found
            ]
        for mark, restored in self._restored:
            cells = [cell.replace(mark, restored) for cell in cells]
        return tuple(cells)

    def split_sql(self, text: str, quoted: str) -> str:
        """Return the SQL for the cells of a prepared record that is well formed; `quoted`: the text holds a quote."""
        quote, divider = quote_literal(self.form.quote), quote_literal(self.divider)
        plain = f"string_split({text}, {divider})"
        if not self.form.quote:
            return plain
        inner = f"trim(cell[2:], {quote_literal(self.blanks)})[2:-2]"
        inner = f"replace({inner}, {quote} || {quote}, {quote})"
        if self.form.escape:
            inner = f"replace({inner}, {quote_literal(_NULL)}, '\\N')"
        is_quoted = f"regexp_matches(cell, {quote_literal('^' + self._quote_first)})"
        cells = f"regexp_extract_all({divider} || {text}, {quote_literal(self.next_cell)})"
        split = f"list_transform({cells}, lambda cell: case when {is_quoted} then {inner} else cell[2:] end)"
        return f"case when {quoted} then {split} else {plain} end"

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


def _replacing(sql: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        new_literal = "chr(0)" if new == "\0" else quote_literal(new)
        sql = f"replace({sql}, {quote_literal(old)}, {new_literal})"
    return sql
