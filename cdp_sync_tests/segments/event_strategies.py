"""Generated events, and conditions on them. Times lie at the limits of windows, a microsecond before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from cdp_sync.model import EventProperty, Profiles, Property
from cdp_sync_tests.exporting.strategies import NOWS, property_condition

COUNTS = (1, 2, 7)
"""Days and hours of windows."""
TEXTS = ("a", "A", "b", "it's")
NUMBERS = (-1, 0, 1, 2)
DECIMALS = (Decimal("-0.0001"), Decimal("0.1"), Decimal(1), Decimal("2.5"))
OWNERS = (0, 1, 2, None)
"""Whose an event is; nobody's where it waits."""

_ITEMS = [
    {"name": "sku", "identifier": True},
    {"name": "price", "type": "decimal"},
    {"name": "count", "type": "number"},
    {"name": "due", "type": "date"},
]
EVENT_TYPES: list[Any] = [
    {
        "name": "order",
        "properties": [
            {"name": "coupon"},
            {"name": "amount", "type": "decimal"},
            {"name": "pieces", "type": "number"},
            {"name": "paid", "type": "datetime"},
            {"name": "tags", "multiple": True},
            {"name": "points", "type": "number", "multiple": True},
            {"name": "lines", "items": _ITEMS},
        ],
    },
    {"name": "refund", "properties": [{"name": "coupon"}, {"name": "amount", "type": "decimal"}]},
    {"name": "visit", "properties": [{"name": "coupon"}]},
]

ROLLUPS: list[dict[str, Any]] = [
    {"name": "orders", "event": "order", "count": True},
    {"name": "visits", "event": "visit", "count": True},
    {"name": "orders_2_days", "event": "order", "count": True, "in_last_days": 2},
    {"name": "orders_7_exact", "event": "order", "count": True, "in_last_days": 7, "days": "exact"},
    {"name": "revenue", "event": "order", "sum": "amount"},
    {"name": "all_pieces", "event": "order", "sum": "pieces", "where": {"property": "coupon", "has_value": True}},
    {"name": "all_points", "event": "order", "sum": "points"},
    {"name": "all_prices", "event": "order", "sum": "lines.price"},
    {"name": "smallest", "event": "order", "minimum": "amount"},
    {"name": "first_due", "event": "order", "minimum": "lines.due"},
    {"name": "last_paid", "event": "order", "maximum": "paid", "in_last_days": 7},
    {"name": "most_points", "event": "order", "maximum": "points"},
    {"name": "mean", "event": "order", "average": "amount"},
    {"name": "mean_points", "event": "order", "average": "points"},
    {"name": "mean_count", "event": "order", "average": "lines.count"},
    {"name": "first_coupon", "event": "order", "first": "coupon"},
    {"name": "last_coupon", "event": "order", "last": "coupon", "where": {"property": "coupon", "has_value": True}},
    {"name": "last_tags", "event": "order", "last": "tags", "in_last_hours": 7},
    {"name": "coupons", "event": "order", "all_values": "coupon"},
    {"name": "every_tag", "event": "order", "all_values": "tags"},
    {"name": "skus", "event": "order", "all_values": "lines.sku"},
    {"name": "first_sku", "event": "order", "first": "lines.sku"},
    {"name": "last_price", "event": "order", "last": "lines.price", "in_last_days": 7},
    {"name": "usual_sku", "event": "order", "most_frequent": "lines.sku"},
    {"name": "usual_coupon", "event": "order", "most_frequent": "coupon"},
    {"name": "usual_tag", "event": "order", "most_frequent": "tags"},
    {"name": "usual_amount", "event": "order", "most_frequent": "amount"},
    {"name": "last_refund", "event": "refund", "last": "amount"},
    {"name": "visited", "event": "visit", "last": "coupon"},
]

MODEL = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email", "identifier": True}],
        "event_types": EVENT_TYPES,
        "rollups": ROLLUPS,
    }
)


@dataclass(frozen=True)
class Events:
    """Events, a moment, conditions in their declared form, and the columns that the warehouse does not have yet."""

    events: tuple[Mapping[str, Any], ...]
    now: datetime
    conditions: tuple[dict[str, Any], ...]
    missing: frozenset[str]


@st.composite
def populations(draw: st.DrawFn) -> Events:
    """Up to twelve events and two to four conditions on them."""
    now = draw(st.sampled_from(NOWS))
    events = [event(draw, number, now) for number in range(draw(st.integers(0, 12)))]
    conditions = [condition(draw, now) for _ in range(draw(st.integers(2, 4)))]
    missing = draw(st.sampled_from([(), (), ("order.coupon", "order.lines.price"), ("refund",)]))
    return Events(tuple(events), now, tuple(conditions), frozenset(missing))


def event(draw: st.DrawFn, number: int, now: datetime) -> dict[str, Any]:
    """Draw an event with or without profile, time and values."""
    kind = draw(st.sampled_from(["order", "order", "refund"]))
    properties = MODEL.event[kind].properties
    return {
        "type": kind,
        "event_id": f"e{number}",
        "profile": draw(st.sampled_from(OWNERS)),
        "at": draw(st.sampled_from([None, *[each for each in moments(now) for _ in (1, 2)]])),
        **{prop.name: value(draw, prop, now) for prop in properties},
    }


def value(draw: st.DrawFn, prop: Property, now: datetime) -> Any:
    """Draw a value of a property, often none."""
    if isinstance(prop, EventProperty) and prop.items:
        item = st.builds(lambda: {each.name: value(draw, each, now) for each in prop.items})
        return draw(st.one_of(st.none(), st.lists(item, max_size=3)))
    values: Sequence[Any] = {
        "text": TEXTS,
        "number": NUMBERS,
        "decimal": DECIMALS,
        "date": [now.astimezone(UTC).date() + timedelta(days=days) for days in (-2, -1, 0, 1)],
        "datetime": moments(now)[:5],
    }[prop.type]
    one = st.sampled_from(values)
    if prop.multiple:
        return draw(st.one_of(st.none(), st.lists(one, max_size=3, unique=True)))
    return draw(st.one_of(st.none(), one, one))


def moments(now: datetime) -> list[datetime]:
    """Return times at the limits of windows: midnights in UTC, and so many hours and days of 24 hours before now."""
    here = now.astimezone(UTC)
    midnight = datetime.combine(here.date(), datetime.min.time(), tzinfo=UTC)
    edges = [midnight - timedelta(days=days) for days in (-1, 0, *COUNTS)]
    edges += [here - unit * count for unit in (timedelta(days=1), timedelta(hours=1)) for count in (0, *COUNTS)]
    return [edge + timedelta(microseconds=step) for edge in edges for step in (-1, 0, 1)]


def condition(draw: st.DrawFn, now: datetime, depth: int = 2) -> dict[str, Any]:
    """Draw a condition on a profile: mostly on its events."""
    match draw(st.sampled_from((*(("all", "any", "not") if depth else ()), "rollup", *("event",) * 4))):
        case "all" | "any" as kind:
            return {kind: [condition(draw, now, depth - 1) for _ in range(draw(st.integers(1, 3)))]}
        case "not":
            return {"not": condition(draw, now, depth - 1)}
        case "rollup":
            names = [rollup["name"] for rollup in ROLLUPS if "average" not in rollup]
            return property_condition(draw, MODEL.readable[draw(st.sampled_from(names))], now)
    asks = {"event": draw(st.sampled_from(["order", "order", "refund", "visit"])), **how_often(draw)}
    asks |= window(draw, now)
    asks |= where_of(draw, str(asks["event"]), now)
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["order", "refund", "refund"]))
        within = draw(st.sampled_from([{}, {"within_days": 1}, {"within_days": 2}]))
        asks["then"] = {"event": kind, **within, **where_of(draw, kind, now)}
    return asks


def how_often(draw: st.DrawFn) -> dict[str, Any]:
    """Draw how often an event is asked for."""
    forms: list[dict[str, Any]] = [
        {},
        {"never": True},
        {"at_least": 1},
        {"at_least": 2},
        {"at_least": 1, "at_most": 2},
        {"exactly": 0},
        {"exactly": 1},
        {"exactly": 2},
        {"at_most": 0},
        {"at_most": 1},
    ]
    return draw(st.sampled_from(forms))


def window(draw: st.DrawFn, now: datetime) -> dict[str, Any]:
    """Draw a window."""
    count, at = draw(st.sampled_from(COUNTS)), draw(st.sampled_from(moments(now)))
    forms: list[dict[str, Any]] = [
        {},
        {"in_last_days": count},
        {"in_last_days": count, "days": "calendar"},
        {"in_last_days": count, "days": "exact"},
        {"in_last_hours": count},
        {"after": at.isoformat()},
        {"before": at},
        {"after": date(2026, 1, 1), "before": at.replace(tzinfo=None), "in_last_days": count},
    ]
    return draw(st.sampled_from(forms))


def where_of(draw: st.DrawFn, kind: str, now: datetime) -> dict[str, Any]:
    """Draw a condition on the properties of a type of events, or none."""
    return {"where": where(draw, kind, now)} if draw(st.booleans()) else {}


def where(draw: st.DrawFn, kind: str, now: datetime, depth: int = 2) -> dict[str, Any]:
    """Draw a condition on the properties and items of an event."""
    lists = list(MODEL.event[kind].lists.values())
    match draw(st.sampled_from((*(("all", "any", "not") if depth else ()), *(("items",) * 2 if lists else ()), "is"))):
        case "all" | "any" as joined:
            return {joined: [where(draw, kind, now, depth - 1) for _ in range(draw(st.integers(1, 2)))]}
        case "not":
            return {"not": where(draw, kind, now, depth - 1)}
        case "items":
            asked = [property_condition(draw, draw(st.sampled_from(lists[0].items)), now) for _ in range(2)]
            forms = [asked[0], {"where": {"all": asked}}, {"where": {"not": {"any": asked}}}, {"where": asked[1]}]
            return {"items": lists[0].name, **draw(st.sampled_from(forms))}
    plain = [prop for prop in MODEL.event[kind].properties if not prop.items]
    return property_condition(draw, draw(st.sampled_from(plain)), now)
