"""From the text of a cell to a value of a property, and to link values."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.model import FileGoal, Format, Property
from cdp_sync_tests.oracle.row import Cell

TRUE = ("true", "t", "yes", "y", "1", "on")
FALSE = ("false", "f", "no", "n", "0", "off")

ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([zZ]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?", re.ASCII
)

EPOCHS = {"epoch_seconds": (timedelta(seconds=1), 11), "epoch_milliseconds": (timedelta(milliseconds=1), 14)}
"""What is counted since 1970, and in how many digits."""


class Invalid(Exception):
    """The text does not convert to the property's type."""


def convert(cell: Cell, prop: Property, fmt: Format) -> Any:
    """Return the value a cell has for a property, None for no value. Raises Invalid."""
    if cell is None:
        return None
    if prop.multiple:
        return unique(convert_one(element, prop, fmt) for element in elements(cell, fmt)) or None
    if prop.identifier:
        cell = cell.strip()
        return convert_one(cell, prop, fmt) if cell else None
    return convert_one(cell, prop, fmt)


def link_values(cell: Cell, prop: Property, goal: FileGoal) -> list[str]:
    """Return the usable link values of a cell, in text form. Raises Invalid."""
    if cell is None:
        return []
    parts = elements(cell, goal.format) if prop.multiple else [cell.strip()]
    usable = [part for part in parts if part and not is_blocked(part, goal)]
    return unique(str(convert_one(part, prop, goal.format)) for part in usable)


def is_blocked(value: str, goal: FileGoal) -> bool:
    """Whether a link value names nobody."""
    return value.lower() in goal.blocked or re.fullmatch("0+", value) is not None


def elements(cell: str, fmt: Format) -> list[str]:
    """Split the cell of a `multiple` property: trimmed, without the empty ones."""
    parts = cell.split(fmt.multi_value) if fmt.multi_value else [cell]
    return [part.strip() for part in parts if part.strip()]


def unique(values: Iterable[Any]) -> list[Any]:
    """Return each value once, where it came first."""
    return list(dict.fromkeys(values))


def convert_one(text: str, prop: Property, fmt: Format) -> Any:
    """Return one value of a property's type."""
    return CONVERTERS[prop.type](text, prop, fmt)


def to_text(text: str, prop: Property, fmt: Format) -> str:
    """Text is taken as it stands; where only some texts are allowed, without the space around it."""
    if "\0" in text:
        raise Invalid("a NUL byte")
    return to_known(text.strip(), prop.among) if prop.among else text


def to_known(text: str, among: Sequence[str]) -> str:
    """One of some texts."""
    if text not in among:
        raise Invalid(f"not one of: {', '.join(among)}" if len(among) <= 8 else "no known value")
    return text


def to_email(text: str, prop: Property, fmt: Format) -> str:
    """Something, an at sign, something."""
    address = to_text(text, prop, fmt).strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise Invalid("no e-mail address")
    return address


def to_number(text: str, prop: Property, fmt: Format) -> int:
    """A 64-bit integer; a decimal separator with nothing but zeros may follow."""
    found = re.fullmatch(rf"([+-]?[0-9]+)({re.escape(fmt.decimal)}0*)?", text.strip())
    if not found or not -(2**63) <= int(found[1]) < 2**63:
        raise Invalid("no whole number of 64 bits")
    return int(found[1])


def to_decimal(text: str, prop: Property, fmt: Format) -> Decimal:
    """An exact number; no thousands separators, no more digits than declared."""
    point = re.escape(fmt.decimal)
    if not re.fullmatch(rf"[+-]?([0-9]+({point}[0-9]*)?|{point}[0-9]+)", text.strip()):
        raise Invalid("no decimal number")
    whole, _, fraction = text.strip().partition(fmt.decimal)
    digits = whole.lstrip("+-").lstrip("0")
    if len(digits) > prop.precision - prop.scale or fraction[prop.scale :].strip("0"):
        raise Invalid("more digits than declared")
    return Decimal(f"{whole}.{fraction[: prop.scale]}0")


def to_boolean(text: str, prop: Property, fmt: Format) -> bool:
    """One of the known words for true and false."""
    word = text.strip().lower()
    if word not in TRUE + FALSE:
        raise Invalid("neither true nor false")
    return word in TRUE


def to_datetime(text: str, prop: Property, fmt: Format) -> datetime:
    """An instant, in UTC; without an offset it is local time in the format's zone."""
    return moment(text.strip(), fmt).astimezone(UTC)


def to_date(text: str, prop: Property, fmt: Format) -> date:
    """The day that a moment has in the format's zone."""
    return moment(text.strip(), fmt).astimezone(ZoneInfo(fmt.time_zone)).date()


def moment(text: str, fmt: Format) -> datetime:
    """Return what the first fitting date pattern makes of the text, with its zone."""
    for pattern in fmt.dates:
        try:
            found = parse_moment(text, pattern)
        except (ValueError, OverflowError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(fmt.time_zone))
    raise Invalid("no date in a declared format")


def parse_moment(text: str, pattern: str) -> datetime:
    """Parse a text by one pattern. Raises ValueError."""
    if pattern == "iso":
        if not ISO.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text.replace("z", "Z"))
    if pattern in EPOCHS:
        unit, digits = EPOCHS[pattern]
        if not re.fullmatch(rf"[+-]?[0-9]{{1,{digits}}}", text):
            raise ValueError(text)
        return datetime(1970, 1, 1, tzinfo=UTC) + int(text) * unit
    return datetime.strptime(text, pattern)


CONVERTERS: dict[str, Callable[[str, Property, Format], Any]] = {
    "text": to_text,
    "email": to_email,
    "number": to_number,
    "decimal": to_decimal,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
}
