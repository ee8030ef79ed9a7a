"""A segment's condition in words: markdown, with nested conditions as a list below their heading.

Names and texts stand in backticks, so that markdown leaves them alone; numbers, dates and times do not.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from cdp_sync.model import Condition, Profiles, Property, Segment
from cdp_sync.model.operators import COUNT, FLAG, TEXTS
from cdp_sync.model.profile import literal
from cdp_sync.model.segment import Question

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
    return "\n".join(_lines(segment.when, profiles))


def _lines(when: Condition, profiles: Profiles) -> Iterator[str]:
    if when.not_:
        heading, *rest = _lines(when.not_, profiles)
        yield _DENIED.get(heading, f"not: {heading}")
        yield from rest
    elif when.parts:
        yield "all of:" if when.all else "any of:"
        for part in when.parts:
            lines = _lines(part, profiles)
            for number, line in enumerate(lines):
                yield f"  {line}" if number else f"- {line}"
    else:
        yield _sentence(when, profiles)


def _sentence(when: Condition, profiles: Profiles) -> str:
    if when.segment:
        return f"is in the segment {_code(when.segment)}"
    if when.objective:
        return _CONSENT[str(when.consent)].format(_code(when.objective))
    (question,) = when.questions()
    prop = profiles.by_name[str(when.property)]
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
