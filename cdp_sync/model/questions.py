"""What is wrong with what conditions, rollups and scores ask of properties, events and groups.

Problems are yielded as `place: what was found; what is allowed`, the place relative to the condition.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cdp_sync.model.event import EventProperty
from cdp_sync.model.lifecycle import COMPLETED
from cdp_sync.model.operators import NAMES, RANGE
from cdp_sync.model.profile import Profiles, literal
from cdp_sync.model.property import Property
from cdp_sync.model.rollup import Rollup
from cdp_sync.model.score import Score
from cdp_sync.model.segment import Condition, Question, Then
from cdp_sync.model.suggestion import allowed
from cdp_sync.model.window import HAPPENED_AT, EventWindow

_INSIDE = ("segment", "objective", "event", "group", "lifecycle")
"""Kinds of conditions that are about profiles alone."""


def asked_problems(condition: Condition, profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the profile in what a condition asks of a property, of events or of groups."""
    if condition.event:
        yield from event_problems(condition, profiles)
    elif condition.items:
        yield "items: a profile has no items; they are asked about in `where` beside `event`"
    elif condition.group:
        yield from group_problems(condition, profiles)
    elif condition.lifecycle:
        yield from lifecycle_problems(condition, profiles)
    elif name := condition.property:
        if prop := profiles.readable.get(name):
            yield from question_problems(condition, prop)
        elif name not in profiles.rollup:  # what is wrong with a rollup stands at its own place
            yield f"property: {profiles.unreadable(name)}"


def question_problems(condition: Condition, prop: Property) -> Iterator[str]:
    """Yield what is wrong with what a condition asks of its property."""
    (question,) = condition.questions()
    yield from (f"{question.name}: {problem}" for problem in _problems_of_question(question, prop))


def _problems_of_question(question: Question, prop: Property) -> Iterator[str]:
    usable = operators_of(prop)
    if question.name not in usable:
        yield f"{prop.name} is {prop.type}; {allowed(question.name, usable)}"
        return
    read: list[Any] = []
    for value in question.values:
        try:
            read.append(literal(prop, value))
        except ValueError as problem:
            yield str(problem)
    if question.operator.wants is RANGE and len(read) == len(question.values) and read[0] > read[1]:
        yield f"found {question.values[0]} before {question.values[1]}; the lower one comes first"


def operators_of(prop: Property) -> tuple[str, ...]:
    """Return what can be asked of a property of this type."""
    return tuple(name for name, (operator, _) in NAMES.items() if prop.type in operator.types)


def rollup_problems(rollup: Rollup, profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the declared types of events."""
    event = profiles.event.get(rollup.event)
    yield from _of_events(rollup.event, rollup.where, profiles)
    yield from _window_problems(rollup)
    if event:
        yield from rollup.problems(event)


def score_problems(score: Score, profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the declared types of events."""
    if score.share:
        found = _of_events(score.share.of, score.share.where, profiles, key="of")
        yield from (f"share.{problem}" for problem in found)
    yield from score.problems(profiles.event)


def event_problems(condition: Condition, profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the declared types of events."""
    yield from _of_events(str(condition.event), condition.where, profiles)
    yield from _window_problems(condition.window)
    if condition.then:
        yield from (f"then.{problem}" for problem in _of_then(condition.then, profiles))


def _of_then(then: Then, profiles: Profiles) -> Iterator[str]:
    yield from _of_events(then.event, then.where, profiles)


def _of_events(name: str, where: Condition | None, profiles: Profiles, key: str = "event") -> Iterator[str]:
    event = profiles.event.get(name)
    if event is None:
        yield f"{key}: {name!r} is unknown; {allowed(name, profiles.event)}"
    elif where:
        plain = {each.name: each for each in event.properties if not each.items}
        yield from where_problems(where, plain, event.lists)


def where_problems(
    where: Condition, properties: Mapping[str, Property], lists: Mapping[str, EventProperty]
) -> Iterator[str]:
    """Yield what does not fit the properties, and the lists of items, of what `where` is about."""
    for place, condition in where.walk("where"):
        if kind := next((name for name in _INSIDE if getattr(condition, name) is not None), None):
            found = getattr(condition, kind)
            yield f"{place}.{kind}: {found!r} is asked of profiles; inside where: all, any, not, property, items"
        elif condition.items:
            yield from (f"{place}.{problem}" for problem in _items_problems(condition, lists))
        elif name := condition.property:
            if prop := properties.get(name):
                yield from (f"{place}.{problem}" for problem in question_problems(condition, prop))
            elif name in lists:
                yield f"{place}.property: {name!r} is a list of items; needed is `items: {name}` with a condition"
            else:
                yield f"{place}.property: {name!r} is unknown; {allowed(name, properties)}"


def _items_problems(condition: Condition, lists: Mapping[str, EventProperty]) -> Iterator[str]:
    nested = lists.get(name := str(condition.items))
    if nested is None:
        yield f"items: {name!r} is no list of items; {allowed(name, lists)}"
    else:
        yield from part_problems(condition, nested.item)


def part_problems(condition: Condition, properties: Mapping[str, Property]) -> Iterator[str]:
    """Yield what does not fit the properties of the items, or of the groups, that a condition is about."""
    if condition.where:
        yield from where_problems(condition.where, properties, {})
    elif prop := properties.get(name := str(condition.property)):
        yield from question_problems(condition, prop)
    else:
        yield f"property: {name!r} is unknown; {allowed(name, properties)}"


def group_problems(condition: Condition, profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the properties of type `group`, and the properties of those groups."""
    props = {prop.name: prop for prop in profiles.properties if prop.group_type}
    prop = props.get(name := str(condition.group))
    if prop is None:
        yield f"group: {name!r} is no property of type group; {allowed(name, props)}"
    elif group := profiles.group.get(str(prop.group_type)):
        yield from part_problems(condition, group.by_name)


def lifecycle_problems(condition: Condition, profiles: Profiles) -> Iterator[str]:
    """Yield what is wrong with the lifecycle that a condition names, and with its stages."""
    yield from profiles.lifecycle_problem("lifecycle", name := str(condition.lifecycle))
    lifecycle = profiles.lifecycle.get(name)
    known = (*lifecycle.every_stage, COMPLETED) if lifecycle else ()
    for stage in (condition.stage or ()) if lifecycle else ():
        if stage not in known:
            yield f"stage: {stage!r} is unknown; {allowed(stage, known)}"


def _window_problems(window: EventWindow) -> Iterator[str]:
    read: dict[str, Any] = {}
    for name, value in (("after", window.after), ("before", window.before)):
        if value is not None:
            try:
                read[name] = literal(HAPPENED_AT, value)
            except ValueError as problem:
                yield f"{name}: {problem}"
    if len(read) == 2 and read["after"] >= read["before"]:
        yield f"before: found {window.before}, which is not later than after: {window.after}"
