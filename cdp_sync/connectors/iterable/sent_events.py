"""What an author declares of events that go to Iterable: as purchases, or as custom events of a name.

An event keeps its id there, so that to send it again changes nothing: that of a purchase is the event's own, that of a
custom event begins with its type, as different types may have the same ids. Iterable replaces an event whose id it
knows, whatever it was, so no two declarations of a project may give the same id to different things.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from cdp_sync.connectors.iterable.values import value_of
from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventProperty, EventType
from cdp_sync.model.sent_events import RenderedEvent, SentEvents
from cdp_sync.model.suggestion import allowed
from cdp_sync.quoting import quote_identifier, quote_literal

PURCHASE = "purchase"
"""What `to` names Iterable's purchases by; any other name is that of a custom event."""

LONGEST_ID = 512
"""Bytes of an event's id (API documentation, events/track)."""

_REQUIRED = ("id", "name", "price", "quantity")
"""Fields that each item of a purchase has (API documentation, commerce/trackPurchase)."""
_TOTALS = ("total", "total_revenue", "revenue")
_PRICES = ("price", "netprice")


class PurchaseItems(Declared):
    """Which properties of items are Iterable's fields of a purchase's items; the others are further fields."""

    list: str | None = None
    """The nested list; absent: the only one that the type has."""
    id: str | None = None
    """Property with the id of the item; absent: the identifier of items, or `id`."""
    name: str | None = None
    """Property with its name; absent: `name`. An item without a name is called by its id."""
    price: str | None = None
    """Property with its price; absent: `price`, or `netprice`."""
    quantity: str | None = None
    """Property with how many were bought; absent: `quantity`."""

    def of(self, prop: EventProperty) -> dict[str, str | None]:
        """Return the property of each of Iterable's fields; None where there is none."""
        identifier = prop.item_identifier
        usual = {
            "id": (identifier.name,) if identifier else ("id",),
            "name": ("name",),
            "price": _PRICES,
            "quantity": ("quantity",),
        }
        return {
            name: getattr(self, name) or next((n for n in usual[name] if n in prop.item), None) for name in _REQUIRED
        }


class IterableEvents(SentEvents):
    """Events of one type, and what they are at Iterable."""

    to: Annotated[str, Field(min_length=1, max_length=255)]
    """`purchase`: Iterable's purchases, with items and a total; any other name: custom events of that name."""
    total: str | None = None
    """Of purchases: property with the total; absent: `total`, `total_revenue` or `revenue`."""
    items: PurchaseItems = PurchaseItems()
    """Of purchases: the nested list with the items, and which of their properties are price, quantity and so on."""

    @property
    def target(self) -> str:
        """What they are at Iterable."""
        return self.to

    @property
    def is_purchase(self) -> bool:
        """Whether they are purchases there."""
        return self.to == PURCHASE

    @property
    def prefix(self) -> str:
        """What begins their ids there: nothing for purchases, whose ids are those of the events."""
        return "" if self.is_purchase else f"{self.type}:"

    def problems(self, types: Mapping[str, EventType]) -> Iterator[str]:
        """Yield what does not fit the declared type, each as `path: what was found; what is allowed`."""
        yield from super().problems(types)
        event = types.get(self.type)
        if event is None:
            return
        if not self.is_purchase:
            yield from (
                f".{name}: is for purchases only" for name in ("total", "items") if name in self.model_fields_set
            )
            return
        if self._total(event) is None:
            found = f"{self.total!r} is unknown; " if self.total else "no property is called so; "
            yield f".total: {found}{allowed(self.total or 'total', event.by_name)}"
        items = self._items(event)
        if items is None:
            found = f"{self.items.list!r} is no nested list" if self.items.list else f"{len(event.lists)} nested lists"
            yield f".items.list: {found}; {allowed(self.items.list or 'products', event.lists)}"
            return
        for name, prop in self.items.of(items).items():
            if (prop or name) not in items.item and (prop or name != "name"):
                found = f"{prop or name!r} is no property of the items"
                yield f".items.{name}: {found}; {allowed(prop or name, items.item)}"

    def render(self, event: EventType, values: Mapping[str, str]) -> RenderedEvent:
        """Return a purchase, or a custom event; without the fields that have no value."""
        if self.is_purchase:
            return self._purchase(event, values)
        standard = _standard(f"concat({quote_literal(self.prefix)}, event_id)")
        fields = _object({name: _value(prop, values[prop.name]) for name, prop in self.sent(event).items()})
        members = _members({"eventName": quote_literal(self.to), **standard, "dataFields": fields})
        return RenderedEvent(f"json_object(key, id, {members})")

    def _purchase(self, event: EventType, values: Mapping[str, str]) -> RenderedEvent:
        total, listed = self._total(event), self._items(event)
        if total is None or listed is None:  # `problems` has refused the declaration
            raise ValueError(f"events of the type {self.type} have no total, or no list of items")
        names = self.items.of(listed)
        lacking = [str(names[name]) for name in _REQUIRED if name != "name"]
        lacks = " or ".join(f"{_part(name)} is null" for name in lacking)
        items = f"coalesce({values[listed.name]}, [])"
        problem = f"""case
            when {values[total.name]} is null then {quote_literal(f"the purchase has no {total.name}")}
            when len(list_filter({items}, lambda x: {lacks})) > 0
            then {quote_literal(f"an item of the purchase lacks one of {', '.join(lacking)}")} end"""
        rest = {name: prop for name, prop in self.sent(event).items() if prop not in (total, listed)}
        members = {
            **_standard("event_id"),
            "total": values[total.name],
            "items": f"list_transform({items}, lambda x: {_item(listed, names)})",
            "dataFields": _object({name: _value(prop, values[prop.name]) for name, prop in rest.items()}),
        }
        return RenderedEvent(f"json_object('user', json_object(key, id), {_members(members)})", problem)

    def _total(self, event: EventType) -> EventProperty | None:
        """Return the property with the total of a purchase; None where none is known."""
        names = (self.total,) if self.total else _TOTALS
        return next((event.by_name[name] for name in names if name in event.by_name), None)

    def _items(self, event: EventType) -> EventProperty | None:
        """Return the nested list with the items of a purchase; None where none is known."""
        if self.items.list:
            return event.lists.get(self.items.list)
        return next(iter(event.lists.values())) if len(event.lists) == 1 else None


def shared_ids(declared: Iterable[tuple[str, IterableEvents]]) -> Iterator[tuple[int, str]]:
    """Yield which entries of a project's goals give the ids of other events to theirs, and what is wrong with each.

    Args:
        declared: The entries in their order, each with the name of its goal.
    """
    first: dict[str, tuple[str, IterableEvents]] = {}
    for number, (goal, events) in enumerate(declared):
        before, other = first.setdefault(events.prefix, (goal, events))
        if events.is_purchase and other.type != events.type:
            found = f"{events.type} of the goal {goal} and {other.type} of the goal {before} are both purchases"
            yield number, f"{found}, which replace each other where their ids are the same; needed is one type"
        elif other.to != events.to:
            found = f"{events.type} goes to {events.to!r} by the goal {goal} and to {other.to!r} by the goal {before}"
            yield number, f"{found}, where one replaces the other; needed is one name of custom events for a type"


def _standard(event_id: str) -> dict[str, str]:
    """Return the fields of every event: an id that stays the same, and the time in seconds since 1970."""
    short = f"case when strlen({event_id}) > {LONGEST_ID} then sha256({event_id}) else {event_id} end"
    return {"id": short, "createdAt": "floor(epoch(happened_at))::bigint"}


def _item(listed: EventProperty, names: Mapping[str, str | None]) -> str:
    """Return an item of a purchase, `x`; its further properties are in `dataFields`."""
    identifier = f"{_part(str(names['id']))}::varchar"
    named = f"{_part(names['name'])}::varchar" if names["name"] else "null"
    members = {
        "id": identifier,
        "name": f"coalesce({named}, {identifier})",
        **{name: _part(str(names[name])) for name in ("price", "quantity")},
    }
    further = [prop for prop in listed.items if prop.name not in names.values()]
    more = {"dataFields": _object({prop.name: value_of(prop.type, _part(prop.name)) for prop in further})}
    return _object(members | (more if further else {}))


def _value(prop: EventProperty, value: str) -> str:
    """Return the JSON of a property's value: one, several, or items as objects."""
    if prop.items:
        item = _object({each.name: value_of(each.type, _part(each.name)) for each in prop.items})
        return f"list_transform({value}, lambda x: {item})"
    if prop.multiple:
        return f"list_transform({value}, lambda x: {value_of(prop.type, 'x')})"
    return value_of(prop.type, value)


def _part(name: str) -> str:
    """Return a property of an item, `x`."""
    return f"x.{quote_identifier(name)}"


def _members(members: Mapping[str, str]) -> str:
    return ", ".join(f"{quote_literal(name)}, {sql}" for name, sql in members.items())


def _object(members: Mapping[str, str]) -> str:
    """Return a JSON object without the members that have no value: to patch with null removes a member."""
    return f"json_merge_patch('{{}}', json_object({_members(members)}))"
