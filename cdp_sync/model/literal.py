"""What a condition compares with: a value as YAML gives it, made one of the property's type."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from cdp_sync.model.profile import Property

_EXAMPLES = {
    "text": "text in quotes",
    "email": "text in quotes",
    "number": "a whole number",
    "decimal": "a number",
    "date": "a date such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00Z, or a date",
    "boolean": "true or false",
}


def literal(prop: Property, value: object) -> object:
    """Return a declared value in the property's type; times without an offset are in UTC.

    Raises:
        ValueError: It is of another type; says what is needed.
    """
    try:
        return _READ[prop.type](value)
    except (TypeError, ValueError, InvalidOperation):
        raise ValueError(f"found {value!r}; {prop.name} is compared with {_EXAMPLES[prop.type]}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise TypeError
    return value


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = Decimal(str(value))
    if not found.is_finite() or abs(found) >= 10**28:
        raise ValueError
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
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
}
