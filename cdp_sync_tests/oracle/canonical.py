"""Profiles in a form that two implementations can be compared by: no ids, no times, every value as text."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

CanonicalProfile = tuple[tuple[str, str], ...]


def canonical(profiles: Iterable[Mapping[str, Any]]) -> list[CanonicalProfile]:
    """Return the profiles sorted, each as sorted pairs of property and value; empty properties left out."""
    return sorted(
        tuple(sorted((name, text_form(value)) for name, value in profile.items() if value not in (None, [])))
        for profile in profiles
    )


def text_form(value: Any) -> str:
    """Return a value as the case files write it; a list as `a;b`, in its own order."""
    match value:
        case list():
            return ";".join(text_form(one) for one in value)
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value.normalize() + 0:f}"
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        case date():
            return value.isoformat()
        case _:
            return str(value)
