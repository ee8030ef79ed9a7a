"""Dates and times in cells: the one rule by which imports and processors read them.

A cell has to have the shape of a pattern. What does not read back to the same text, leading zeros and case aside, is
no date.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cdp_sync.model import Format
from cdp_sync.processing.text import naming
from cdp_sync.warehouse import quote_literal

OFFSET = r"(?:[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"

_DIGITS = {"Y": (4, 4), "G": (4, 4), "y": (2, 2), "u": (1, 1), "w": (1, 1), "j": (1, 3)} | dict.fromkeys(
    "mdHIMSUWV", (1, 2)
)
"""Fewest and most digits of a directive."""
_FRACTIONS = {"f": 9, "n": 9, "g": 3}
"""Most digits of a fraction of a second."""
_OTHERS = dict.fromkeys("AbB", r"\p{L}+") | {"a": r"\p{L}{3}", "p": "[AaPp][Mm]", "z": OFFSET, "%": "%"}
_COMPOSED = {"%c": "%Y-%m-%d %H:%M:%S", "%x": "%Y-%m-%d", "%X": "%H:%M:%S"}

_MEANING = dict(zip("YymbBdHIpMSfngz", "YYmmmdHHpMSfffz", strict=True))
"""What a directive states; those of one letter state the same. Others restate a part of the date."""


@dataclass(frozen=True)
class Pattern:
    """A strptime pattern."""

    text: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Literal text and the letters of directives, in turn; the first and the last piece are literal."""
        text = re.sub("%[cxX]", lambda found: _COMPOSED[found[0]], self.text)
        return tuple(re.split("%-?([a-zA-Z%])", text))

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of its directives."""
        return tuple(letter for letter in self.pieces[1::2] if letter != "%")

    @property
    def can_contradict(self) -> bool:
        """Whether a cell may state a part of the date twice, or a day by its number in a year or week."""
        stated = [_MEANING.get(letter) for letter in self.letters]
        return None in stated or len(set(stated)) < len(stated) or ("p" in stated and "I" not in self.letters)

    @cached_property
    def shape(self) -> str:
        """The regular expression of its cells."""
        return "".join(self._shapes)

    @cached_property
    def native_shape(self) -> str:
        """The regular expression of those cells that DuckDB's parser takes as they are."""
        return self.shape.replace(r"\d{1,9}", r"\d{1,6}").replace(OFFSET, OFFSET.replace("[Zz]|", ""))

    @cached_property
    def _shapes(self) -> list[str]:
        return [self._shape(place) if place % 2 else re.escape(piece) for place, piece in enumerate(self.pieces)]

    def _shape(self, place: int) -> str:
        letter = self.pieces[place]
        if letter in _OTHERS:
            return _OTHERS[letter]
        fewest, most = _DIGITS[letter] if letter in _DIGITS else (1, _FRACTIONS[letter])
        return rf"\d{{{most if self._touches_digits(place) else fewest},{most}}}"

    def _touches_digits(self, place: int) -> bool:
        """Whether digits of another directive are adjacent: then only the full width separates them."""
        pieces = self.pieces
        if pieces[place] in _FRACTIONS:
            return False
        before = place > 1 and not pieces[place - 1] and pieces[place - 2] in _DIGITS
        after = place + 2 < len(pieces) and not pieces[place + 1] and pieces[place + 2] in _DIGITS | _FRACTIONS
        return before or after

    def around(self, letter: str) -> tuple[str, str]:
        """Return the regular expressions of what stands before and after a directive."""
        place = self.pieces.index(letter, 1)
        return "".join(self._shapes[:place]), "".join(self._shapes[place + 1 :])

    def changed(self, directives: Mapping[str, str]) -> "Pattern":
        """Return the pattern with other text in place of some directives, given by their letters."""
        return Pattern(
            "".join(
                directives.get(piece, f"%{piece}") if place % 2 else piece for place, piece in enumerate(self.pieces)
            )
        )


_ISO_DATE = r"' *\d{4}-\d\d-\d\d *'"
_ISO_PLAIN = r"' *\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d *'"
_CLOCK = r"\d\d:\d\d(:\d\d([.]\d{1,9})?)?"
_ISO_LOCAL = rf"'\p{{Zs}}*\d{{4}}-\d\d-\d\d([T ]{_CLOCK})?\p{{Zs}}*'"
_ISO_ANY = rf"'\p{{Zs}}*\d{{4}}-\d\d-\d\d([T ]{_CLOCK}([zZ]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?\p{{Zs}}*'"
_ISO_OFFSET = r"'^(.{10}[T ][0-9:.]+)(?:[zZ]|[+-][0-9:]+)$'"
_SECONDS = r"'\p{Zs}*[+-]?\d{1,11}\p{Zs}*'"
_MILLISECONDS = r"'\p{Zs}*[+-]?\d{1,14}\p{Zs}*'"

POSIX_PIVOT = 68
"""The last year of the 2000s that `%y` reads by itself."""


def instant_in(pattern: str, cell: str, form: Format) -> str:
    """Return the expression for what a cell is by one pattern: an instant, or a local time without a zone."""
    if pattern == "iso":
        read = f"try_cast(trim({cell}) as timestamptz)"
        # In UTC there is no calendar to ask, which is most of the work.
        plain = f"make_timestamptz(epoch_us(try_cast({cell} as timestamp)))" if form.time_zone == "UTC" else read
        readings = ((_ISO_PLAIN, plain), (_ISO_DATE, read), (_ISO_ANY, read))
        return f"case {' '.join(f'when regexp_full_match({cell}, {shape}) then {how}' for shape, how in readings)} end"
    if pattern in _COUNTS:
        shape, instant = _COUNTS[pattern]
        return f"case when regexp_full_match({cell}, {shape}) then {instant.format(cell=cell)} end"
    return _by_pattern(Pattern(pattern), cell, form, _checked)


def day_in(pattern: str, cell: str, form: Format) -> str:
    """Return the expression for the day that a cell names by one pattern."""
    if pattern == "iso":
        instant = f"try_cast(trim({cell}) as timestamptz)"
        written = f"case when {instant} is not null then try_cast(left(trim({cell}), 10) as date) end"
        day = f"{instant}::date" if form.date_in_zone else written
        plain = f"when regexp_full_match({cell}, {_ISO_DATE}) then try_cast({cell} as date)"
        return f"case {plain} when regexp_full_match({cell}, {_ISO_ANY}) then {day} end"
    if pattern in _COUNTS or form.date_in_zone:
        return f"{instant_in(pattern, cell, form)}::date"
    return f"{written_in(pattern, cell, form)}::date"


def written_in(pattern: str, cell: str, form: Format) -> str:
    """Return the expression for what the calendar and the clock of a cell show, whatever its offset.

    A count since 1970 shows the time in the format's time zone.
    """
    if pattern == "iso":
        whole = f"try_cast(trim({cell}) as timestamptz) is not null"
        clock = f"try_cast(regexp_replace(trim({cell}), {_ISO_OFFSET}, '\\1') as timestamp)"
        plain = f"when regexp_full_match({cell}, {_ISO_LOCAL}) then try_cast(trim({cell}) as timestamp)"
        return f"case {plain} when regexp_full_match({cell}, {_ISO_ANY}) and {whole} then {clock} end"
    if pattern in _COUNTS:
        return f"timezone({quote_literal(form.time_zone)}, {instant_in(pattern, cell, form)})"
    return _by_pattern(Pattern(pattern), cell, form, _local)


_COUNTS = {
    "epoch_seconds": (_SECONDS, "to_timestamp(try_cast(trim({cell}) as bigint))"),
    "epoch_milliseconds": (_MILLISECONDS, "to_timestamp(0) + to_milliseconds(try_cast(trim({cell}) as bigint))"),
}


def local_in(pattern: str, cell: str, form: Format) -> str:
    """Return the expression for the local time that a cell states; null where it states an instant."""
    if pattern == "iso":
        return f"case when regexp_full_match({cell}, {_ISO_LOCAL}) then try_cast(trim({cell}) as timestamp) end"
    if pattern in _COUNTS or "z" in Pattern(pattern).letters:
        return "null::timestamp"
    return f"{_by_pattern(Pattern(pattern), cell, form, _checked)}::timestamp"


Read = Callable[[Pattern, str], str]
"""Makes of a pattern and a text the expression that reads it; DuckDB's parser takes both as they are."""


def _by_pattern(pattern: Pattern, cell: str, form: Format, read: Read) -> str:
    """Return the expression that reads a cell which has the pattern's shape.

    `try_strptime` takes ten times as long where the pattern does not fit, and takes shorter years than it should.
    """
    text = f"trim({cell})"
    prepared, known = _prepared(pattern, text, form)
    if prepared == text:
        return f"case when {_fits(text, pattern.shape)} then {read(pattern, text)} end"
    quick = f"when {_fits(text, pattern.native_shape)} then {read(pattern, text)}" if known == pattern else ""
    closer = naming(prepared, "prepared", lambda it: read(known, it))
    return f"case {quick} when {_fits(text, pattern.shape)} then {closer} end"


def _fits(text: str, shape: str) -> str:
    return f"regexp_full_match({text}, {quote_literal(shape)})"


def _prepared(pattern: Pattern, text: str, form: Format) -> tuple[str, Pattern]:
    """Return a text as DuckDB's parser takes it, and the pattern that it takes then."""
    if "f" in pattern.letters:
        before, after = pattern.around("f")
        text = _replaced(text, rf"^({before}\d{{6}})\d{{1,3}}({after})$", r"\1\2")
    if "z" in pattern.letters:
        before, after = pattern.around("z")
        text = _replaced(text, f"^({before})[Zz]({after})$", r"\1+00\2")
    if "y" in pattern.letters and form.century_pivot != POSIX_PIVOT:
        before, after = pattern.around("y")
        for century, years in ((20, range(form.century_pivot + 1)), (19, range(form.century_pivot + 1, 100))):
            known = "|".join(f"{year:02}" for year in years) or "[^0-9]"
            text = _replaced(text, f"^({before})((?:{known}){after})$", rf"\1{century}\2")
        pattern = pattern.changed({"y": "%Y"})
    return text, pattern


def _replaced(text: str, shape: str, by: str) -> str:
    return f"regexp_replace({text}, {quote_literal(shape)}, {quote_literal(by)})"


def _checked(pattern: Pattern, text: str) -> str:
    """Read a text; null where it contradicts itself."""
    read = _parsed(text, pattern)
    return f"case when {_local(pattern, text)} is not null then {read} end" if pattern.can_contradict else read


def _local(pattern: Pattern, text: str) -> str:
    """Read the calendar and the clock of a text as they are written, without the offset."""
    for letter, shape in (("f", r"\d+"), ("z", OFFSET)):
        if letter in pattern.letters and (letter == "z" or pattern.can_contradict):
            before, after = pattern.around(letter)
            text, pattern = _replaced(text, f"^({before}){shape}({after})$", r"\1\2"), pattern.changed({letter: ""})
    read = _parsed(text, pattern)
    if not pattern.can_contradict:
        return read
    again = f"strftime({read}, {quote_literal(pattern.text)})"
    return f"case when {_comparable(again)} = {_comparable(text)} then {read} end"


def _parsed(text: str, pattern: Pattern) -> str:
    return f"try_strptime({text}, {quote_literal(pattern.text)})"


def _comparable(text: str) -> str:
    """Return the expression for a text without leading zeros, in lower case."""
    return rf"regexp_replace(lower({text}), '(^|[^0-9])0+([0-9])', '\1\2', 'g')"
