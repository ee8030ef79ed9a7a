"""A segment's condition in words: markdown, with nested conditions as a list below their heading.

Names and texts stand in backticks, so that markdown leaves them alone; numbers, dates and times do not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cdp_sync.model import Condition, EventProperty, EventWindow, Lifecycle, Profiles, Property, Segment
from cdp_sync.model.counting import counted
from cdp_sync.model.operators import COUNT, FLAG, TEXTS
from cdp_sync.model.profile import literal
from cdp_sync.model.segment import Question
from cdp_sync.model.window import HAPPENED_AT

_CONSENT = {
    "consented": "has consented to {}",
    "consented_or_unneeded": "has consented to {}, or it needs no consent",
    "refused": "has refused {}",
    "unknown": "has neither consented to {} nor refused it",
    "refused_or_unknown": "has refused {}, or has not consented to it",
}
_DENIED = {"all of:": "not all of:", "any of:": "none of:"}


def in_words(segment: Segment, profiles: Profiles) -> str:
    """Return a segment's condition in words; it names the segments that it asks about."""
    return "\n".join(_lines(segment.when, _About(profiles, profiles.readable)))


def lifecycle_in_words(lifecycle: Lifecycle, profiles: Profiles) -> str:
    """Return who is in a lifecycle and in each stage, in words, as a list."""
    about = _About(profiles, profiles.readable)
    stages = (
        (f"stage {_code(stage.name)}{f' ({stage.title})' if stage.title else ''}", stage.when)
        for stage in lifecycle.stages
    )
    every = (("in it", lifecycle.enter), *stages, ("completed", lifecycle.complete), ("in it again", lifecycle.reenter))
    return "\n".join(
        line for name, when in every if when for line in _entry(_prefixed(f"{name}: ", _lines(when, about)))
    )


@dataclass(frozen=True)
class _About:
    """What a condition is about: profiles, or inside `where` events, items or groups, and the properties of those."""

    profiles: Profiles
    properties: Mapping[str, Property]

    def event(self, name: str) -> "_About":
        return _About(self.profiles, self.profiles.event[name].by_name)

    def group(self, name: str) -> "_About":
        return _About(self.profiles, self.profiles.group[str(self.properties[name].group_type)].by_name)

    def items(self, name: str) -> "_About":
        nested = self.properties[name]
        return _About(self.profiles, nested.item if isinstance(nested, EventProperty) else {})


def _lines(when: Condition, about: _About) -> Iterator[str]:
    if when.not_:
        heading, *rest = _lines(when.not_, about)
        yield _DENIED.get(heading, f"not: {heading}")
        yield from rest
    elif when.parts:
        yield "all of:" if when.all else "any of:"
        for part in when.parts:
            yield from _entry(_lines(part, about))
    elif when.event:
        yield from _happens(when, about)
    elif when.items:
        yield from _prefixed(f"in one of {_code(when.items)}, ", _lines(when.part, about.items(when.items)))
    elif when.group:
        yield from _prefixed(f"in one of the groups {_code(when.group)}, ", _lines(when.part, about.group(when.group)))
    else:
        yield _sentence(when, about)


def _entry(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines as an entry of a list."""
    for number, line in enumerate(lines):
        yield f"  {line}" if number else f"- {line}"


def _prefixed(prefix: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line if number else f"{prefix}{line}"


def _happens(when: Condition, about: _About) -> Iterator[str]:
    """Yield a heading about the events, and what is asked of them: in the same line where that is one thing."""
    heading = " ".join([f"has {_how_often(when)}", *_when(when.window)])
    details = []
    if when.where:
        details.append([*_prefixed("where ", _lines(when.where, about.event(str(when.event))))])
    if then := when.then:
        within = f" within {counted(then.within_days, 'day')}" if then.within_days else ""
        second = f"followed by an event {_code(then.event)}{within}"
        where = _lines(then.where, about.event(then.event)) if then.where else ()
        details.append([*_prefixed(f"{second}, where ", where)] or [second])
    if len(details) > 1:
        yield f"{heading}:"
        for lines in details:
            yield from _entry(lines)
    else:
        yield from _prefixed(f"{heading}, ", details[0]) if details else [heading]


def _how_often(when: Condition) -> str:
    least, most = when.how_often
    name = _code(str(when.event))
    if most == 0:
        return f"no event {name}"
    if (least, most) == (1, None):
        return f"an event {name}"
    if least and most and least < most:
        return f"{least} to {most} events {name}"
    how = "exactly" if least == most else "at most" if most else "at least"
    return f"{how} {counted(most or least, 'event')} {name}"


def _when(window: EventWindow) -> Iterator[str]:
    if window.in_last_days:
        kind = " of 24 hours" if window.days == "exact" else ""
        yield f"in the last {counted(window.in_last_days, 'day')}{kind}"
    if window.in_last_hours:
        yield f"in the last {counted(window.in_last_hours, 'hour')}"
    for name, moment in (("after", window.after), ("before", window.before)):
        if moment is not None:
            yield f"{name} {_value(literal(HAPPENED_AT, moment))}"


def _sentence(when: Condition, about: _About) -> str:
    if when.segment:
        return f"is in the segment {_code(when.segment)}"
    if when.lifecycle:
        stages = " or ".join(map(_code, when.stage or ()))
        return f"is {f'in the stage {stages} of' if stages else 'in'} the lifecycle {_code(when.lifecycle)}"
    if when.objective:
        return _CONSENT[str(when.consent)].format(_code(when.objective))
    (question,) = when.questions()
    prop = about.properties[str(when.property)]
    operator, name, wanted = question.operator, _code(prop.name), _wanted(question, prop)
    if operator.of_all and (prop.multiple or operator.wants is FLAG):
        return f"{name} {operator.of_all[question.is_opposite].format(*wanted)}"
    words = operator.words.format(*wanted)
    if operator.wants is COUNT and question.wanted == 1:
        words = words.removesuffix("s")
    if prop.multiple:
        return f"{'none' if question.is_opposite else 'one'} of {name} is {words}"
    return f"{name} is {'empty or not ' if question.is_opposite else ''}{words}"


def _wanted(question: Question, prop: Property) -> list[str]:
    """Return what stands in the sentence for what the property is compared with."""
    values = [_value(literal(prop, value)) for value in question.values]
    if question.operator.wants is TEXTS:
        return [", ".join(values)]
    return [str(question.wanted)] if question.operator.wants is COUNT else values


def _value(value: object) -> str:
    if isinstance(value, str):
        return _code(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None)} UTC"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> str:
    """Return a text as markdown's code, fenced by more backticks than it has in a row."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
