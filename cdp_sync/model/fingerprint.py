"""A goal's fingerprint: a digest of everything declared that affects the result."""

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from cdp_sync.model.event import EventType
from cdp_sync.model.event_export import EventExportGoal
from cdp_sync.model.export import ExportGoal
from cdp_sync.model.goal import Goal, ImportGoal
from cdp_sync.model.profile import Profiles
from cdp_sync.model.records import Records
from cdp_sync.model.response_export import ResponseExportGoal
from cdp_sync.model.rollup import Rollup

_AFFECTS_IMPORT = {"link": True, "blocked_values": True, "allow_new_profiles": True, "map": True}
_FORMAT_AT_FIRST = {
    "decimal", "multi_value", "dates", "separator", "time_zone", "encoding", "header", "quote", "skip_rows", "nulls",
}  # fmt: skip
"""Settings that count whatever they are. All others count where they are declared: fingerprints of goals that do not
declare them stay what they were before such settings came."""
_AFFECTS_EVENT_EXPORT = {"directory", "file", "format", "map", "window", "split", "rows", "items"}
_AFFECTS_RESPONSES = {"mailing", "bounce_kind", "link", "contact", "directory", "file", "format", "links"}
_COLUMN_SINCE = {"written_at", "types", "named", "optional", "required"}
_TYPE_SINCE = ("among", "group_type")
"""Of a property's type, what counts where it is declared."""
_NO_TYPE = {"title", "merge", "unique", "personal"}
"""Settings of a property that do not change how a value is read or written."""
_COLUMNS_SINCE = ("group", "lifecycles", "viewed_interactions", "permission_level", "first_segment", "otherwise")
"""Of a column, what counts where it is declared."""
_AFFECTS_EXPORT = {"directory", "file", "format", "map", "link", "create_users", "lists", "decimals"}


def fingerprint(goal: ImportGoal, profiles: Profiles, objectives: Iterable[str] = ()) -> str:
    """Return the digest of an import goal, 16 hexadecimal digits.

    Where the files lie, when they count as whole and what things are called is not part of it; the declared types of
    the properties it fills are, and what its connection's objectives ask for.
    """
    records = goal.records(profiles)
    names = {link.property for link in goal.link} | {mapping.property for mapping in goal.map}
    detected, form = goal.map_detected, goal.format
    since = form.model_dump(mode="json", exclude=_FORMAT_AT_FIRST | {"max_megabytes"}, exclude_defaults=True)
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
    for column in declared["map"]:
        for name in _COLUMNS_SINCE:
            if column[name] is None:
                del column[name]
    return _digest({"goal": declared, **_read(profiles, goal.properties)})


def _read(profiles: Profiles, names: Collection[str]) -> dict[str, Any]:
    """Return what the properties are that an export reads, and its rollups."""
    named: dict[str, Any] = {"properties": _types(profiles, names)}
    if rollups := [profiles.rollup[name] for name in names if name in profiles.rollup]:
        named["rollups"] = [_rollup(rollup, profiles) for rollup in rollups]
    return named


def event_export_fingerprint(goal: EventExportGoal, profiles: Profiles) -> str:
    """Return the digest of an export goal of events: of how its rows are written and where they go."""
    declared = goal.model_dump(mode="json", include=_AFFECTS_EVENT_EXPORT)
    for column in declared["map"]:
        for name in _COLUMN_SINCE & column.keys():
            if not column[name]:  # columns came without these before
                del column[name]
    columns = {column.event for column in goal.map if column.event} | {goal.items}
    properties = {prop.name: prop for event in goal.types(profiles) for prop in event.properties}
    events = [properties[name].model_dump(mode="json", exclude={"title"}) for name in properties if name in columns]
    return _digest({"goal": declared, **_read(profiles, goal.properties), "events": events})


def response_fingerprint(goal: ResponseExportGoal, profiles: Profiles) -> str:
    """Return the digest of an export goal of responses: of how its rows are made and written and where they go."""
    declared = goal.model_dump(mode="json", include=_AFFECTS_RESPONSES)
    events = {role: event.name for role, event in goal.types(profiles).items()}
    names = [prop.name for prop in goal.contacts(profiles)]
    return _digest({"goal": declared, "events": events, **_read(profiles, names)})


def event_scope(goal: EventExportGoal, profiles: Profiles, objectives: Iterable[str]) -> str:
    """Return the digest of what decides which events a goal exports, and how: where it changes, all are looked at."""
    segments = profiles.with_asked_segments(goal.segment) if goal.segment else ()
    scope = {
        "fingerprint": event_export_fingerprint(goal, profiles),
        "since": goal.since and goal.since.isoformat(),
        "segments": [
            _since_lifecycles(profiles.segment(name).model_dump(mode="json", exclude={"title"})) for name in segments
        ],
        "objectives": [profiles.objective(name).model_dump(mode="json", exclude={"title"}) for name in objectives],
    }
    return _digest(scope)


def _since_lifecycles(declared: Any) -> Any:  # noqa: ANN401 - a part of what was declared
    """Return conditions without the keys that came with lifecycles where they are not used."""
    if isinstance(declared, list):
        return [_since_lifecycles(each) for each in declared]
    if not isinstance(declared, dict):
        return declared
    named = {name: _since_lifecycles(value) for name, value in declared.items()}
    return {name: value for name, value in named.items() if value is not None or name not in ("lifecycle", "stage")}


def merge_fingerprint(profiles: Profiles) -> str:
    """Return the digest of what decides which profiles are one, and which values the merged profile shows."""
    declared = profiles.model_dump(mode="json", include={"merge_rules", "survivor"}, by_alias=True)
    return _digest(
        {**declared, "properties": [[each.name, each.merged_by, each.unique] for each in profiles.properties]}
    )


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
        prop.model_dump(mode="json", exclude={*_NO_TYPE, *(name for name in _TYPE_SINCE if not getattr(prop, name))})
        for prop in records.every
        if prop.name in names
    ]


def _event_type(event: EventType) -> dict[str, Any]:
    properties = [prop.model_dump(mode="json", exclude={"title"}, exclude_defaults=True) for prop in event.properties]
    return {"name": event.name, "properties": properties}


def _rollup(rollup: Rollup, profiles: Profiles) -> dict[str, Any]:
    made = rollup.model_dump(mode="json", by_alias=True, exclude={"title"}, exclude_defaults=True)
    return {**made, "as": profiles.readable[rollup.name].sql_type}


def _digest(declared: Any) -> str:  # noqa: ANN401 - anything that is JSON
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]
