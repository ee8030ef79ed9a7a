"""What a condition compares with: a value as YAML gives it, made one of the property's type."""

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
        return _read(prop, value)
    except (TypeError, ValueError, ArithmeticError):
        whole = counted(prop.precision - prop.scale, "digit")
        decimal = f"a number with {whole} before and {prop.scale} after the point at most, in quotes if it is long"
        needed = decimal if prop.type == "decimal" else _EXAMPLES[prop.type]
        raise ValueError(f"found {value!r}; {prop.name} is compared with {needed}") from None


def _read(prop: Property, value: object) -> object:
    match prop.type, value:
        case ("text" | "email", str()) if value:
            return value
        case "boolean", bool():
            return value
        case (_, bool()):
            raise TypeError
        case "number", int() if -(2**63) <= value < 2**63:
            return value
        case "decimal", int() | float() | str():
            return _decimal(prop, value)
        case "date", str() | date() if not isinstance(value, datetime):
            return date.fromisoformat(value) if isinstance(value, str) else value
        case "datetime", str() | date():
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            moment = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    raise TypeError


def _decimal(prop: Property, value: float | str) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite() or (isinstance(value, float) and len(found.as_tuple().digits) > _EXACT_DIGITS):
        raise ValueError
    exact = Context(prec=prop.precision, traps=[Inexact, InvalidOperation])
    found.quantize(Decimal(1).scaleb(-prop.scale), context=exact)
    return found
