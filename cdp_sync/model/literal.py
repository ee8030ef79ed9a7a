"""What a condition compares with: a value as YAML gives it, made one of the property's type."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation

from cdp_sync.model.counting import counted
from cdp_sync.model.profile import Property

_EXAMPLES = {
    "text": "text in quotes; where there is none it `is_empty`",
    "email": "text in quotes; where there is none it `is_empty`",
    "number": "a whole number of 64 bits",
    "date": "a date such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00Z, or a date",
    "boolean": "true or false",
}

_EXACT_DIGITS = 15
"""What is written with more than these may have been rounded when YAML made it a float."""


def literal(prop: Property, value: object) -> object:
    """Return a declared value in the property's type; times without an offset are in UTC.

    Raises:
        ValueError: It is of another type, or no value of the property can be like it; says what is needed.
    """
    try:
        return _decimal(prop, value) if prop.type == "decimal" else _READ[prop.type](value)
    except (TypeError, ValueError, ArithmeticError):
        raise ValueError(f"found {value!r}; {prop.name} is compared with {_needed(prop)}") from None


def _needed(prop: Property) -> str:
    if prop.type == "decimal":
        whole = counted(prop.precision - prop.scale, "digit")
        return f"a number with {whole} before and {prop.scale} behind the point at most, in quotes if it is long"
    return _EXAMPLES[prop.type]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise TypeError
    return value


def _decimal(prop: Property, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = Decimal(str(value))
    if not found.is_finite() or (isinstance(value, float) and len(found.as_tuple().digits) > _EXACT_DIGITS):
        raise ValueError
    exact = Context(prec=prop.precision, traps=[Inexact, InvalidOperation])
    found.quantize(Decimal(1).scaleb(-prop.scale), context=exact)
    return found


def _date(value: object) -> date:
    found = date.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(found, datetime) or not isinstance(found, date):
        raise TypeError
    return found


def _datetime(value: object) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        raise TypeError
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


_READ: dict[str, Callable[[object], object]] = {
    "text": _text,
    "email": _text,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
}
