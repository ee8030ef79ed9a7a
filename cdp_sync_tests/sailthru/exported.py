"""A second implementation, in plain Python, of the product page's rules for exported values."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exported(field: str, value: Any, decimals: str) -> Any:
    """Return the content of a custom field for a property's value."""
    if isinstance(value, list):
        return [exported(field, each, decimals) for each in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return int(value.quantize(Decimal(1), ROUND_HALF_UP)) if decimals == "integer" else float(value)
    if isinstance(value, date):
        return _moment(field, value)
    return value


def _moment(field: str, value: date) -> Any:
    instant = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    if field.endswith("_time"):
        return (instant - _EPOCH) // timedelta(seconds=1)
    day = f"{instant.year:04}-{instant.month:02}-{instant.day:02}"
    if field.endswith("_date") or not isinstance(value, datetime):
        return day
    return f"{day}T{instant:%H:%M:%S}.{instant.microsecond // 1000:03}Z"


def audience_of(held: Mapping[str, Any], fields: Mapping[str, str], decimals: str) -> dict[str, Any]:
    """Return the custom fields of a user; `fields` names the property of each."""
    return {field: exported(field, held.get(name), decimals) for field, name in fields.items()}
