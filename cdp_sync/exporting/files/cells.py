r"""How values become the text of cells, and cells a line; and which values have no text that reads as the same value.

The opposite of importing: an import with the same format reads the same values back. Expressions are over one value,
so that they serve lists as well; none depends on the session's time zone.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cdp_sync.model import WHITE_SPACE, ExportFormat, Property
from cdp_sync.warehouse import quote_literal

_CALENDAR = {
    "date": "date '0001-01-01' and date '9999-12-31'",
    "timestamp": "timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'",
    "timestamptz": "timestamptz '0001-01-01 00:00:00+00' and timestamptz '9999-12-31 23:59:59.999999+00'",
}
"""The range of years with four digits."""
_ANYWHERE = "timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 23:59:59.999999+00'"
"""The part of it that has four digits in every time zone."""
_BEYOND = "a year before 1 or after 9999"

_READABLE_DIGITS = {"epoch_seconds": 99_999_999_999, "epoch_milliseconds": 99_999_999_999_999}
"""The largest counts that are read as a time."""

_DIGITS = "-0123456789"
_DIRECTIVES = re.compile(r"%-?.|[^%]+|%")


@dataclass(frozen=True)
class Writing:
    """How values of one kind are written."""

    sql: str
    """The text of a value."""
    characters: str | None
    """All that can stand in it; None: anything."""
    fails_if: str = ""
    """The condition that a value has no such text; empty: never."""
    reason: str = ""


def write_value(prop: Property, value: str, form: ExportFormat) -> Writing:
    """Return how one value of a property is written; null where it is null."""
    if prop.is_text:
        return Writing(value, None)
    if prop.type in ("date", "datetime"):
        return _write_moment(_Moment(value, form.dates[0], prop.type == "date", form.time_zone))
    text = f"{value}::varchar"
    if prop.type == "decimal":
        return Writing(text if form.decimal == "." else f"replace({text}, '.', ',')", f"{_DIGITS}{form.decimal}")
    return Writing(text, "truefals" if prop.type == "boolean" else _DIGITS)


@dataclass(frozen=True)
class _Moment:
    """A date or a datetime, and the clock of a time zone at that moment."""

    value: str
    pattern: str
    is_date: bool
    zone: str

    @property
    def instant(self) -> str:
        """The moment on the time line; of a date, its midnight."""
        if not self.is_date:
            return self.value
        midnight = f"{self.value}::timestamp"
        return f"make_timestamptz(epoch_us({midnight}))" if self.zone == "UTC" else self._zoned(midnight)

    @property
    def clock(self) -> str:
        """The local date and time."""
        if self.is_date:
            return f"{self.value}::timestamp"
        # UTC needs no calendar, which is most of the work.
        return f"make_timestamp(epoch_us({self.value}))" if self.zone == "UTC" else self._zoned(self.value)

    @property
    def ahead(self) -> str:
        """The offset from UTC, in microseconds."""
        return f"(epoch_us({self.clock}) - epoch_us({self.instant}))"

    def offset(self, colon: str = ":") -> str:
        """Return the offset from UTC, such as `+01:00`, rounded down to minutes: a midnight stays on its day."""
        if self.zone == "UTC":
            return quote_literal(f"+00{colon}00")
        minutes = f"floor({self.ahead} / 60000000)"
        sign = f"case when {minutes} < 0 then '-' else '+' end"
        return f"concat({sign}, strftime(make_timestamp((abs({minutes}) * 60000000)::bigint), '%H{colon}%M'))"

    def _zoned(self, moment: str) -> str:
        return f"timezone({quote_literal(self.zone)}, {moment})"

    @property
    def beyond_years(self) -> str:
        """The condition that its year, in UTC, has no four digits."""
        return f"{self.value} not between {_CALENDAR['date' if self.is_date else 'timestamptz']}"

    @property
    def beyond_calendar(self) -> str:
        """The condition that the clock shows a year that has no four digits."""
        if self.is_date:
            return self.beyond_years
        local = f"{self.clock} not between {_CALENDAR['timestamp']}"
        return f"case when {self.value} not between {_ANYWHERE} then {local} end"


def _write_moment(moment: _Moment) -> Writing:
    if moment.pattern in _READABLE_DIGITS:
        return _count(moment)
    if moment.pattern != "iso":
        if "%z" in _DIRECTIVES.findall(moment.pattern):
            return Writing(_with_offset(moment, _calendar_text), None, moment.beyond_years, _BEYOND)
        text = f"case when {moment.value} is not null then {_calendar_text(moment)} end"
        return Writing(text, None, moment.beyond_calendar, _BEYOND)
    if moment.is_date:
        return Writing(f"{moment.value}::varchar", _DIGITS, moment.beyond_calendar, _BEYOND)
    return Writing(_with_offset(moment, _iso_text), "-+0123456789:.T", moment.beyond_years, _BEYOND)


def _count(moment: _Moment) -> Writing:
    seconds = moment.pattern == "epoch_seconds"
    count = f"floor(epoch({moment.instant}))::bigint" if seconds else f"epoch_ms({moment.instant})"
    unit = "to_seconds" if seconds else "to_milliseconds"
    first, last = (f"make_timestamptz(0) {sign} {unit}({_READABLE_DIGITS[moment.pattern]})" for sign in "-+")
    fails_if = f"{moment.instant} not between {first} and {last}"
    return Writing(f"({count})::varchar", _DIGITS, fails_if, f"a time that {moment.pattern} cannot tell")


def _with_offset(moment: _Moment, text_of: Callable[[_Moment], str]) -> str:
    """Return the expression for a text with the offset from UTC; the time in UTC where the offset is odd."""
    text = text_of(moment)
    if not (moment.zone == "UTC" or moment.is_date):
        # Odd: not in whole minutes, as before time zones, or the year is out of range.
        is_odd = f"{moment.ahead} % 60000000 <> 0 or {moment.clock} not between {_CALENDAR['timestamp']}"
        text = f"case when {is_odd} then {text_of(replace(moment, zone='UTC'))} else {text} end"
    return f"case when {moment.value} is not null then {text} end"


def _iso_text(moment: _Moment) -> str:
    clock = moment.clock
    return f"concat({clock}::date::varchar, 'T', {clock}::time::varchar, {moment.offset()})"


def _calendar_text(moment: _Moment) -> str:
    """Return the text of a strftime pattern. The clock of DuckDB's strftime has no zone, so it is put in here."""
    parts: list[str] = []
    for is_zone, run in groupby(_DIRECTIVES.findall(moment.pattern), ("%z", "%Z").__contains__):
        if is_zone:
            name = quote_literal(moment.zone)
            parts += [moment.offset(colon="") if directive == "%z" else name for directive in run]
        else:
            parts.append(f"strftime({moment.clock}, {quote_literal(''.join(run))})")
    return f"concat({', '.join(parts)})"


def is_trimmed_away(text: str) -> str:
    """Return the condition that a text of a list, or white space around it, would be left out when the list is read."""
    # Trimming takes longer than to test whether there is anything to trim: a space, or a character beyond ASCII.
    has_space = f"contains({text}, ' ') or strlen({text}) <> length({text})"
    padded = f"case when {has_space} then trim({text}) <> {text} else false end"
    blank = f"ascii({text}) not between 33 and 126 and trim({text}, {quote_literal(WHITE_SPACE)}) = ''"
    return f"({text} is null or {text} = '' or {blank} or {padded})"


def holds_separator(text: str, separator: str) -> str:
    """Return the condition that a text, followed by the separator, would be split inside the text."""
    mark = quote_literal(separator)
    # It can begin inside itself: then the end of a text and the separator after it read differently.
    if any(separator.startswith(separator[cut:]) for cut in range(1, len(separator))):
        return f"position({mark} in concat({text}, {mark})) <= len({text})"
    return f"contains({text}, {mark})"


_BETWEEN_DIGITS = r"[-+ ().,/\x{a0}\x{202f}\x{2010}-\x{2015}%$€£]"
_AFTER_DIGITS = r"( ?(x|ext[.]?) ?[0-9]+|[eE][+-]?[0-9]+)?"
_NUMBER = rf"[+-]({_BETWEEN_DIGITS}*[0-9])+{_BETWEEN_DIGITS}*{_AFTER_DIGITS}"
"""A number, an amount or a telephone number, perhaps with an extension; nothing that names a cell or a function."""


def guarded(cell: str) -> str:
    """Return the expression for a text that no spreadsheet runs as a formula; numbers and telephone numbers stay."""
    begins = f"ascii({cell}) in ({', '.join(str(ord(sign)) for sign in '=+-@' + chr(9) + chr(13))})"
    number = f"regexp_full_match({cell}, {quote_literal(_NUMBER)})"
    return f"case when {begins} and not {number} then concat('''', {cell}) else {cell} end"


def joined(cells: Sequence[str], form: ExportFormat) -> str:
    """Return the expression for a row whose cells need no quotes, without its line break."""
    return f"concat({f', {quote_literal(form.separator)}, '.join(cells)})"


def line_of(cells: Sequence[str], any_text: Sequence[str], form: ExportFormat) -> str:
    """Return the expression for a row; `any_text` are cells that may need quotes, `plain` is what `joined` makes."""
    if form.quote == "all":
        return joined([_in_quotes(cell) for cell in cells], form)
    if not any_text:
        return "plain"
    careful = joined([_quoted(cell, form) if cell in any_text else cell for cell in cells], form)
    return f"case when {_needs_quotes(any_text, form)} then {careful} else plain end"


def header_line(names: Iterable[str], form: ExportFormat) -> str:
    """Return the line that names the columns, without its line break."""
    needs = re.compile(rf'["\r\n{re.escape(form.separator)}]|^[ \ufeff]| \Z')
    quoted = ((name, '"' + name.replace('"', '""') + '"') for name in names)
    return form.separator.join(
        in_quotes if form.quote == "all" or needs.search(name) else name for name, in_quotes in quoted
    )


def _needs_quotes(cells: Sequence[str], form: ExportFormat) -> str:
    """Return the condition that a cell may need quotes. Most signs can be looked for in the whole row at once.

    Each sign of a long separator counts, as a separator may begin in a cell.
    """
    separators = [quote_literal(sign) for sign in dict.fromkeys(form.separator)]
    inside = [f"contains(plain, {sign})" for sign in ("'\"'", "chr(13)", "chr(10)")]
    mark = f"starts_with(plain, {quote_literal(chr(0xFEFF))})"
    within = [f"contains({cell}, {sign})" for cell in cells for sign in separators]
    # A space at the edge of a cell; quick where there is none in the row.
    edges = [quote_literal(f" {form.separator}"), quote_literal(f"{form.separator} ")]
    beside = " or ".join(f"contains(plain, {edge})" for edge in edges)
    space = f"(contains(plain, ' ') and ({beside} or starts_with(plain, ' ') or ends_with(plain, ' ')))"
    return " or ".join((*inside, mark, space, *within))


def _quoted(cell: str, form: ExportFormat) -> str:
    marks = "".join(rf"\x{{{ord(mark):x}}}" for mark in ('"', "\r", "\n", *form.separator))
    needs = rf"[{marks}]|^[ \x{{feff}}]| $"
    return f"case when regexp_matches({cell}, {quote_literal(needs)}) then {_in_quotes(cell)} else {cell} end"


def _in_quotes(cell: str) -> str:
    return f"""concat('"', replace(coalesce({cell}, ''), '"', '""'), '"')"""
