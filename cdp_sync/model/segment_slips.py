"""Do segments and objectives fit the declared profile? All slips at once, each with its place."""

from collections import deque
from collections.abc import Iterator

from cdp_sync.model.literal import literal
from cdp_sync.model.profile import Profiles, Property
from cdp_sync.model.segment import OPERATORS, Condition, Segment
from cdp_sync.model.suggestion import allowed

_WORDS = ("contains_any", "contains_all", "equals")
_RANGES = ("equals", "at_least", "at_most", "between")
_DAYS = ("before", "after", "between", "equals", "at_least", "at_most", "in_last_days", "in_next_days")
_BY_TYPE: dict[str, tuple[str, ...]] = {
    "text": _WORDS,
    "email": _WORDS,
    "number": _RANGES,
    "decimal": _RANGES,
    "boolean": ("equals",),
    "date": _DAYS,
    "datetime": (*_DAYS, "in_last_hours", "in_next_hours"),
}
_COUNTED = ("in_last_days", "in_next_days", "in_last_hours", "in_next_hours")


def find_profile_slips(profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    return [*_slips_of_objectives(profiles), *_slips_of_segments(profiles)]


def _slips_of_objectives(profiles: Profiles) -> Iterator[str]:
    for index, objective in enumerate(profiles.objectives):
        for zone in objective.zones:
            if zone not in profiles.zones:
                yield f"objectives[{index}].zones: {zone} is not in `zones`; needed is `{zone}: opt_in` or opt_out"


def _slips_of_segments(profiles: Profiles) -> Iterator[str]:
    for index, segment in enumerate(profiles.segments):
        for place, condition in segment.when.walk():
            yield from (f"segments[{index}].{place}{slip}" for slip in _slips_of(condition, profiles))
        if cycle := find_cycle(segment, profiles):
            yield f"segments[{index}].when: the segment asks about itself: {' → '.join(cycle)}"


def find_cycle(segment: Segment, profiles: Profiles) -> tuple[str, ...]:
    """Return the names of the shortest way from a segment back to itself; empty where there is none."""
    ways: dict[str, tuple[str, ...]] = {name: (segment.name, name) for name in _asked_by(segment)}
    waiting = deque(ways)
    by_name = {each.name: each for each in profiles.segments}
    while waiting and segment.name not in ways:
        name = waiting.popleft()
        further = _asked_by(by_name[name]) if name in by_name else []
        new = {each: (*ways[name], each) for each in further if each not in ways}
        ways |= new
        waiting.extend(new)
    return ways.get(segment.name, ())


def _asked_by(segment: Segment) -> list[str]:
    """Return the segments that a segment asks about, each once."""
    return list(dict.fromkeys(condition.segment for _, condition in segment.when.walk() if condition.segment))


def _slips_of(condition: Condition, profiles: Profiles) -> Iterator[str]:
    for kind, found, names in (
        ("segment", condition.segment, [segment.name for segment in profiles.segments]),
        ("objective", condition.objective, [objective.name for objective in profiles.objectives]),
        ("property", condition.property, list(profiles.by_name)),
    ):
        if found is not None and found not in names:
            yield f".{kind}: {found!r} is unknown; {allowed(found, names)}"
    if condition.property in profiles.by_name:
        yield from _slips_of_operator(condition, profiles.by_name[condition.property])


def _slips_of_operator(condition: Condition, prop: Property) -> Iterator[str]:
    (operator,) = condition.operators
    usable = operators_of(prop)
    if operator not in usable:
        yield f".{operator}: {prop.name} is {prop.type}; {allowed(operator, usable)}"
        return
    values = values_of(condition)
    slips = [slip for value in values if (slip := _slip_of_value(prop, value))]
    yield from (f".{operator}: {slip}" for slip in slips)
    if operator.removeprefix("not_") == "between" and not slips and _is_backwards(prop, values):
        yield f".{operator}: found {values[0]} before {values[1]}; the lower one comes first"


def _slip_of_value(prop: Property, value: object) -> str | None:
    try:
        literal(prop, value)
    except ValueError as slip:
        return str(slip)
    return None


def _is_backwards(prop: Property, values: tuple[object, ...]) -> bool:
    first, last = (literal(prop, value) for value in values)
    return bool(first > last)  # type: ignore[operator]  # both are of the property's type


def operators_of(prop: Property) -> tuple[str, ...]:
    """Return what can be asked of a property of this type."""
    plain = _BY_TYPE[prop.type]
    return tuple(name for name in OPERATORS if name.removeprefix("not_") in ("is_empty", "has_value", *plain))


def values_of(condition: Condition) -> tuple[object, ...]:
    """Return what a condition compares the property with; nothing where it counts time or asks for emptiness."""
    (operator,) = condition.operators
    if operator in ("is_empty", "has_value") or operator.removeprefix("not_") in _COUNTED:
        return ()
    value = getattr(condition, operator)
    return value if isinstance(value, tuple) else (value,)
