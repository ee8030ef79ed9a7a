"""The events that figures are counted from, as queries: of each type the declared properties, under one name each.

An event without a profile or a time waits for them, and is not counted. A type without a table has no events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cdp_sync.model import STAGE_CHANGED, Analytics, EventType, Profiles
from cdp_sync.model.analytics import MESSAGES
from cdp_sync.warehouse import EventColumns, Session, event_columns, quote_identifier, quote_literal
from cdp_sync.warehouse.events import check_event_types
from cdp_sync.warehouse.properties import profile_columns

_MESSAGE = {"campaign": "varchar", "name": "varchar", "message": "varchar", "kind": "varchar"}
_KEYS = {"campaign": "campaign", "name": "campaign_name", "message": "message", "kind": "bounce_kind"}
_NO_REVENUE = {"revenue": "decimal(18, 4)"}


@dataclass(frozen=True)
class Sources:
    """The events of a project, as the figures read them."""

    profiles: Profiles
    analytics: Analytics
    stored: EventColumns
    """The columns of the tables of events."""
    columns: Mapping[str, str]
    """The columns of profiles."""

    @classmethod
    def of(cls, session: Session, profiles: Profiles) -> "Sources":
        """Return the sources in a warehouse.

        Raises:
            PropertyTypeChanged: A declared type differs from that of the column.
        """
        stored = event_columns(session)
        check_event_types(profiles, stored)
        return cls(profiles, profiles.analytics or Analytics(), stored, profile_columns(session))

    def is_declared(self, role: str) -> bool:
        """Return whether there is a type of events that stands for one of `MESSAGES` or for orders."""
        return self.analytics.event(role, self.profiles.event) is not None

    @property
    def has_revenue(self) -> bool:
        """Whether orders have an amount."""
        event = self.analytics.event("order", self.profiles.event)
        return bool(event and self.analytics.property_of("revenue", event))

    def messages(self, roles: Iterable[str] = MESSAGES) -> str:
        """Return the query for what happened to messages."""
        found = [(role, event) for role in roles if (event := self._event(role))]
        selects = [self._select(event, _MESSAGE, role) for role, event in found]
        return " union all ".join(selects) or _nothing(_MESSAGE)

    def orders(self) -> str:
        """Return the query for orders; a revenue has the type of its property."""
        event = self._event("order")
        prop = self.analytics.property_of("revenue", event) if event else None
        values = {"revenue": prop.sql_type} if prop else _NO_REVENUE
        return self._select(event, values) if event else _nothing(values)

    def activity(self) -> str:
        """Return the query for all events of people: of all declared types but changes of stages."""
        every = [event for event in activity_types(self.profiles) if event.name in self.stored]
        return " union all ".join(self._select(event, {}) for event in every) or _nothing({})

    def is_identified(self) -> str:
        """Return the condition that a profile has one of the identifying properties."""
        props = [self.profiles.by_name[self.analytics.identified_by]] if self.analytics.identified_by else []
        props = props or [each for each in self.profiles.identifiers if each.type == "email"]
        props = props or list(self.profiles.identifiers)
        names = [(quote_identifier(each.name), each.multiple) for each in props if each.name in self.columns]
        each = (f"coalesce(len({name}) > 0, false)" if several else f"{name} is not null" for name, several in names)
        return f"({' or '.join(each) or 'false'})"

    def _event(self, role: str) -> EventType | None:
        event = self.analytics.event(role, self.profiles.event)
        return event if event and event.name in self.stored else None

    def _select(self, event: EventType, values: Mapping[str, str], role: str = "") -> str:
        read = ", ".join(f"{self._value(event, name)}::{kind} as {name}" for name, kind in values.items())
        return (
            f"select {quote_literal(role)} as role, event_id, profile_id, happened_at{read and f', {read}'} "
            f"from warehouse.{quote_identifier(event.table)} "
            "where profile_id is not null and happened_at is not null"
        )

    def _value(self, event: EventType, name: str) -> str:
        prop = self.analytics.property_of(_KEYS.get(name, name), event)
        return quote_identifier(prop.name) if prop and prop.name in self.stored[event.name] else "null"


def activity_types(profiles: Profiles) -> list[EventType]:
    """Return the types of what people do. A change of a stage is no doing of theirs."""
    return [event for event in profiles.event_types if event.name != STAGE_CHANGED.name]


def _nothing(values: Mapping[str, str]) -> str:
    """Return the query for no events."""
    read = ", ".join(f"null::{kind} as {name}" for name, kind in values.items())
    own = "'' as role, null::varchar as event_id, null::uuid as profile_id, null::timestamptz as happened_at"
    return f"select {own}{read and f', {read}'} where false"
