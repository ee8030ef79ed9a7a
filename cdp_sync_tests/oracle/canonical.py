"""Profiles in a form for comparing implementations: without ids and times, all values as texts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

CanonicalProfile = tuple[tuple[str, str], ...]


def canonical(profiles: Iterable[Mapping[str, Any]]) -> list[CanonicalProfile]:
    """Return the profiles sorted, each as sorted pairs of property and value, without empty properties."""
    return sorted(
        tuple(sorted((name, text_form(value)) for name, value in profile.items() if value not in (None, [])))
        for profile in profiles
    )


def text_form(value: Any) -> str:
    """Return a value in the form of the case files; a list as `a;b`, in its order."""
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
