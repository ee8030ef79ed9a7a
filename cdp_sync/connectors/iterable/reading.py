"""Whether the values of a project's fields can be read as what an import goal maps them to."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cdp_sync.model.processed_fields import fields_before, written_by
from cdp_sync.model.suggestion import allowed

if TYPE_CHECKING:
    from cdp_sync.connectors.iterable.goals import UserImportGoal
    from cdp_sync.model import Profiles, Property

_READ_BY: Mapping[str, tuple[str, ...]] = {
    "long": ("number", "decimal", "text", "boolean"),
    "double": ("decimal", "text"),
    "boolean": ("boolean", "text"),
    "date": ("datetime", "date", "text"),
}
"""The property types that read the values of Iterable's types. Text may be written as any of them."""

_OBJECTS = frozenset({"object", "nested", "geo_location"})
_ARRAYS = frozenset(
    ("emailListIds", "userListIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds", "subscribedMessageTypeIds")
)
"""The fields that hold arrays in every project; of others, the type does not say it."""
_COUNTED = frozenset({"epoch_seconds", "epoch_milliseconds"})


def reading_problems(
    goal: "UserImportGoal", profiles: "Profiles", types: Mapping[str, str], others: frozenset[str]
) -> Iterator[str]:
    """Yield which of the linked and mapped fields are not there, or have values that their property cannot take.

    Fields that a processor adds or writes are left out: what they hold is not known before a run.

    Args:
        goal: The import goal.
        profiles: The declared profile.
        types: The fields at Iterable and their types, nested ones with dotted names.
        others: Fields that users have besides.
    """
    needed = goal.needed or goal.fields
    read, written = fields_before(goal.processors), written_by(goal.processors, needed)
    known = types.keys() | others
    for field in needed:
        if field not in known and (field in read or field not in written):
            yield f"no user has the field {field!r}; {allowed(field, sorted(known))}"
    pairs = [(each.field, each.property) for each in goal.link] + [(each.field, each.property) for each in goal.map]
    for field, name in dict.fromkeys(pairs):
        prop = profiles.by_name.get(name)
        if prop is not None and field in types and field not in written:
            yield from _unreadable(goal, field, types[field].lower(), prop)


def _unreadable(goal: "UserImportGoal", field: str, kind: str, prop: "Property") -> Iterator[str]:
    here = f"field {field!r} is {kind} at Iterable, and property {prop.name!r} is"
    if kind in _OBJECTS:
        if prop.type != "text" or prop.multiple or prop.identifier:
            yield f"{here} {prop.type}; map the fields of the object, such as {field + '.name'!r}, or a single text"
    elif field in _ARRAYS and not prop.multiple and prop.type != "text":
        yield f"field {field!r} holds arrays, and property {prop.name!r} one value; needed is `multiple: true`"
    elif kind in _READ_BY and prop.type not in _read_by(goal, kind):
        fitting = " or ".join(_READ_BY[kind])
        yield f"{here} {prop.type}, which does not read its values; needed is {fitting}"
    elif kind == "date" and prop.type != "text" and _COUNTED.issuperset(goal.format.dates):
        yield f"{here} {prop.type}, but format.dates has no form of Iterable's dates; add `%Y-%m-%d %H:%M:%S %z`"


def _read_by(goal: "UserImportGoal", kind: str) -> tuple[str, ...]:
    counted = kind == "long" and not _COUNTED.isdisjoint(goal.format.dates)
    return (*_READ_BY[kind], *(("date", "datetime") if counted else ()))
