"""Reference implementation of conditions on events and of rollups: loops over plain dicts, from the declared form."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from cdp_sync.model import Condition, EventType, Profiles, Property
from cdp_sync_tests.exporting.segment_oracle import moment, property_meets

Event = Mapping[str, Any]
"""An event: `type`, `event_id`, `profile` and `at`, which may be None, and its properties."""
Declared = Mapping[str, Any]


def profile_meets(owner: int, when: Declared, events: Sequence[Event], profiles: Profiles, now: datetime) -> bool:
    """Return whether a profile meets a declared condition on its events and rollups."""
    if "all" in when:
        return all(profile_meets(owner, part, events, profiles, now) for part in when["all"])
    if "any" in when:
        return any(profile_meets(owner, part, events, profiles, now) for part in when["any"])
    if "not" in when:
        return not profile_meets(owner, when["not"], events, profiles, now)
    if "property" in when:
        values = {name: rolled_up(owner, name, events, profiles, now) for name in profiles.rollup}
        return asked(values, when, [profiles.readable[name] for name in values], now)
    mine = [event for event in events if event["profile"] == owner and event["at"] is not None]
    times = 0
    for event in mine:
        if event_counts(event, when, profiles, now) and followed(event, when.get("then"), mine, profiles, now):
            times += 1
    return often_enough(times, when)


def often_enough(times: int, when: Declared) -> bool:
    """Return whether a number of events is what a condition asks for."""
    if when.get("never"):
        return times == 0
    if "exactly" in when:
        return bool(times == when["exactly"])
    if "at_least" in when or "at_most" in when:
        return bool(when.get("at_least", 0) <= times <= when.get("at_most", times))
    return times > 0


def followed(event: Event, then: Declared | None, mine: Iterable[Event], profiles: Profiles, now: datetime) -> bool:
    """Return whether a later event of the same profile meets the second part of a sequence, if there is one."""
    if then is None:
        return True
    for later in mine:
        apart = later["at"] - event["at"]
        near = "within_days" not in then or apart <= timedelta(hours=24 * then["within_days"])
        if apart > timedelta(0) and near and event_counts(later, {**then, "within_days": None}, profiles, now):
            return True
    return False


def event_counts(event: Event, asks: Declared, profiles: Profiles, now: datetime) -> bool:
    """Return whether an event has the type, the time and the properties that are asked for."""
    if event["type"] != asks["event"] or not in_window(event["at"], asks, now):
        return False
    kind = profiles.event[asks["event"]]
    return "where" not in asks or event_meets(event, asks["where"], kind, now)


def in_window(at: datetime, asks: Declared, now: datetime) -> bool:
    """Return whether a time is in a window. By the calendar, it leaves at the midnight on or after its last moment."""
    if days := asks.get("in_last_days"):
        leaves = at.astimezone(UTC) + timedelta(days=days)
        if asks.get("days", "calendar") == "calendar":
            midnight = leaves.replace(hour=0, minute=0, second=0, microsecond=0)
            leaves = midnight if midnight == leaves else midnight + timedelta(days=1)
            if not at <= now < leaves:
                return False
        elif not at <= now <= leaves:
            return False
    if (hours := asks.get("in_last_hours")) and not at <= now <= at.astimezone(UTC) + timedelta(hours=hours):
        return False
    if "after" in asks and not at > moment(asks["after"]):
        return False
    return "before" not in asks or at < moment(asks["before"])


def event_meets(event: Event, where: Declared, kind: EventType, now: datetime) -> bool:
    """Return whether an event meets a declared condition on its properties and items."""
    if "all" in where:
        return all(event_meets(event, part, kind, now) for part in where["all"])
    if "any" in where:
        return any(event_meets(event, part, kind, now) for part in where["any"])
    if "not" in where:
        return not event_meets(event, where["not"], kind, now)
    if "items" in where:
        nested = kind.by_name[where["items"]]
        about = where.get("where") or {name: value for name, value in where.items() if name != "items"}
        return any(item_meets(item, about, nested.items, now) for item in event[where["items"]] or [])
    return asked(event, where, kind.properties, now)


def item_meets(item: Mapping[str, Any], where: Declared, properties: Iterable[Property], now: datetime) -> bool:
    """Return whether an item meets a declared condition on its properties."""
    if "all" in where:
        return all(item_meets(item, part, properties, now) for part in where["all"])
    if "any" in where:
        return any(item_meets(item, part, properties, now) for part in where["any"])
    if "not" in where:
        return not item_meets(item, where["not"], properties, now)
    return asked(item, where, properties, now)


def asked(values: Mapping[str, Any], where: Declared, properties: Iterable[Property], now: datetime) -> bool:
    """Return whether one value is what a question about its property asks for."""
    known: Any = SimpleNamespace(every=tuple(properties))
    return property_meets(values, Condition.model_validate(where), known, now)


def rolled_up(owner: int, name: str, events: Sequence[Event], profiles: Profiles, now: datetime) -> Any:
    """Return the value of a rollup of a profile, from its declared form."""
    (rollup,) = (each for each in profiles.rollups if each.name == name)
    asks = rollup.model_dump(exclude_none=True, by_alias=True)
    mine = [
        event
        for event in sorted(events, key=lambda each: (each["at"] or now, each["event_id"]))
        if event["profile"] == owner and event["at"] is not None and event_counts(event, asks, profiles, now)
    ]
    if "count" in asks:
        return len(mine)
    (how,) = asks.keys() - {"name", "event", "where", "in_last_days", "days", "in_last_hours", "after", "before"}
    found = [values_at(event, asks[how].split(".")) for event in mine]
    if how in ("first", "last"):
        end = 0 if how == "first" else -1
        if "." in asks[how]:
            return found[end][end] if found and found[end] else None
        return mine[end][asks[how]] if mine else None
    values = [value for each in found for value in each if value is not None]
    return _AGGREGATES[how](values) if values else None


_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "minimum": min,
    "maximum": max,
    "average": lambda values: sum(map(Decimal, values)) / len(values),
    "most_frequent": lambda values: min(values, key=lambda value: (-values.count(value), value)),
    "all_values": lambda values: sorted(set(values)),
}


def values_at(event: Event, path: Sequence[str]) -> list[Any]:
    """Return the values of an event at a path: of a property, or of one in each of its items."""
    held = event[path[0]]
    if len(path) > 1:
        return [item[path[1]] for item in held or []]
    return list(held or []) if isinstance(held, list) else [held]
