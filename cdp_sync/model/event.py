"""Types of events: what people do at a moment, with typed properties and nested lists of items."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.property import Property
from cdp_sync.model.suggestion import allowed


class ItemProperty(Property):
    """One property of the items in a nested list."""

    reserved: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _is_one_value(self) -> "ItemProperty":
        if self.multiple:
            raise ValueError(f"multiple: {self.name} belongs to an item, and holds one value")
        return self


class EventProperty(Property):
    """One property of an event: a value, several, or a nested list of items."""

    reserved: ClassVar[frozenset[str]] = frozenset(
        {"event_id", "profile_id", "happened_at", "connection", "goal", "run_id", "rowid"}
    )
    """`rowid` is the engine's own: a column of this name would hide it from the statement that replaces events."""

    items: tuple[ItemProperty, ...] = ()
    """The properties of its items, where it is a nested list. One of them may be the `identifier` of an item."""

    @model_validator(mode="after")
    def _is_a_value_or_items(self) -> "EventProperty":
        if self.identifier:
            raise ValueError(f"identifier: an event is named by the id that is mapped; {self.name} is a property of it")
        if "group" in (self.type, *(item.type for item in self.items)):
            raise ValueError(f"{self.name}: people belong to groups; an event holds the id of one as text")
        if self.items and {"type", "multiple"} & self.model_fields_set:
            raise ValueError(f"{self.name} has items; leave type and multiple out")
        names = [item.name for item in self.items]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"items: declared more than once: {', '.join(repeated)}")
        if len(identifiers := [item.name for item in self.items if item.identifier]) > 1:
            raise ValueError(f"items: {' and '.join(identifiers)} are both the identifier of an item; needed is one")
        return self

    @property
    def value_type(self) -> str:
        """The SQL type of one value, or of one item."""
        if not self.items:
            return super().value_type
        fields = (f'"{item.name}" {item.sql_type}' for item in self.items)
        return f"STRUCT({', '.join(fields)})"

    @property
    def sql_type(self) -> str:
        """The SQL type of the column."""
        return f"{self.value_type}[]" if self.items else super().sql_type

    @cached_property
    def item(self) -> Mapping[str, ItemProperty]:
        """The properties of its items, by name."""
        return {item.name: item for item in self.items}

    @property
    def item_identifier(self) -> ItemProperty | None:
        """The property that names an item of the event."""
        return next((item for item in self.items if item.identifier), None)


class EventType(Declared):
    """A type of events."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; its table is called `event_` and this name."""
    title: str | None = None
    """What people call it."""
    ready_made: bool = False
    """Has the properties of the ready-made type of this name; `properties` are further ones."""
    properties: tuple[EventProperty, ...] = ()
    """Properties of an event, beside its id, its person and its time."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Remove events so many days after they happened; absent: keep them."""

    @model_validator(mode="before")
    @classmethod
    def _is_ready_made(cls, found: Any) -> Any:  # noqa: ANN401 - whatever is declared
        if not isinstance(found, dict) or not found.get("ready_made"):
            return found
        name = str(found.get("name"))
        if name not in READY_MADE:
            raise ValueError(f"name: {name!r} is no ready-made type; {allowed(name, READY_MADE)}")
        own = [EventProperty.model_validate(each) for each in READY_MADE[name]]
        further = [EventProperty.model_validate(each) for each in found.get("properties") or ()]
        if taken := sorted({prop.name for prop in own} & {prop.name for prop in further} - _same(own, further)):
            raise ValueError(f"properties: the ready-made type {name!r} has {', '.join(taken)}; leave it out")
        new = [prop for prop in further if prop not in own]
        return {**found, "properties": (*own, *new)}

    @model_validator(mode="after")
    def _check(self) -> "EventType":
        names = [prop.name for prop in self.properties]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"properties: declared more than once: {', '.join(repeated)}")
        return self

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name

    @property
    def table(self) -> str:
        """Its table in the warehouse."""
        return f"event_{self.name}"

    @cached_property
    def by_name(self) -> Mapping[str, EventProperty]:
        """The properties by name."""
        return {prop.name: prop for prop in self.properties}

    @property
    def lists(self) -> Mapping[str, EventProperty]:
        """The nested lists, by name."""
        return {prop.name: prop for prop in self.properties if prop.items}


def _by_name(found: Any) -> Any:  # noqa: ANN401 - whatever is declared
    return {"name": found, "ready_made": True} if isinstance(found, str) else found


DeclaredEventType = Annotated[EventType, BeforeValidator(_by_name, json_schema_input_type=str | EventType)]
"""A type of events; the name of a ready-made one, such as `order`, stands for its declaration."""


def _same(own: Iterable[Property], further: Iterable[Property]) -> set[str]:
    """Return the names of properties that were ready-made before: a value that is read again has them."""
    mine = {prop.name: prop for prop in own}
    return {prop.name for prop in further if mine.get(prop.name) == prop}


def _text(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def _decimal(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": "decimal"} for name in names]


_PRODUCTS = {
    "name": "products",
    "items": [
        {"name": "id", "identifier": True},
        *_text("name", "variant"),
        {"name": "quantity", "type": "number"},
        {"name": "netprice", "type": "decimal"},
        *_text("coupon"),
        {"name": "deliverydate", "type": "date"},
        *_text("tag"),
    ],
}
_MESSAGE = _text("message_id", "campaign_id", "campaign_name", "template_id", "subject")

READY_MADE: dict[str, list[dict[str, Any]]] = {
    "order": [
        *_text("order_id", "affiliation"),
        *_decimal("total_revenue"),
        {"name": "quantity", "type": "number"},
        *_decimal("revenue", "shipping", "tax", "discount"),
        *_text("coupon", "promotion"),
        _PRODUCTS,
    ],
    "order_refund": [
        *_text("order_id"),
        {"name": "status", "among": ["refund requested", "returned", "refunded"]},
        *_decimal("total_revenue"),
        *_text("reason"),
        _PRODUCTS,
    ],
    "abandoned_basket": [*_text("basket_id"), *_decimal("total_revenue"), *_text("url"), _PRODUCTS],
    "email_sent": _MESSAGE,
    "email_delivered": _MESSAGE,
    "email_opened": [*_MESSAGE, *_text("user_agent", "device", "city", "region", "country")],
    "email_link_clicked": [*_MESSAGE, *_text("url", "link_id", "user_agent", "device", "city", "region", "country")],
    "email_bounced": [*_MESSAGE, {"name": "kind", "among": ["hard", "soft"]}, *_text("reason")],
    "email_unsubscribed": [*_MESSAGE, *_text("reason")],
    "email_spam_reported": _MESSAGE,
    "email_deferred": [*_MESSAGE, *_text("reason")],
    "email_dropped": [*_MESSAGE, *_text("reason")],
}
"""The properties of the ready-made types. Those of orders are BlueConic's, articles 248026 and 247620."""
