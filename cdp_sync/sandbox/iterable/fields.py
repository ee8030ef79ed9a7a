"""The registry of field types: the first value of a field decides its type for good, and values of another are refused.

A field within an object has a dotted name; an array has the type of its elements.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cdp_sync.sandbox.api import Refused

Fields = dict[str, Any]
"""Values by name, as JSON has them."""

SYSTEM = {
    "email": "string", "userId": "string", "signupDate": "date", "signupSource": "string", "profileUpdatedAt": "date",
    "emailListIds": "long", "userListIds": "long", "unsubscribedChannelIds": "long",
    "unsubscribedMessageTypeIds": "long", "subscribedMessageTypeIds": "long", "itblInternal": "object",
    "itblInternal.emailDomain": "string", "itblInternal.documentCreatedAt": "date",
    "itblInternal.documentUpdatedAt": "date",
}  # fmt: skip
"""The fields that every project has."""

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:"
    r" \d\d:\d\d:\d\d(?: [+-]\d\d:\d\d)?"
    r"|T\d\d:\d\d:\d\d\.\d{3}(?:[+-]\d\d:\d\d|Z)"
    r")?"
)
"""The forms of a date; a time after a blank has no fractions."""
_FITTING = {"double": ("long",), "string": ("date",), "object": ("geo_location",)}
"""Types of values that a field takes besides its own."""


@dataclass(slots=True)
class Checked:
    """Values that were held against a registry.

    Attributes:
        values: Those that stay, with dates in the one form that answers have; a null removes its field.
        created: Types of fields that are new, by dotted name.
        dropped: Names of new fields that may not be created.
        errors: What is wrong with each value of the wrong type, by dotted name.
    """

    values: Fields = field(default_factory=dict)
    created: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    errors: dict[str, dict[str, Any]] = field(default_factory=dict)


class Registry:
    """Types of fields.

    Args:
        category: What answers call the fields: `user` or an event.
        types: Of the fields that are always there.
        most: How many further ones there may be.
    """

    def __init__(self, category: str, types: Mapping[str, str], most: int) -> None:
        self.types = dict(types)
        self.most = most
        self._category = category
        self._always = len(types)

    def rehearse(self, entries: Iterable[Fields], *, create: bool) -> None:
        """Raise Refused where any of several values would be refused; nothing is registered."""
        trial = Registry(self._category, {}, self.most)
        trial.types, trial._always = dict(self.types), self._always
        errors: dict[str, dict[str, Any]] = {}
        for values in entries:
            checked = trial.check(values, create=create)
            errors |= checked.errors
            trial.accept(Checked(created=checked.created))
        if errors:
            raise mismatched(errors)

    def check(self, values: Fields, *, create: bool) -> Checked:
        """Hold values against the types; nothing is registered."""
        checked = Checked()
        for name, value in values.items():
            kept = self._kept(name, value, create, checked)
            if kept is not _DROPPED:
                checked.values[name] = kept
        return checked

    def accept(self, checked: Checked) -> None:
        """Register the new fields, or raise Refused where a type is wrong or there are too many fields."""
        if checked.errors:
            raise mismatched(checked.errors)
        if checked.created:
            self.refuse_too_many(len(checked.created))
            self.types |= checked.created

    def refuse_too_many(self, new: int) -> None:
        """Raise Refused where so many more fields are too many."""
        if len(self.types) - self._always + new > self.most:
            raise Refused(400, f"The limit of {self.most} unique fields is exceeded", "UniqueFieldsLimitExceeded")

    def _kept(self, name: str, value: Any, create: bool, checked: Checked) -> Any:  # noqa: ANN401 - any JSON
        """Return what stays of a value, and note what is new, dropped or wrong."""
        known = self.types.get(name) or checked.created.get(name)
        if value is None or value == []:
            return value
        kind = type_of(name, value)
        if known is None and kind != "mixed":
            if not create:
                checked.dropped.append(name)
                return _DROPPED
            checked.created[name] = known = kind
        if kind != known and kind not in _FITTING.get(known or "", ()):
            checked.errors[name] = self._error(value, kind, known or "one type")
        elif known == "date":
            return [date(each) for each in value] if isinstance(value, list) else date(value)
        elif known == "object":
            return self._inner(f"{name}.", value, create, checked)
        return value

    def _inner(self, prefix: str, value: Any, create: bool, checked: Checked) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, list):
            return [each if each is None else self._inner(prefix, each, create, checked) for each in value]
        kept = {name: self._kept(prefix + name, inner, create, checked) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not _DROPPED}

    def _error(self, value: Any, kind: str, known: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        incoming = ["string", "keyword"] if kind == "string" else [kind]
        return {
            "incomingTypes": incoming, "expectedType": known, "_type": "UnexpectedType", "offendingValue": value,
            "category": self._category,
        }  # fmt: skip


_DROPPED = object()


def mismatched(errors: Mapping[str, Any]) -> Refused:
    """Return the refusal of values of the wrong type."""
    message = "The request does not have the same data types as previous ones"
    return Refused(400, message, "RequestFieldsTypesMismatched", validationErrors=dict(errors))


def type_of(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the type of a value; that of its elements where it is an array."""
    if isinstance(value, list):
        kinds = {type_of(name, each) for each in value if each is not None}
        if len(kinds) > 1:
            return {frozenset({"long", "double"}): "double", frozenset({"string", "date"}): "string"}.get(
                frozenset(kinds), "mixed"
            )
        return kinds.pop() if kinds else "string"
    if isinstance(value, dict):
        return "geo_location" if name.endswith("_geo_location") and value.keys() == {"lat", "lon"} else "object"
    if isinstance(value, str):
        return "date" if value[:2].isdigit() and date(value) is not None else "string"
    return {bool: "boolean", int: "long", float: "double"}[type(value)]


@lru_cache(maxsize=65536)
def date(written: str) -> str | None:
    """Return a date as answers have it, `2021-07-01 18:00:44 +00:00`; None where it is none."""
    if not _DATE.fullmatch(written):
        return None
    try:
        found = datetime.fromisoformat(written.replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None
    return moment((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


@lru_cache(maxsize=65536)
def moment(seconds: float) -> str:
    """Return seconds since 1970 as answers have them."""
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M:%S} +00:00"


def flat(values: Mapping[str, Any], prefix: str = "", into: Fields | None = None) -> Fields:
    """Return values under dotted names; an array of objects becomes an array for each of their names."""
    found: Fields = {} if into is None else into
    for name, value in values.items():
        if value.__class__ is dict:
            flat(value, f"{prefix}{name}.", found)
        elif value.__class__ is list and value and value[0].__class__ is dict:
            names = dict.fromkeys(inner for each in value for inner in each)
            flat({inner: [each.get(inner) for each in value] for inner in names}, f"{prefix}{name}.", found)
        else:
            found[prefix + name] = value
    return found
