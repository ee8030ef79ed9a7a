"""How the rows of an import goal become events."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventProperty, EventType
from cdp_sync.model.lifecycle import STAGE_CHANGED
from cdp_sync.model.suggestion import allowed


class EventMapping(Declared):
    """A field and the property of an event, or of an item, that it fills."""

    field: Annotated[str, Field(min_length=1)]
    """Column of the file; inside a list of items that one field holds, the name in each item."""
    property: str
    """Property of the event, or of the item. An empty cell leaves it alone."""


class ItemsImport(Declared):
    """Items of an event's nested list: one for each row, or as many as the list in a field has."""

    id: Annotated[str, Field(min_length=1)] | None = None
    """The field that names an item within its event: an item that is there is updated, any other is added."""
    field: Annotated[str, Field(min_length=1)] | None = None
    """The field that holds all items of the event, as a JSON array of objects; absent: each row is one item."""
    map: tuple[EventMapping, ...] = ()
    """Which fields fill which properties of the item."""

    def mapped(self, prop: EventProperty) -> Mapping[str, str]:
        """Return the field of each property of an item, by property; that of the identifier comes first."""
        named = {prop.item_identifier.name: self.id} if self.id and prop.item_identifier else {}
        return named | {mapping.property: mapping.field for mapping in self.map}

    def problems(self, prop: EventProperty) -> Iterator[str]:
        """Yield what does not fit the nested list."""
        names = list(prop.item)
        for index, mapping in enumerate(self.map):
            if mapping.property not in names:
                yield f".map[{index}].property: {mapping.property!r} is unknown; {allowed(mapping.property, names)}"
        filled = self.mapped(prop)
        fields = sorted(set(filled.values()))
        folded = [field.lower() for field in fields]
        alike = [field for field in fields if folded.count(field.lower()) > 1]
        if self.field and alike:  # names in JSON are read by a struct, whose names ignore case
            yield f".map: {' and '.join(alike)} differ in case only; map one of them"
        identifier = prop.item_identifier
        if self.id and not identifier:
            yield f".id: no property of the items of {prop.name} has `identifier: true`, and this field fills none"
        elif identifier and identifier.name not in filled:
            yield f": nothing fills {identifier.name}, which names an item; needed is `id`, or a mapping of it"
        elif not self.field and not identifier:
            needed = "one property of them needs `identifier: true`, so that rows can come again"
            yield f": each row is an item, and nothing names the items of {prop.name}; {needed}"


class EventImport(Declared):
    """An event of the row's person. Rows with the same id are one event."""

    type: str
    """Type of the event."""
    id: Annotated[str, Field(min_length=1)] | None = None
    """The field that names the event: importing it again updates it. Absent: its content does, so that nothing can."""
    time: Annotated[str, Field(min_length=1)] | None = None
    """The field that says when it happened; left out where other rows with its id say so."""
    map: tuple[EventMapping, ...] = ()
    """Which fields fill which properties of the event."""
    items: dict[str, ItemsImport] = Field(default_factory=dict)
    """Items of its nested lists, by the name of the list."""

    @model_validator(mode="after")
    def _check(self) -> "EventImport":
        if not (self.id or self.time):
            raise ValueError("found neither id nor time; an event without an id needs a time")
        if not self.id and any(not items.field for items in self.items.values()):
            raise ValueError("items: rows with items need the id of their event; found none")
        names = [mapping.property for mapping in self.map]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"map: filled more than once: {', '.join(repeated)}")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it is made of, each once."""
        named = [self.id, self.time, *(mapping.field for mapping in self.map)]
        for items in self.items.values():
            named += [items.field] if items.field else [items.id, *(mapping.field for mapping in items.map)]
        return tuple(dict.fromkeys(field for field in named if field))

    def problems(self, types: Mapping[str, EventType]) -> Iterator[str]:
        """Yield what does not fit the declared type, each as `path: what was found; what is allowed`."""
        if (declared := types.get(self.type)) is None:
            yield f".type: {self.type!r} is unknown; {allowed(self.type, types)}"
            return
        if declared == STAGE_CHANGED:
            yield f".type: events {self.type!r} are made by lifecycles; needed is a type that is imported"
        plain = [prop.name for prop in declared.properties if not prop.items]
        for index, mapping in enumerate(self.map):
            if mapping.property in declared.lists:
                yield f".map[{index}].property: {mapping.property!r} is a nested list; it is filled by `items`"
            elif mapping.property not in plain:
                yield f".map[{index}].property: {mapping.property!r} is unknown; {allowed(mapping.property, plain)}"
        for name, items in self.items.items():
            if name not in declared.lists:
                yield f".items.{name}: {name!r} is no nested list; {allowed(name, declared.lists)}"
            else:
                yield from (f".items.{name}{problem}" for problem in items.problems(declared.lists[name]))
