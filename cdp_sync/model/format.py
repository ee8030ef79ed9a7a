"""The format of delimited files: separators, dates, encoding. Each encoding has one name here."""

import codecs
import difflib
import re
from encodings.aliases import aliases
from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.schedule import TimeZone

_OWN_NAMES = {"utf-8-sig": "utf-8", "iso8859-1": "latin-1", "cp1252": "windows-1252"}
"""Names that differ from Python's. Fingerprints hold them, so they stay."""

_NO_FILES = frozenset(
    ("charmap", "idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
)
"""Codecs for text that no file is written in, or whose meaning depends on the machine."""

_OFTEN = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "windows-1252", "iso-8859-15", "cp1250", "shift_jis")


def canonical_encoding(name: str) -> str:
    """Return the one name of an encoding, so that two spellings of it have the same fingerprint.

    >>> canonical_encoding("UTF8"), canonical_encoding("ISO-8859-15"), canonical_encoding("cp1252")
    ('utf-8', 'iso8859-15', 'windows-1252')

    Raises:
        ValueError: Python knows no encoding of text by that name.
    """
    found = _text_codec(name)
    if found is None or found.name in _NO_FILES:
        close = difflib.get_close_matches(name.lower(), _names(), n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(close)}?" if close else f"allowed are {', '.join(_OFTEN)} and others"
        raise ValueError(f"found {name!r}, no encoding of text by that name; {hint}")
    return _OWN_NAMES.get(found.name, found.name)


def _text_codec(name: str) -> codecs.CodecInfo | None:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):  # a name with a NUL is a ValueError
        return None
    # Only since Python 3.13 is there a public way to ask; what encodes bytes, such as base64, says so here.
    return found if found._is_text_encoding else None  # noqa: SLF001


@cache
def _names() -> tuple[str, ...]:
    known = {name.replace("_", "-") for pair in aliases.items() for name in pair}
    usable = sorted(name for name in known if (found := _text_codec(name)) and found.name not in _NO_FILES)
    return tuple(dict.fromkeys((*_OFTEN, *usable)))


Encoding = Annotated[str, AfterValidator(canonical_encoding)]

NAMED_DATES = ("iso", "epoch_seconds", "epoch_milliseconds")
"""Date formats that have a name instead of a strptime pattern."""


def known_dates(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return date patterns, each of which has a name or is a strptime pattern.

    Raises:
        ValueError: One of them is neither.
    """
    for pattern in patterns:
        if pattern not in NAMED_DATES and "%" not in pattern:
            allowed = ", ".join(NAMED_DATES)
            raise ValueError(f"found {pattern!r}; allowed are strptime patterns such as %d-%m-%Y, or {allowed}")
    return patterns


_DIRECTIVES = "YymbBdjGVuwaAUWHIpMSfngzcxX"
"""What may follow a % sign in a date pattern that is read."""


def readable_dates(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return date patterns whose directives can be read.

    Raises:
        ValueError: One of them has another directive.
    """
    for letter in re.findall("%-?([a-zA-Z])", "".join(patterns).replace("%%", "")):
        if letter == "Z":
            raise ValueError(
                "found %Z; the letters of a time zone name different zones in different countries (BST, IST, CST). "
                "Have an offset written (%z), or leave the letters out and declare time_zone"
            )
        if letter not in _DIRECTIVES:
            raise ValueError(f"found %{letter}; allowed are %{', %'.join(_DIRECTIVES)}")
    return patterns


_RANGES = ((0x09, 0x0E), (0x2000, 0x2010), (0x2028, 0x2030), (0x2060, 0x2070))
_SINGLES = (0x20, 0x85, 0xA0, 0xAD, 0x061C, 0x1680, 0x180E, 0x205F, 0x3000, 0xFEFF)
WHITE_SPACE = "".join(map(chr, (*(code for first, end in _RANGES for code in range(first, end)), *_SINGLES)))
"""Invisible characters: Unicode's white space, and format characters such as the zero-width space."""


def _listed(found: object) -> object:
    return (found,) if isinstance(found, str) else found


Dates = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
"""How dates are written, one way or several."""


class CellFormat(Declared):
    """The format of cells, read and written."""

    decimal: Literal[".", ","] = "."
    """Decimal separator of numbers."""
    multi_value: Annotated[str, Field(min_length=1)] | None = None
    """Separator between the values of a `multiple` property; absent: a cell holds one value."""
    dates: Dates = ("iso",)
    """strptime patterns, `iso`, `epoch_seconds` or `epoch_milliseconds`: read in this order; the first is written."""

    @field_validator("dates")
    @classmethod
    def _known_dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return known_dates(value)


class Booleans(Declared):
    """The words for true and false."""

    true: Annotated[tuple[str, ...], Field(min_length=1)]
    """Cells that mean true, in any case."""
    false: Annotated[tuple[str, ...], Field(min_length=1)]
    """Cells that mean false, in any case."""

    @model_validator(mode="before")
    @classmethod
    def _keys_of_yaml(cls, value: object) -> object:
        """Take the keys for words: YAML reads `true` and `false` as truth values."""
        if not isinstance(value, dict):
            return value
        return {str(key).lower() if isinstance(key, bool) else key: words for key, words in value.items()}

    @field_validator("true", "false", mode="before")
    @classmethod
    def _words_of_yaml(cls, value: object) -> object:
        if isinstance(value, (list, tuple)) and (others := [word for word in value if not isinstance(word, str)]):
            raise ValueError(f"found {others[0]!r}, no text; words such as yes, no, on and 1 need quotes in YAML")
        return value

    @model_validator(mode="after")
    def _each_means_one(self) -> "Booleans":
        true, false = ({word.strip().lower() for word in words} for words in (self.true, self.false))
        if both := sorted(true & false):
            raise ValueError(f"found {', '.join(map(repr, both))} for both true and false; a word means one of them")
        if "" in true | false:
            raise ValueError("found '' among the words; an empty cell is not a value")
        return self


_THOUSANDS = (".", ",", "'", "\u2019", " ", "\u00a0", "\u202f", "\u2009", "\u2007")


class ReadCells(CellFormat):
    """How imported cells are read: settings that only imports have."""

    trim: bool = False
    """Remove white space around text, and all kinds of white space around other values."""
    thousands: Annotated[str, Field(max_length=1)] | None = None
    """Thousands separator of numbers: `.`, `,`, an apostrophe or a space."""
    negative: tuple[Literal["trailing_minus", "parentheses"], ...] = ()
    """Further notations of negative numbers: `12-`, `(12)`."""
    currency: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Signs and codes that may stand before or after a number, such as `€` or `EUR`."""
    booleans: Booleans | None = None
    """Words for true and false, in place of the default ones."""
    json_lists: bool = False
    """Cells of `multiple` properties are JSON arrays."""
    century_pivot: Annotated[int, Field(ge=0, le=99)] = 68
    """Two-digit years (`%y`) up to this one are in the 2000s, others in the 1900s."""
    date_in_zone: bool = False
    """Convert a date with a time and an offset to the day in `time_zone`; otherwise the day is taken as written."""

    @field_validator("dates")
    @classmethod
    def _readable_dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return readable_dates(value)

    @field_validator("currency")
    @classmethod
    def _no_number(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for sign in value:
            if sign != sign.strip() or re.search(r"[\d+()-]", sign) or sign in ".,":
                raise ValueError(f"found {sign!r}; a currency is a sign or a code, without digits, signs and blanks")
        return value

    @model_validator(mode="after")
    def _groups_are_no_decimals(self) -> "ReadCells":
        if self.thousands is not None and self.thousands not in _THOUSANDS:
            raise ValueError(f"thousands: found {self.thousands!r}; allowed are '.', ',', an apostrophe and a space")
        if self.thousands == self.decimal:
            other = "," if self.decimal == "." else "."
            raise ValueError(f"thousands: found {self.thousands!r}, which is `decimal` too; declare decimal: '{other}'")
        return self


_OF_TEXT = ("encoding", "separator", "quote", "escape", "comment", "trailer", "record_type", "short_rows")
"""Settings that a workbook cannot have."""


class Trailer(Declared):
    """A last line that is not a row."""

    begins_with: Annotated[str, Field(min_length=1)]
    """Text that the line begins with."""
    count_field: Annotated[int, Field(ge=1)] | None = None
    """Position, from 1, of the field that holds the number of rows; the file fails if the number differs."""


class RecordType(Declared):
    """Which lines are rows, where a field of each line names its type."""

    field: Annotated[int, Field(ge=1)]
    """Position, from 1, of the field that names the type."""
    equals: Annotated[str, Field(alias="is", min_length=1)]
    """The type of rows; lines of other types are skipped."""


class Delimited(CellFormat):
    """Settings of delimited files, read and written."""

    separator: str = ","
    r"""Field separator: one or more characters; `\t` for tab."""
    time_zone: TimeZone = "UTC"
    """IANA time zone of values without an offset."""

    @field_validator("separator")
    @classmethod
    def _one_to_four_bytes(cls, value: str) -> str:
        value = value.replace("\\t", "\t")
        if not 1 <= len(value.encode()) <= 4:
            raise ValueError(f"found {value!r}; allowed are one to four bytes")
        if set(value) & set('\r\n"'):
            raise ValueError(f"found {value!r}; a separator holds no line break and no quote")
        return value


class Format(ReadCells, Delimited):
    """How the files of an import goal are written."""

    type: Literal["csv", "xlsx", "xls"] = "csv"
    """Delimited text (`csv`, whatever the file is called), or an Excel workbook, of which the first sheet is read."""
    max_megabytes: Annotated[int, Field(ge=1, le=1000)] = 20
    """Largest workbook, in millions of bytes as it is delivered: a workbook is read in memory."""
    encoding: Encoding = "utf-8"
    """Encoding of the file, by any name that Python accepts; a byte order mark is accepted."""
    header: bool = True
    """The first row names the columns; false: they are column1, column2, …"""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """Quote around values that hold a separator, a quote or a line break; doubled inside. Empty: no quotes."""
    skip_rows: Annotated[int, Field(ge=0, le=1000)] = 0
    """Lines before the header."""
    nulls: tuple[str, ...] = ("",)
    """Cells that mean "no value", besides the empty one."""
    escape: Literal["\\"] | None = None
    r"""Escapes a separator, a quote, a line break or itself; `\N` is no value. Absent: quotes are doubled."""
    comment: Annotated[str, Field(min_length=1)] | None = None
    """Lines that begin with this text are skipped."""
    trailer: Trailer | None = None
    """A last line that is not a row, such as one with the number of rows."""
    record_type: RecordType | None = None
    """Only lines of this record type are rows."""
    short_rows: Literal["reject", "pad"] = "reject"
    """A row with too few fields is rejected, or padded with empty fields."""
    max_record_lines: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Lines that one record may span."""

    @model_validator(mode="after")
    def _lists_are_written_in_one_way(self) -> "Format":
        if self.json_lists and self.multi_value is not None:
            raise ValueError("json_lists and multi_value are both given; needed is one of them")
        return self

    @model_validator(mode="after")
    def _workbooks_have_no_text(self) -> "Format":
        if self.is_workbook and (given := [name for name in _OF_TEXT if self._is_declared(name)]):
            raise ValueError(f"{', '.join(given)}: a workbook has none; leave it out, or declare `type: csv`")
        return self

    def _is_declared(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def is_workbook(self) -> bool:
        """Whether the files are Excel workbooks."""
        return self.type != "csv"

    @property
    def read_dates(self) -> tuple[str, ...]:
        """The date formats that are tried; dates of a workbook are cells of their own kind, written as ISO dates."""
        return tuple(dict.fromkeys((*self.dates, "iso"))) if self.is_workbook else self.dates

    @property
    def reading(self) -> "Format":
        """The settings that split a file into cells, without those that convert cells to values."""
        return Format(**self.model_dump(by_alias=True, include=_READING))

    @property
    def codec(self) -> codecs.CodecInfo:
        """The Python codec of the encoding; that of utf-8 accepts a byte order mark."""
        return codecs.lookup("utf-8-sig" if self.encoding == "utf-8" else self.encoding)


_NOT_READING = {"decimal", "multi_value", "dates", "time_zone", "max_megabytes"}
_READING = set(Format.model_fields) - set(ReadCells.model_fields) - _NOT_READING


class ExportFormat(Delimited):
    """How the file of an export goal is written. An import with the same settings reads the same values."""

    encoding: Literal["utf-8", "utf-16"] = "utf-8"
    """Encoding of the file; utf-16 begins with a byte order mark."""
    row_delimiter: Literal["windows", "linux"] = "windows"
    """Line ending: CR LF (`windows`) or LF (`linux`)."""
    header: bool = True
    """The first row names the columns."""
    quote: Literal["minimal", "all"] = "minimal"
    """Quotes around cells that need them, or around all cells."""
    ids_as_names: bool = False
    """Write a segment's title instead of its name."""
    formula_guard: bool = False
    """Put an apostrophe in front of text that a spreadsheet would run as a formula; never before numbers."""
