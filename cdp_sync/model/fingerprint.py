"""A goal's fingerprint: a digest of everything declared that affects the result."""

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from cdp_sync.model.event import EventType
from cdp_sync.model.export import ExportGoal
from cdp_sync.model.goal import Goal, ImportGoal
from cdp_sync.model.profile import Profiles
from cdp_sync.model.records import Records

_AFFECTS_IMPORT = {"link": True, "blocked_values": True, "allow_new_profiles": True, "map": True}
_FORMAT_AT_FIRST = {
    "decimal", "multi_value", "dates", "separator", "time_zone", "encoding", "header", "quote", "skip_rows", "nulls",
}  # fmt: skip
"""Settings that count whatever they are. All others count where they are declared: fingerprints of goals that do not
declare them stay what they were before such settings came."""
_TYPE_SINCE = ("among", "group_type")
"""Of a property's type, what counts where it is declared."""
_AFFECTS_EXPORT = {"directory", "file", "format", "map", "link", "create_users", "lists", "decimals"}


def fingerprint(goal: ImportGoal, profiles: Profiles, objectives: Iterable[str] = ()) -> str:
    """Return the digest of an import goal, 16 hexadecimal digits.

    Where the files lie, when they count as whole and what things are called is not part of it; the declared types of
    the properties it fills are, and what its connection's objectives ask for.
    """
    records = goal.records(profiles)
    names = {link.property for link in goal.link} | {mapping.property for mapping in goal.map}
    detected, form = goal.map_detected, goal.format
    since = form.model_dump(mode="json", exclude=_FORMAT_AT_FIRST, exclude_defaults=True)
    affecting = {
        **goal.model_dump(mode="json", include=_AFFECTS_IMPORT),
        **goal.model_dump(mode="json", include={"members", "row_key", "events", "group_type"}, exclude_defaults=True),
        **_processing(goal),
        "map_detected": detected and {"prefix": detected.prefix},
        "format": form.model_dump(mode="json", include=_FORMAT_AT_FIRST) | since,
    }
    declared: dict[str, Any] = {"goal": affecting, "properties": _types(records, names)}
    if types := {event.type for event in goal.events}:
        declared["event_types"] = [_event_type(event) for event in profiles.event_types if event.name in types]
    asked = [profiles.objective(name).model_dump(mode="json", exclude={"title"}) for name in objectives]
    if asked and records.consent:
        declared |= {"objectives": asked, "zones": profiles.zones}
    return _digest(declared)


def export_fingerprint(goal: ExportGoal, profiles: Profiles) -> str:
    """Return the digest of an export goal: of how its rows are written and where they go, not of its segment."""
    declared = {**goal.model_dump(mode="json", include=_AFFECTS_EXPORT), **_processing(goal)}
    return _digest({"goal": declared, "properties": _types(profiles, goal.properties)})


def _processing(goal: Goal) -> dict[str, Any]:
    """Return what the goal's processors are, with the digests of the modules of Python functions."""
    if not goal.processors:
        return {}
    declared = [
        processor.model_dump(mode="json", by_alias=True, exclude_defaults=True) for processor in goal.processors
    ]
    sources = [processor.python.source for processor in goal.processors if processor.python]
    return {"processors": declared, "sources": sources}


def _types(records: Records, names: Collection[str]) -> list[dict[str, Any]]:
    return [
        prop.model_dump(mode="json", exclude={"title", *(name for name in _TYPE_SINCE if not getattr(prop, name))})
        for prop in records.every
        if prop.name in names
    ]


def _event_type(event: EventType) -> dict[str, Any]:
    properties = [prop.model_dump(mode="json", exclude={"title"}, exclude_defaults=True) for prop in event.properties]
    return {"name": event.name, "properties": properties}


def _digest(declared: Any) -> str:  # noqa: ANN401 - anything that is JSON
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]
