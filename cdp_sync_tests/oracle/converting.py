"""Conversion of cells to values of properties and to link values."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cdp_sync.model import FileGoal, Format, Property
from cdp_sync_tests.oracle.addresses import SPACES, read_address
from cdp_sync_tests.oracle.dates import Moment, NoDate, read_moment
from cdp_sync_tests.oracle.row import Cell

TRUE = ("true", "t", "yes", "y", "1", "on")
FALSE = ("false", "f", "no", "n", "0", "off")

NOTHING = ("nan", "nil", "undefined", "(null)", "<null>", "[null]", "<na>", r"\n")
GAPS = "\u00a0\u2007\u2009\u202f "


class Invalid(Exception):
    """The text does not convert to the property's type."""


def convert(cell: Cell, prop: Property, fmt: Format) -> Any:
    """Return the cell's value for a property; None for no value. Raises Invalid."""
    if cell is None or is_no_value(cell, prop, fmt):
        return None
    if prop.multiple:
        return unique(convert_one(element, prop, fmt) for element in elements(cell, prop, fmt)) or None
    return convert_one(stripped(cell) if prop.identifier or fmt.trim else cell, prop, fmt)


def is_no_value(cell: str, prop: Property, fmt: Format) -> bool:
    """Return whether a cell is blank or a declared null. Surrounding blanks count in plain text only."""
    counts = prop.type == "text" and not (prop.multiple or prop.identifier or prop.among or fmt.trim)
    return is_blank(cell) or (not counts and stripped(cell) in fmt.nulls)


def link_values(cell: Cell, prop: Property, goal: FileGoal) -> list[str]:
    """Return the usable link values of a cell as texts. Raises Invalid."""
    if cell is None or is_no_value(cell, prop, goal.format):
        return []
    parts = elements(cell, prop, goal.format) if prop.multiple else [stripped(cell)]
    usable = [part for part in parts if part and not is_blocked(part, goal)]
    values = [str(convert_one(part, prop, goal.format)) for part in usable]
    if any("@" in value and value in goal.blocked for value in values):
        raise Invalid("a blocked address")
    return unique(values)


def is_blocked(value: str, goal: FileGoal) -> bool:
    """Return whether a link value is a blocked one; ids of groups are never."""
    return value.lower() in goal.blocked or (bool(goal.blocked) and re.fullmatch("0+", value) is not None)


def damage_of(value: str) -> str | None:
    """Return the kind of damage that a spreadsheet or program did to an identifier; None if it is intact."""
    if re.fullmatch("[+-]?[0-9]([.,][0-9]+)?e[+]?[0-9]+", value.lower()):
        return "scientific notation"
    if is_sheet_error(value.lower()):
        return "the error of a formula"
    return "a word by which programs write no value" if value.lower() in NOTHING else None


def is_sheet_error(value: str) -> bool:
    """Return whether a value is a spreadsheet's error of a formula, in any language."""
    if value in ("#nv", "#getting_data"):
        return True
    if len(value) == 4 + value.endswith("!") and value[0] + value[2] == "#/":
        return value[1].isalpha() and value[3].isalpha()
    word = value[1:-1][value[1:2] in ("¡", "¿") :]
    written_so = value[:1] == "#" and value[-1:] in ("!", "?") and word[:1].isalpha()
    return written_so and all(sign.isalpha() or sign in "/0" for sign in word)


def shows_nothing(sign: str) -> bool:
    """Return whether a character is white space or a format character such as the zero-width space."""
    return unicodedata.category(sign) in ("Zs", "Zl", "Zp", "Cf") or sign in "\t\n\v\f\r\x85"


def is_blank(text: str) -> bool:
    """Return whether a text has no visible character."""
    return all(map(shows_nothing, text))


def stripped(text: str) -> str:
    """Return a text without surrounding white space."""
    seen = [place for place, sign in enumerate(text) if not shows_nothing(sign)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def elements(cell: str, prop: Property, fmt: Format) -> list[str]:
    """Return the elements of a `multiple` property's cell, trimmed and without blank ones. Raises Invalid."""
    careful = prop.identifier or prop.type == "email" or prop.among or fmt.trim
    if fmt.json_lists:
        parts = [part if not careful else stripped(part) for part in json_elements(cell, prop, fmt)]
    else:
        whole = cell.split(fmt.multi_value) if fmt.multi_value else [cell]
        parts = [stripped(part) if careful else part.strip(SPACES) for part in whole]
    return [part for part in parts if not is_blank(part)]


def json_elements(cell: str, prop: Property, fmt: Format) -> list[str]:
    """Return the elements of a JSON array as texts in the cell format, without nulls. Raises Invalid."""
    try:
        found = json.loads(cell, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=refuse)
    except ValueError:
        raise Invalid("not a JSON array") from None
    if not isinstance(found, list) or any(isinstance(one, (dict, list)) for one in found):
        raise Invalid("not a JSON array")
    if any("\ud800" <= sign <= "\udfff" for one in found if isinstance(one, str) for sign in one):
        raise Invalid("not a JSON array: half a character")
    return [json_text(one, prop, fmt) for one in found if one is not None]


class JsonNumber(str):
    """A JSON number in its original notation."""

    __slots__ = ()


def refuse(word: str) -> None:
    """Refuse a constant that Python's parser accepts and JSON does not have."""
    raise ValueError(word)


def json_text(value: Any, prop: Property, fmt: Format) -> str:
    """Return a JSON value as a text in the cell format."""
    if isinstance(value, bool):
        words = fmt.booleans if prop.type == "boolean" else None
        return (words.true[0] if value else words.false[0]) if words else str(value).lower()
    return value.replace(".", fmt.decimal) if isinstance(value, JsonNumber) else value


def unique(values: Iterable[Any]) -> list[Any]:
    """Return the values without repetition, in order of first occurrence."""
    return list(dict.fromkeys(values))


def convert_one(text: str, prop: Property, fmt: Format) -> Any:
    """Convert a text to the property's type."""
    return CONVERTERS[prop.type](text, prop, fmt)


def to_text(text: str, prop: Property, fmt: Format) -> str:
    """Return the text; with allowed values, trimmed and checked."""
    if "\0" in text:
        raise Invalid("a NUL byte")
    if prop.among:
        return to_known(stripped(text), prop.among)
    if prop.identifier and (damage := damage_of(text)):
        raise Invalid(damage)
    return text


def to_known(text: str, among: Sequence[str]) -> str:
    """Return the text if it is one of the allowed values."""
    if text not in among:
        raise Invalid(f"not one of: {', '.join(among)}" if len(among) <= 8 else "not a known value")
    return text


def to_email(text: str, prop: Property, fmt: Format) -> str:
    """Return the address in a text, without wrappings."""
    address = read_address(stripped(text))
    if address is None:
        raise Invalid(damage_of(text) or "not an e-mail address")
    return address


def to_number(text: str, prop: Property, fmt: Format) -> int:
    """Return a 64-bit integer; a fraction of zeros is accepted."""
    found = re.fullmatch(rf"([+-]?[0-9]+)({re.escape(fmt.decimal)}0*)?", plain_number(text, fmt))
    if not found or not -(2**63) <= int(found[1]) < 2**63:
        raise Invalid((prop.identifier and damage_of(text)) or "not a whole number of 64 bits")
    return int(found[1])


def to_decimal(text: str, prop: Property, fmt: Format) -> Decimal:
    """Return an exact decimal within the declared digits."""
    point = re.escape(fmt.decimal)
    text = plain_number(text, fmt)
    if not re.fullmatch(rf"[+-]?([0-9]+({point}[0-9]*)?|{point}[0-9]+)", text):
        raise Invalid("not a decimal number")
    whole, _, fraction = text.partition(fmt.decimal)
    digits = whole.lstrip("+-").lstrip("0")
    if len(digits) > prop.precision - prop.scale or fraction[prop.scale :].strip("0"):
        raise Invalid("not a number within the declared digits")
    return Decimal(f"{whole}.{fraction[: prop.scale]}0")


def plain_number(text: str, fmt: Format) -> str:
    """Return a number as sign, digits and decimal separator, from any declared notation."""
    text = without_currency(stripped(text), fmt)
    if "parentheses" in fmt.negative and text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
    elif "trailing_minus" in fmt.negative and text.endswith("-") and text[0] not in "+-":
        text = "-" + text[:-1]
    if fmt.thousands is None:
        return text
    whole, point, fraction = text.partition(fmt.decimal)
    marks = {".": ".", ",": ",", "'": "'\u2019", "\u2019": "'\u2019"}.get(fmt.thousands, GAPS)
    groups = re.split(f"[{re.escape(marks)}]", whole.lstrip("+-"))
    if len(groups) > 1 and 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]):
        return whole[: len(whole) - len(whole.lstrip("+-"))] + "".join(groups) + point + fraction
    return text


def without_currency(text: str, fmt: Format) -> str:
    """Remove one currency, before the number and its sign or after it."""
    for currency in sorted(fmt.currency, key=len, reverse=True):
        bare = text.lstrip("(+-")
        if bare.lower().startswith(currency.lower()):
            return text[: len(text) - len(bare)] + bare[len(currency) :].lstrip(GAPS)
    for currency in sorted(fmt.currency, key=len, reverse=True):
        bare = text.rstrip(")-")
        if bare.lower().endswith(currency.lower()):
            return bare[: -len(currency)].rstrip(GAPS) + text[len(bare) :]
    return text


def to_boolean(text: str, prop: Property, fmt: Format) -> bool:
    """Return the boolean of a known word."""
    word = text.strip(SPACES).lower()
    true, false = (fmt.booleans.true, fmt.booleans.false) if fmt.booleans else (TRUE, FALSE)
    if word in [known.lower() for known in true]:
        return True
    if word in [known.lower() for known in false]:
        return False
    raise Invalid("neither true nor false")


def to_datetime(text: str, prop: Property, fmt: Format) -> datetime:
    """Return an instant in UTC; a time without an offset is in the format's zone."""
    return moment(text, fmt).instant(fmt)


def to_date(text: str, prop: Property, fmt: Format) -> date:
    """Return the written date, or with `date_in_zone` the date in the format's zone."""
    return moment(text, fmt).day(fmt)


def moment(text: str, fmt: Format) -> Moment:
    """Return the moment that the first matching date pattern reads."""
    try:
        return read_moment(text.strip(SPACES), fmt)
    except NoDate as error:
        raise Invalid(str(error)) from None


CONVERTERS: dict[str, Callable[[str, Property, Format], Any]] = {
    "text": to_text,
    "email": to_email,
    "number": to_number,
    "decimal": to_decimal,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
}
