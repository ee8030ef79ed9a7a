"""Reference implementation of segments: conditions evaluated on one profile, a plain dict, without SQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from cdp_sync.model import Condition, Profiles, Property

Profile = Mapping[str, Any]


def meets(profile: Profile, when: Condition, profiles: Profiles, now: datetime) -> bool:
    """Return whether a profile meets a condition."""
    if when.all is not None:
        return all(meets(profile, part, profiles, now) for part in when.all)
    if when.any is not None:
        return any(meets(profile, part, profiles, now) for part in when.any)
    if when.not_ is not None:
        return not meets(profile, when.not_, profiles, now)
    if when.segment is not None:
        (named,) = (segment for segment in profiles.segments if segment.name == when.segment)
        return meets(profile, named.when, profiles, now)
    if when.objective is not None:
        return has_consent_state(profile, when.objective, str(when.consent), profiles)
    return property_meets(profile, when, profiles, now)


def has_consent_state(profile: Profile, objective: str, state: str, profiles: Profiles) -> bool:
    """Return whether a profile's consent to an objective has a state."""
    (zones,) = (each.zones for each in profiles.objectives if each.name == objective)
    refused = objective in (profile["refused_objectives"] or [])
    consented = objective in (profile["consented_objectives"] or []) and not refused
    needed = (profile["privacy_legislation"] or "NONE") in zones
    match state:
        case "consented":
            return consented
        case "consented_or_unneeded":
            return consented or not needed
        case "refused":
            return refused
        case "unknown":
            return not consented and not refused
        case _:
            return not consented


def property_meets(profile: Profile, when: Condition, profiles: Profiles, now: datetime) -> bool:
    """Return whether a property's values meet a condition."""
    (prop,) = (each for each in profiles.every if each.name == when.property)
    (asked,) = ((name, value) for name, value in when.model_dump(exclude_none=True).items() if name != "property")
    name, value = asked
    held = profile[prop.name]
    if name in ("is_empty", "has_value"):
        return (held in (None, "", [])) == (name == "is_empty")
    values = [] if held is None else held if prop.multiple else [held]
    plain = name.removeprefix("not_")
    return values_match(values, plain, value, prop, now) == (plain == name)


def values_match(values: Sequence[Any], asked: str, wanted: Any, prop: Property, now: datetime) -> bool:
    """Return whether a value matches; `contains_all` requires all operands among the values."""
    if prop.type in ("text", "email"):
        mine = {lower_case(value) for value in values}
        listed = {lower_case(each) for each in ([wanted] if asked == "equals" else wanted)}
        return listed <= mine if asked == "contains_all" else bool(listed & mine)
    if asked.startswith("in_"):
        first, last = limits(asked, wanted, prop, now)
        return any(first <= value <= last for value in values)
    if asked == "between":
        first, last = (typed(prop, each) for each in wanted)
        return any(first <= value <= last for value in values)
    return any(compares(value, asked, typed(prop, wanted)) for value in values)


def compares(value: Any, asked: str, wanted: Any) -> bool:
    """Return the result of a comparison."""
    return {
        "equals": value == wanted,
        "at_least": value >= wanted,
        "at_most": value <= wanted,
        "before": value < wanted,
        "after": value > wanted,
    }[asked]


def limits(asked: str, count: int, prop: Property, now: datetime) -> tuple[date, date]:
    """Return the first and last time of a relative condition, or the first and last date in UTC."""
    unit = timedelta(hours=1) if asked.endswith("hours") else timedelta(days=1)
    here = now.astimezone(UTC).date() if prop.type == "date" else now.astimezone(UTC)
    return (here - count * unit, here) if "last" in asked else (here, here + count * unit)


def lower_case(text: str) -> str:
    """Return a text in lower case, character by character, as DuckDB does."""
    return "".join("i" if sign == "İ" else sign.lower() for sign in text)


def typed(prop: Property, declared: Any) -> Any:
    """Return a declared value in the property's type."""
    if prop.type == "decimal":
        return Decimal(str(declared))
    if prop.type == "date":
        return date.fromisoformat(declared) if isinstance(declared, str) else declared
    if prop.type == "datetime":
        return moment(declared)
    return declared


def moment(declared: Any) -> datetime:
    """Return a declared date or time as an instant; without an offset it is in UTC."""
    found = datetime.fromisoformat(declared) if isinstance(declared, str) else declared
    whole = found if isinstance(found, datetime) else datetime.combine(found, time())
    return whole if whole.tzinfo else whole.replace(tzinfo=UTC)
