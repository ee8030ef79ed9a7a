"""The columns of the staging table that hold the events of a row.

======================  ====================================================================================
``event<n>_id``         the value of the field that names the event, trimmed; null where none does, or it is ruined
``event<n>_time``       when it happened
``event<n>_value_<p>``  what the row says for a property of the event
``event<n>_items_<l>``  the row's item of a nested list, or all items, where one field holds them
======================  ====================================================================================

A row holds the event where it has an id and a time, as far as they are mapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cdp_sync.importing.staging.value_columns import StagedValue
from cdp_sync.model import EventImport, EventProperty, EventType, ItemProperty, Property
from cdp_sync.warehouse import quote_identifier, quote_literal

ID = Property(name="id", identifier=True)
TIME = Property(name="time", type="datetime")


@dataclass(frozen=True)
class StagedItems:
    """The items of a nested list that a row has."""

    prop: EventProperty
    column: str
    """Name of the staging column."""
    field: str | None
    """The field that holds all of them as JSON; None: the row is one item."""
    named: dict[str, str]
    """The field of each property of an item, by property; with `field` the name in each object."""
    values: tuple[StagedValue, ...]
    """The properties of the one item of a row, each with its field."""

    @property
    def sql_type(self) -> str:
        """Type of the staging column: an item, or a list of items."""
        return self.prop.sql_type if self.field else self.prop.value_type

    @property
    def identifier(self) -> ItemProperty | None:
        """The property that names an item."""
        return self.prop.item_identifier

    @property
    def as_text(self) -> str:
        """The expression for the items of one field as text: their mapped properties that have a value, by name."""
        held = (f"{quote_literal(f'{name}=')} || item.{quote_identifier(name)}::varchar" for name in sorted(self.named))
        item = f"concat_ws(chr(30), {', '.join(held)})"
        return f"list_transform(nullif(fresh.{quote_identifier(self.column)}, []), lambda item: {item})::varchar"


@dataclass(frozen=True)
class StagedEvent:
    """An event that each row may hold."""

    number: int
    declared: EventType
    id: StagedValue | None
    """What names it."""
    time: StagedValue | None
    values: tuple[StagedValue, ...]
    items: tuple[StagedItems, ...]

    @property
    def prefix(self) -> str:
        """What its columns begin with."""
        return f"event{self.number}_"

    @property
    def id_column(self) -> str:
        """The column with its id."""
        return f"{self.prefix}id"

    @property
    def time_column(self) -> str:
        """The column with its time."""
        return f"{self.prefix}time"

    @property
    def converted(self) -> Iterator[StagedValue]:
        """Yield all values that are made of one cell each."""
        yield from (each for each in (self.id, self.time) if each)
        yield from self.values
        for items in self.items:
            yield from items.values

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Names and types of its columns."""
        columns = [(self.id_column, "VARCHAR"), (self.time_column, TIME.sql_type)]
        columns += [(value.column, value.sql_type) for value in self.values]
        return columns + [(items.column, items.sql_type) for items in self.items]

    @property
    def is_usable(self) -> str:
        """The condition that a row holds such an event."""
        needed = [f"{self.id_column} is not null"] if self.id else []
        needed += [f"{self.time_column} is not null"] if self.time else []
        return " and ".join(needed)


def staged_event(number: int, event: EventImport, declared: EventType) -> StagedEvent:
    """Return the columns of one entry of `events`."""
    prefix = f"event{number}_"
    event_id = StagedValue(ID, "set", (event.id,), prefix, f"{prefix}id") if event.id else None
    time = StagedValue(TIME, "set", (event.time,), prefix, f"{prefix}time") if event.time else None
    values = tuple(
        StagedValue(declared.by_name[mapping.property], "set", (mapping.field,), prefix) for mapping in event.map
    )
    items = []
    for place, (name, mapped) in enumerate(event.items.items()):
        prop = declared.lists[name]
        named = dict(mapped.mapped(prop))
        of_row = () if mapped.field else named.items()
        of_items = f"event{number}_{place}_"
        cells = tuple(StagedValue(prop.item[each], "set", (field,), of_items) for each, field in of_row)
        items.append(StagedItems(prop, f"{prefix}items_{name}", mapped.field, named, cells))
    return StagedEvent(number, declared, event_id, time, values, tuple(items))
