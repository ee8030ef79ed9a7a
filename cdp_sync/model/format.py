"""How a delimited file is written: separators, dates, encoding."""

import codecs
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from cdp_sync.model.declared import Declared

Encoding = Literal["utf-8", "utf-16", "latin-1", "windows-1252"]

NAMED_DATES = ("iso", "epoch_seconds", "epoch_milliseconds")
"""Date formats that have a name instead of a strptime pattern."""


def _one_to_four_bytes(value: str) -> str:
    value = value.replace("\\t", "\t")
    if not 1 <= len(value.encode()) <= 4:
        raise ValueError(f"found {value!r}; allowed are one to four bytes")
    if set(value) & set('\r\n"'):
        raise ValueError(f"found {value!r}; a separator holds no line break and no quote")
    return value


class CellFormat(Declared):
    """How the cells of delimited text are written."""

    decimal: Literal[".", ","] = "."
    """Between the whole and the fraction of a number."""
    multi_value: Annotated[str, Field(min_length=1)] | None = None
    """Between the values of a `multiple` property; absent: a cell is one value."""
    dates: tuple[str, ...] = ("iso",)
    """strptime patterns tried in order, or `iso`, `epoch_seconds`, `epoch_milliseconds`; the first is written."""

    @field_validator("dates", mode="before")
    @classmethod
    def _one_date_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("dates")
    @classmethod
    def _known_dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern not in NAMED_DATES and "%" not in pattern:
                allowed = ", ".join(NAMED_DATES)
                raise ValueError(f"found {pattern!r}; allowed are strptime patterns such as %d-%m-%Y, or {allowed}")
        return value


class Delimited(CellFormat):
    """What reading and writing a delimited file have in common."""

    separator: str = ","
    r"""Between fields: one or more characters; `\t` for tab."""
    time_zone: str = "UTC"
    """IANA time zone of values without an offset."""

    _separator = field_validator("separator")(_one_to_four_bytes)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"found {value!r}; allowed are IANA names such as Europe/Amsterdam")
        return value


class Format(Delimited):
    """How the files of an import goal are written."""

    encoding: Encoding = "utf-8"
    """Of the file; a byte order mark is accepted."""
    header: bool = True
    """The first row names the columns; false: they are column1, column2, …"""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """Around values that hold a separator, a quote or a line break; doubled inside. Empty: none."""
    skip_rows: Annotated[int, Field(ge=0, le=1000)] = 0
    """Lines before the header."""
    nulls: tuple[str, ...] = ("",)
    """Cells that mean "no value"."""

    @property
    def codec(self) -> codecs.CodecInfo:
        """The Python codec of the encoding."""
        return codecs.lookup({"utf-8": "utf-8-sig", "windows-1252": "cp1252"}.get(self.encoding, self.encoding))


class ExportFormat(Delimited):
    """How the file of an export goal is written. An import with the same settings reads the same values."""

    encoding: Literal["utf-8", "utf-16"] = "utf-8"
    """Of the file; utf-16 begins with a byte order mark."""
    row_delimiter: Literal["windows", "linux"] = "windows"
    """Between rows: a return and a line feed, or a line feed alone."""
    header: bool = True
    """The first row names the columns."""
    quote: Literal["minimal", "all"] = "minimal"
    """Quotes around cells that need them, or around all."""
    ids_as_names: bool = False
    """Write a segment's title instead of its name."""
    formula_guard: bool = False
    """Put an apostrophe in front of text that a spreadsheet would run as a formula; never before numbers."""
