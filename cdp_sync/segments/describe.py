"""A segment's condition as a person would say it: markdown, with nested conditions as a list below their heading.

Names and texts stand in backticks, so that markdown leaves them alone; numbers, dates and times do not.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from cdp_sync.model import Condition, Profiles, Property, Segment
from cdp_sync.model.literal import literal
from cdp_sync.model.segment_slips import values_of

_CONSENT = {
    "consented": "has consented to {}",
    "consented_or_unneeded": "has consented to {}, or it needs no consent",
    "refused": "has refused {}",
    "unknown": "has neither consented to {} nor refused it",
    "refused_or_unknown": "has refused {}, or has not consented to it",
}
_OF_SEVERAL = {
    "contains_any": "has one of {}",
    "contains_all": "has all of {}",
    "not_contains_any": "has none of {}",
    "not_contains_all": "does not have all of {}",
}
_PHRASES = {
    "contains_any": "one of {}",
    "contains_all": "all of {}",
    "equals": "{}",
    "at_least": "at least {}",
    "at_most": "at most {}",
    "between": "between {} and {}",
    "before": "before {}",
    "after": "after {}",
}
_DENIED = {"all of:": "not all of:", "any of:": "none of:"}


def in_words(segment: Segment, profiles: Profiles) -> str:
    """Return a segment's condition in words; segments that it asks about are named, not spelt out."""
    return "\n".join(_lines(segment.when, profiles))


def _lines(when: Condition, profiles: Profiles) -> Iterator[str]:
    if when.not_:
        heading, *rest = _lines(when.not_, profiles)
        yield _DENIED.get(heading, f"not: {heading}")
        yield from rest
    elif when.parts:
        yield "all of:" if when.all else "any of:"
        for part in when.parts:
            yield from _bullet(_lines(part, profiles))
    else:
        yield _question(when, profiles)


def _bullet(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {line}" if number else f"- {line}"


def _question(when: Condition, profiles: Profiles) -> str:
    if when.segment:
        return f"is in the segment {_code(when.segment)}"
    if when.objective:
        return _CONSENT[str(when.consent)].format(_code(when.objective))
    return _property(when, profiles.by_name[str(when.property)])


def _property(when: Condition, prop: Property) -> str:
    (asked,) = when.operators
    name, plain = _code(prop.name), asked.removeprefix("not_")
    if asked in ("is_empty", "has_value"):
        return f"{name} {'is empty' if asked == 'is_empty' else 'has a value'}"
    if prop.multiple and asked in _OF_SEVERAL:
        return f"{name} {_OF_SEVERAL[asked].format(_listed(when, prop))}"
    if prop.multiple:
        return f"{'one' if asked == plain else 'none'} of {name} is {_phrase(when, prop, plain)}"
    return f"{name} is {'' if asked == plain else 'empty or not '}{_phrase(when, prop, plain)}"


def _phrase(when: Condition, prop: Property, plain: str) -> str:
    if plain.startswith("contains"):
        return _PHRASES[plain].format(_listed(when, prop))
    if plain in _PHRASES:
        return _PHRASES[plain].format(*(_value(prop, value) for value in values_of(when)))
    (asked,) = when.operators
    _, which, unit = plain.split("_")
    count = getattr(when, asked)
    return f"in the {which} {count} {unit if count > 1 else unit.removesuffix('s')}"


def _listed(when: Condition, prop: Property) -> str:
    return ", ".join(_value(prop, value) for value in values_of(when))


def _value(prop: Property, declared: object) -> str:
    match literal(prop, declared):
        case str(text):
            return _code(text)
        case bool(told):
            return str(told).lower()
        case Decimal() as number:
            return f"{number:f}"
        case datetime() as moment:
            return f"{moment.replace(tzinfo=None)} UTC"
        case other:
            return str(other)


def _code(text: str) -> str:
    """Return a text as markdown's code, fenced by more backticks than it has in a row."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
