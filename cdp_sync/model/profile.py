"""The properties that a profile has, and the declared values that conditions compare them with."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cdp_sync.model.analytics import Analytics
from cdp_sync.model.counting import counted
from cdp_sync.model.declared import Declared
from cdp_sync.model.event import DeclaredEventType, EventType
from cdp_sync.model.group import GroupType
from cdp_sync.model.lifecycle import STAGE_CHANGED, Lifecycle
from cdp_sync.model.merge_rule import MergeRule, Survivor
from cdp_sync.model.privacy import CONSENT_PROPERTIES, ZONES, Consent, Objective, Zone
from cdp_sync.model.property import RESERVED, Property
from cdp_sync.model.records import Records
from cdp_sync.model.rollup import Rollup, rolled_up
from cdp_sync.model.schedule import Schedule
from cdp_sync.model.score import Score
from cdp_sync.model.segment import Segment
from cdp_sync.model.suggestion import allowed

_PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name", "type": "text"},
    {"name": "order_total", "type": "decimal"},
]
_EVENT_TYPES = ["order", {"name": "visit", "properties": [{"name": "store"}], "keep_days": 365}]
_GROUP_TYPES = [
    {"name": "store", "title": "Store", "properties": [{"name": "city"}, {"name": "opened", "type": "date"}]}
]
_ROLLUPS = [{"name": "orders_90_days", "event": "order", "count": True, "in_last_days": 90}]
_SCORES = [{"name": "likely_to_open", "rate": {"of": "email_opened", "among": "email_delivered"}}]
_SEGMENT = {"name": "big_spenders", "title": "Spent 40 or more", "when": {"property": "order_total", "at_least": 40}}
_INTERACTIONS = {"event": "visit", "property": "store"}
_MERGE_RULES = [{"property": "email"}, {"property": "customer_id", "and": [{"same": "postal_code"}]}]
_ANALYTICS = {"attribution_days": 7, "schedule": {"times_per_day": 1, "starting_at": "06:00"}}


VIEWED_INTERACTIONS = "viewed_interactions"
"""The name by which the interactions that a profile has seen are read, like a rollup."""

PERMISSION_LEVEL = "permission_level"
"""The property that says what a person permits: 0 do not track, 1 anonymous, 2 personal."""


class Interactions(Declared):
    """The events by which people see interactions, such as dialogues of a site."""

    event: str
    """Type of the events."""
    property: str
    """Property of such an event that names the interaction."""


class Profiles(Records):
    """The declared profile: its properties in column order, its segments, and what it says of consent."""

    noun: ClassVar[Literal["profile", "group"]] = "profile"
    key: ClassVar[str] = "profile_id"

    properties: Annotated[tuple[Property, ...], Field(examples=[_PROPERTIES])]
    """The properties, in column order."""
    zones: dict[Zone, Consent] = Field(default_factory=dict)
    """Whether consent is opt-in or opt-out in a zone of legislation; NONE is the rest of the world."""
    objectives: tuple[Objective, ...] = ()
    """What data is used for; connections can be bound to them."""
    event_types: Annotated[tuple[DeclaredEventType, ...], Field(examples=[_EVENT_TYPES])] = ()
    """What people do: types of events, each with its properties. A name alone stands for a ready-made type."""
    group_types: Annotated[tuple[GroupType, ...], Field(examples=[_GROUP_TYPES])] = ()
    """What people belong to: types of groups, each with its properties."""
    rollups: Annotated[tuple[Rollup, ...], Field(examples=[_ROLLUPS])] = ()
    """Values that are worked out of a profile's events when they are read: by segments, exports and people."""
    scores: Annotated[tuple[Score, ...], Field(examples=[_SCORES])] = ()
    """Percentiles of profiles by their events, computed by a job; segments and exports read them like properties."""
    scores_schedule: Schedule = Schedule(times_per_day=1, starting_at=time(2))
    """When all scores are computed."""
    interactions: Annotated[Interactions | None, Field(examples=[_INTERACTIONS])] = None
    """What counts as an interaction that a profile has seen; read as `viewed_interactions`."""
    segments: Annotated[tuple[Segment, ...], Field(examples=[[_SEGMENT]])] = ()
    """Groups of profiles, selected by conditions."""
    merge_rules: Annotated[tuple[MergeRule, ...], Field(examples=[_MERGE_RULES])] = ()
    """Which profiles are the same person and become one: those that one of the rules says it of."""
    survivor: Survivor = "newest"
    """Which of these profiles stays, by when it was created; the others are merged into it."""
    analytics: Annotated[Analytics | None, Field(examples=[_ANALYTICS])] = None
    """What the figures of analytics are counted from; declared, each view of them is an asset."""

    @model_validator(mode="after")
    def _check(self) -> "Profiles":
        for what, names in (
            ("properties", [prop.name for prop in self.properties]),
            ("objectives", [objective.name for objective in self.objectives]),
            ("event_types", [event.name for event in self.event_types]),
            ("group_types", [group.name for group in self.group_types]),
            ("rollups", [rollup.name for rollup in self.rollups] + [VIEWED_INTERACTIONS] * bool(self.interactions)),
            ("scores", [score.name for score in self.scores]),
            ("segments", [segment.name for segment in self.segments]),
            ("merge_rules", [rule.words for rule in self.merge_rules]),
        ):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what}: declared more than once: {', '.join(repeated)}")
        if self.objectives and (taken := {prop.name for prop in self.properties} & set(CONSENT_PROPERTIES)):
            raise ValueError(f"properties: {', '.join(sorted(taken))}: comes with the objectives; leave it out")
        if clash := self.rollup.keys() & self.by_name.keys():
            raise ValueError(f"rollups: {', '.join(sorted(clash))}: a property has this name; choose another name")
        if clash := self.score.keys() & {*self.by_name, *self.rollup}:
            what = "a property or a rollup has this name"
            raise ValueError(f"scores: {', '.join(sorted(clash))}: {what}; choose another name")
        return self

    @cached_property
    def every(self) -> tuple[Property, ...]:
        """The properties, and those that hold consent where there are objectives."""
        if not self.objectives:
            return self.properties
        names = tuple(objective.name for objective in self.objectives)
        zone, *lists = CONSENT_PROPERTIES
        among = [Property(name=name, multiple=True, among=names) for name in lists]
        return (*self.properties, Property(name=zone, among=ZONES), *among)

    @cached_property
    def lifecycles(self) -> tuple[Lifecycle, ...]:
        """The lifecycles of the project; each is declared as a component of its own. See `with_lifecycles`."""
        return ()

    @cached_property
    def lifecycle(self) -> Mapping[str, Lifecycle]:
        """The lifecycles by name."""
        return {lifecycle.name: lifecycle for lifecycle in self.lifecycles}

    def with_lifecycles(self, lifecycles: Iterable[Lifecycle]) -> Self:
        """Return this profile with the lifecycles of the project; with any, `stage_changed` is a type of its events."""
        found = tuple(lifecycles)
        further = (STAGE_CHANGED,) if found and STAGE_CHANGED.name not in self.event else ()
        made = type(self)(**self._declared | {"event_types": (*self.event_types, *further)})
        made.__dict__["lifecycles"] = found
        return made

    def with_properties(self, more: Iterable[Property]) -> Self:
        """Return this profile with further properties after its own."""
        made = super().with_properties(more)
        made.__dict__["lifecycles"] = self.lifecycles
        return made

    @property
    def table(self) -> str:
        """The table of profiles."""
        return "profile"

    @cached_property
    def rollup(self) -> Mapping[str, Rollup]:
        """The rollups by name, and `viewed_interactions` where it is declared what these are."""
        seen = self.interactions
        made = (Rollup(name=VIEWED_INTERACTIONS, event=seen.event, all_values=seen.property),) if seen else ()
        return {rollup.name: rollup for rollup in (*self.rollups, *made)}

    @cached_property
    def score(self) -> Mapping[str, Score]:
        """The scores by name."""
        return {score.name: score for score in self.scores}

    @cached_property
    def readable(self) -> Mapping[str, Property]:
        """What segments and exports can read, by name: the properties, and rollups and scores as properties."""
        scores = {name: score.prop for name, score in self.score.items()}
        return {**self.by_name, **rolled_up(self.rollup, self.event), **scores}

    @property
    def permission_level(self) -> Property | None:
        """The property that holds the permission level, if there is one."""
        found = self.by_name.get(PERMISSION_LEVEL)
        return found if found and found.type == "number" and not found.multiple else None

    def are_personal(self, names: Iterable[str]) -> bool:
        """Return whether one of these properties is personal."""
        return any(self.by_name[name].is_personal for name in names if name in self.by_name)

    @property
    def reserved(self) -> frozenset[str]:
        """Columns of every profile, and the names of rollups and scores."""
        return RESERVED | self.rollup.keys() | self.score.keys()

    @property
    def consent(self) -> tuple[Property, ...]:
        """Where objectives are declared, the properties of `CONSENT_PROPERTIES`."""
        return tuple(self.by_name[name] for name in CONSENT_PROPERTIES) if self.objectives else ()

    @cached_property
    def event(self) -> Mapping[str, EventType]:
        """The types of events by name."""
        return {event.name: event for event in self.event_types}

    @cached_property
    def group(self) -> Mapping[str, GroupType]:
        """The types of groups by name."""
        return {group.name: group for group in self.group_types}

    def segment(self, name: str) -> Segment:
        """Return a declared segment."""
        return next(segment for segment in self.segments if segment.name == name)

    def unknown(self, name: str) -> str:
        """Return what is wrong with a property that cannot be written, and which can."""
        if name in self.rollup:
            return f"{name!r} is a rollup, worked out of events and never written; {allowed(name, self.by_name)}"
        if name in self.score:
            return f"{name!r} is a score, computed of events and never imported; {allowed(name, self.by_name)}"
        return super().unknown(name)

    def unreadable(self, name: str) -> str:
        """Return what is wrong with a property that cannot be read, and which can."""
        return f"{name!r} is unknown; {allowed(name, self.readable)}"

    def segment_problem(self, key: str, name: str) -> Iterator[str]:
        """Yield what is wrong with the name of a segment under a key, if anything."""
        if name not in (names := [segment.name for segment in self.segments]):
            yield f"{key}: {name!r} is unknown; {allowed(name, names)}"

    def lifecycle_problem(self, key: str, name: str) -> Iterator[str]:
        """Yield what is wrong with the name of a lifecycle under a key, if anything."""
        if name not in self.lifecycle:
            yield f"{key}: {name!r} is unknown; {allowed(name, self.lifecycle)}"

    def link_problems(self, linked: Iterable[str]) -> Iterator[str]:
        """Yield what is wrong with the properties of links, each as `path: what was found; what is allowed`."""
        identifiers = [prop.name for prop in self.identifiers]
        for index, name in enumerate(linked):
            if name not in identifiers:
                what = "is not an identifier" if name in self.readable else "is unknown"
                yield f"link[{index}].property: {name!r} {what}; {allowed(name, identifiers)}"

    def with_asked_segments(self, name: str) -> tuple[str, ...]:
        """Return a segment's name, and those of all segments that its condition asks about."""
        found = {name: None}
        for _, part in self.segment(name).when.walk():
            if part.segment:
                found |= dict.fromkeys(self.with_asked_segments(part.segment))
        return tuple(found)

    def asked_events(self, name: str) -> tuple[str, ...]:
        """Return the types of events that a segment's own condition reads, directly or by a rollup."""
        found: dict[str, None] = {}
        for _, part in self.segment(name).when.walk():
            rollup = self.rollup.get(part.property or "")
            asked = [part.event, part.then and part.then.event, rollup and rollup.event]
            found |= dict.fromkeys(each for each in asked if each)
        return tuple(found)

    def asked_scores(self, name: str) -> tuple[str, ...]:
        """Return the scores that a segment's own condition reads."""
        asked = (str(part.property) for _, part in self.segment(name).when.walk() if part.property in self.score)
        return tuple(dict.fromkeys(asked))

    def asked_groups(self, name: str) -> tuple[str, ...]:
        """Return the types of groups that a segment's own condition reads."""
        named = (self.by_name[part.group].group_type for _, part in self.segment(name).when.walk() if part.group)
        return tuple(dict.fromkeys(each for each in named if each))

    def objective(self, name: str) -> Objective:
        """Return a declared objective."""
        return next(objective for objective in self.objectives if objective.name == name)


_EXAMPLES = {
    "text": "text in quotes; where there is none it `is_empty`",
    "email": "text in quotes; where there is none it `is_empty`",
    "group": "text in quotes; where there is none it `is_empty`",
    "number": "a whole number of 64 bits",
    "date": "a date such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00Z, or a date",
    "boolean": "true or false",
}

_EXACT_DIGITS = 15
"""What is written with more than these may have been rounded when YAML made it a float."""


def literal(prop: Property, value: object) -> object:
    """Return a declared value in the property's type; times without an offset are in UTC.

    Raises:
        ValueError: It is of another type, or no value of the property can be like it; says what is needed.
    """
    try:
        return _read(prop, value)
    except (TypeError, ValueError, ArithmeticError):
        whole = counted(prop.precision - prop.scale, "digit")
        decimal = f"a number with {whole} before and {prop.scale} after the point at most, in quotes if it is long"
        needed = decimal if prop.type == "decimal" else _EXAMPLES[prop.type]
        raise ValueError(f"found {value!r}; {prop.name} is compared with {needed}") from None


def _read(prop: Property, value: object) -> object:
    match prop.type, value:
        case ("text" | "email" | "group", str()) if value:
            return value
        case "boolean", bool():
            return value
        case (_, bool()):
            raise TypeError
        case "number", int() if -(2**63) <= value < 2**63:
            return value
        case "decimal", int() | float() | str():
            return _decimal(prop, value)
        case "date", str() | date() if not isinstance(value, datetime):
            return date.fromisoformat(value) if isinstance(value, str) else value
        case "datetime", str() | date():
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            moment = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    raise TypeError


def _decimal(prop: Property, value: float | str) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite() or (isinstance(value, float) and len(found.as_tuple().digits) > _EXACT_DIGITS):
        raise ValueError
    exact = Context(prec=prop.precision, traps=[Inexact, InvalidOperation])
    found.quantize(Decimal(1).scaleb(-prop.scale), context=exact)
    return found
