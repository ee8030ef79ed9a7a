"""Generated profiles and segments. Few values, close to each other and to the current time, make conditions match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from cdp_sync.model import Profiles, Property, Segment, operators
from cdp_sync.model.questions import operators_of

TYPES = ("text", "email", "number", "decimal", "date", "datetime", "boolean")

MODEL = Profiles.model_validate(
    {
        "properties": [
            {"name": f"{kind}{'_list' if multiple else ''}", "type": kind, "multiple": multiple}
            for kind in TYPES
            for multiple in (False, True)
        ],
        "zones": {"GDPR": "opt_in", "CCPA": "opt_out", "NONE": "opt_out"},
        "objectives": [
            {"name": "news", "zones": ["GDPR"]},
            {"name": "offers", "zones": ["GDPR", "CCPA", "NONE"]},
            {"name": "service"},
        ],
    }
)
"""A property of each type, single and `multiple`, and objectives that need consent in some, all or no zones."""

NOWS = (
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5))),
    datetime(2026, 3, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=2))),
    datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Amsterdam")),
)
"""The second and the third differ from their date in UTC; the last is on a day of 23 hours."""

TEXTS = ("a", "A", "b", "ab", "É", "é", "İ", "i", "ß", "ΑΣ", "ας", "it's 5%", "$a :b", "ǅ", "x`y``")
ADDRESSES = ("a@x.nl", "A@X.nl", "b@x.nl")
NUMBERS = (-(2**63), -1, 0, 1, 2, 2**63 - 1)
DECIMALS = ("-0.0001", "0", "0.0001", "0.1", "1", "99999999999999.9999")
STATES = ("consented", "consented_or_unneeded", "refused", "unknown", "refused_or_unknown")
COUNTS = (1, 2, 24, 25)


@dataclass(frozen=True)
class Population:
    """Profiles, segments over them, and the time of evaluation."""

    profiles: Profiles
    people: tuple[Mapping[str, Any], ...]
    now: datetime
    missing: frozenset[str]
    """Properties whose columns the warehouse does not have yet."""


@st.composite
def populations(draw: st.DrawFn) -> Population:
    """Up to eight profiles and one to four segments, which may refer to earlier segments."""
    now = draw(st.sampled_from(NOWS))
    segments: list[Segment] = []
    for number in range(draw(st.integers(1, 4))):
        names = tuple(segment.name for segment in segments)
        segments.append(Segment.model_validate({"name": f"segment{number}", "when": condition(draw, names, now)}))
    found = draw(st.lists(people(now), max_size=8))
    every = sorted(MODEL.by_name)
    missing = draw(st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(every), max_size=6)))
    profiles = MODEL.model_copy(update={"segments": tuple(segments)})
    return Population(profiles, tuple(found), now, frozenset(missing))


@cache
def people(now: datetime) -> st.SearchStrategy[dict[str, Any]]:
    """Profiles with a value, or none, for each property."""
    return st.fixed_dictionaries({prop.name: property_values(prop, now) for prop in MODEL.every})


def property_values(prop: Property, now: datetime) -> st.SearchStrategy[Any]:
    """A property's value: often null; a text or a list may be empty."""
    values = st.sampled_from(possible_values(prop, now))
    if prop.multiple:
        return st.one_of(st.none(), st.just([]), *[st.lists(values, min_size=1, max_size=3, unique=True)] * 3)
    empty = [st.just("")] if prop.type == "text" and not prop.among else []
    return st.one_of(st.none(), *empty, *[values] * 3)


def possible_values(prop: Property, now: datetime) -> Sequence[Any]:
    """Return the values of a property, both for profiles and for conditions."""
    if prop.among:
        return [name for name in prop.among if name in ("GDPR", "CCPA", "NONE", "PIPEDA", "news", "offers", "service")]
    if prop.type == "decimal":
        return [Decimal(number) for number in DECIMALS]
    if prop.type in ("date", "datetime"):
        return [*days(now)] if prop.type == "date" else [*moments(now)]
    return {"text": TEXTS, "email": ADDRESSES, "number": NUMBERS, "boolean": (False, True)}[prop.type]


def days(now: datetime) -> list[date]:
    """Return days around the limits of relative conditions."""
    return [now.astimezone(UTC).date() + timedelta(days=days) for days in (-25, -24, -3, -2, -1, 0, 1, 2, 3, 24)]


def moments(now: datetime) -> list[datetime]:
    """Return times at the limits of relative conditions, and a microsecond before and after each."""
    edges = [now.astimezone(UTC) + timedelta(hours=hours) for hours in (-48, -24, -2, -1, 0, 1, 24, 25)]
    midnight = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC)
    return [midnight, *(edge + timedelta(microseconds=step) for edge in edges for step in (-1, 0, 1))]


def condition(draw: st.DrawFn, segments: Sequence[str], now: datetime, depth: int = 3) -> dict[str, Any]:
    """Draw a condition in its declared form, mostly on a property."""
    nested = ("all", "any", "not") if depth else ()
    named = ("segment",) if segments else ()
    match draw(st.sampled_from((*nested, *named, "consent", *("property",) * 4))):
        case "all" | "any" as kind:
            return {kind: [condition(draw, segments, now, depth - 1) for _ in range(draw(st.integers(1, 3)))]}
        case "not":
            return {"not": condition(draw, segments, now, depth - 1)}
        case "segment":
            return {"segment": draw(st.sampled_from(segments))}
        case "consent":
            names = [objective.name for objective in MODEL.objectives]
            return {"objective": draw(st.sampled_from(names)), "consent": draw(st.sampled_from(STATES))}
        case _:
            return property_condition(draw, draw(st.sampled_from(MODEL.every)), now)


def property_condition(draw: st.DrawFn, prop: Property, now: datetime) -> dict[str, Any]:
    """Draw an operator of a property with its operand."""
    operator = draw(st.sampled_from(operators_of(prop)))
    return {"property": prop.name, operator: operand_of(draw, prop, operators.NAMES[operator][0], now)}


def operand_of(draw: st.DrawFn, prop: Property, operator: operators.Operator, now: datetime) -> Any:
    """Draw the operand of an operator."""
    if operator.wants is operators.FLAG:
        return True
    if operator.wants is operators.COUNT:
        return draw(st.sampled_from(COUNTS))
    count = (
        draw(st.integers(1, 3)) if operator.wants is operators.TEXTS else 2 if operator.wants is operators.RANGE else 1
    )
    values = [draw(st.sampled_from(possible_values(prop, now))) for _ in range(count)]
    if operator.wants is operators.TEXTS:
        return values
    ways = [draw(st.sampled_from(yaml_forms(value))) for value in sorted(values)]
    return ways if operator.wants is operators.RANGE else ways[0]


def yaml_forms(value: Any) -> list[Any]:
    """Return the forms in which YAML can hold a value."""
    if isinstance(value, Decimal):
        return [str(value), *(short for short in (int(value), float(value)) if Decimal(str(short)) == value)]
    if isinstance(value, datetime):
        midnight = datetime.combine(value.date(), datetime.min.time(), tzinfo=UTC)
        plain = value.astimezone(UTC).replace(tzinfo=None)
        return [value, value.isoformat(), plain, *([value.date()] if value == midnight else [])]
    return [value, value.isoformat()] if isinstance(value, date) else [value]
