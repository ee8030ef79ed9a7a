"""How the cells of a row become its events. Pure: expressions over the cells of one part.

An event whose cells are all empty is none. What else cannot become an event, or an item, is a complaint.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from cdp_sync.importing.converting.cell import Conversion, is_visible
from cdp_sync.importing.converting.conversion import convert_one, fit, has_value
from cdp_sync.importing.converting.dates import is_doubtful_text
from cdp_sync.importing.staging.event_columns import StagedEvent, StagedItems
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import quote_identifier, quote_literal

CellOf = Callable[[str], str | None]
"""Returns the SQL name of a field's cell; None where the part has no such column."""


@dataclass(frozen=True)
class Complaint:
    """Why a cell, or what belongs to it, is not imported."""

    fails_if: str
    field: str
    value: str
    """The expression for the value that is shown."""
    reason: str
    """The expression for the reason."""


def event_values(event: StagedEvent, converted: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield the columns of an event, given what yields the converted cell of a column, or null."""
    yield event.id_column, converted(event.id_column) if event.id else "null"
    yield event.time_column, converted(event.time_column) if event.time else "null"
    for value in event.values:
        yield value.column, converted(value.column)
    for items in event.items:
        yield items.column, converted(items.column) if items.field else _item(items, converted)


def _item(items: StagedItems, converted: Callable[[str], str]) -> str:
    """Return the expression for the one item of a row; null where nothing names it."""
    columns = {value.prop.name: converted(value.column) for value in items.values}
    fields = ", ".join(f"{quote_literal(name)}: {sql}" for name, sql in columns.items())
    named = f"{columns[items.identifier.name]} is not null" if items.identifier else "true"
    return f"case when {named} then {{{fields}}}::{items.sql_type} end"


def event_complaints(event: StagedEvent, cell_of: CellOf, elsewhere: Collection[str]) -> Iterator[Complaint]:
    """Yield why an event, or its item, is not imported, as far as no cell of it fails to convert.

    Fields that the goal also uses `elsewhere` do not show that a row has such an event.
    """
    fields = {name: cell_of(name) for name in fields_of(event)}
    shows = [name for name in fields if name not in elsewhere] or list(fields)
    seen = [is_visible(cell) for name in shows if (cell := fields[name])]
    is_there = f"({' or '.join(seen)})" if seen else "false"
    for what, named in (("id", event.id), ("time", event.time)):
        if named:
            field = named.fields[0]
            missing = f"coalesce(not {is_visible(cell)}, true)" if (cell := fields[field]) else "true"
            reason = quote_literal(f"no {what}: the {event.declared.name} of this row is not imported")
            yield Complaint(f"{is_there} and {missing}", field, "null", reason)
    for items in event.items:
        if items.identifier and not items.field:
            others = [cell for name in items.named.values() if (cell := fields[name])]
            is_item = " or ".join(map(is_visible, others)) or "false"
            field = items.named[items.identifier.name]
            missing = f"coalesce(not {is_visible(cell)}, true)" if (cell := fields[field]) else "true"
            reason = quote_literal(f"no id: the item of {items.prop.name} in this row is not imported")
            yield Complaint(f"({is_item}) and {missing}", field, "null", reason)


def fields_of(event: StagedEvent) -> list[str]:
    """Return the fields that the event is made of, each once."""
    named = [value.fields[0] for value in (event.id, event.time, *event.values) if value]
    named += [field for items in event.items for field in ((items.field,) if items.field else items.named.values())]
    return list(dict.fromkeys(named))


@dataclass(frozen=True)
class JsonItems:
    """The items that one field holds, as JSON: first as texts, then converted."""

    items: StagedItems
    form: Format

    @property
    def texts_name(self) -> str:
        """The name of the list of texts."""
        return f"{self.items.column}_texts"

    def texts(self, cell: str) -> str:
        """Return the expression for the items with all values as texts; null where the cell is no array of objects."""
        structure = json.dumps([dict.fromkeys(self.items.named.values(), "VARCHAR")])
        read = f"from_json({cell}, {quote_literal(structure)})"
        fitted = ", ".join(
            f"{quote_literal(name)}: {fit(self._prop(name), f'item.{quote_identifier(field)}', self._form)}"
            for name, field in self.items.named.items()
        )
        others = f"list_filter(json_type({cell}, '$[*]'), lambda kind: kind <> 'OBJECT')"
        is_array = f"json_type({cell}) = 'ARRAY' and len({others}) = 0"
        readable = f"case when json_valid({cell}) then {is_array} end"
        return f"case when {readable} then list_transform({read}, lambda item: {{{fitted}}}) end"

    @property
    def conversion(self) -> Conversion:
        """How the texts become items; those that nothing names, or that have no value, are left out.

        Where nothing names them, an empty array is an empty list, which replaces the one before.
        """
        fields = ", ".join(f"{quote_literal(name)}: {self._converted(name).sql}" for name in self.items.named)
        named = self.texts_name
        if identifier := self.items.identifier:
            named = f"list_filter({named}, lambda item: {self._converted(identifier.name).sql} is not null)"
        sql = f"list_transform({named}, lambda item: {{{fields}}}::{self.items.prop.value_type})"
        if not identifier:
            values = ", ".join(f"item.{quote_identifier(name)}::varchar" for name in self.items.named)
            sql = f"list_filter({sql}, lambda item: coalesce({values}) is not null)"
        return Conversion(f"nullif({sql}, [])" if identifier else sql, "not a JSON array of objects")

    def complaints(self, cell: str) -> Iterator[Complaint]:
        """Yield why the field, or items of it, are not imported."""
        texts, field = self.texts_name, str(self.items.field)
        reason = quote_literal("not a JSON array of objects")
        # JSON writes `null` for no items.
        yield Complaint(
            f"{is_visible(cell)} and trim({cell}) <> 'null' and {texts} is null", field, f"left({cell}, 200)", reason
        )
        if identifier := self.items.identifier:
            blank = f"len(list_filter({texts}, lambda item: not coalesce({self._has(identifier.name)}, false)))"
            what = quote_literal(f"items of {self.items.prop.name} that have no id, and are not imported: ")
            reason = f"{what} || {blank}"
            yield Complaint(f"coalesce({blank} > 0, false)", field, "null", reason)
        for name, inner in self.items.named.items():
            conversion = self._converted(name)
            if conversion.can_fail:
                failing = f"list_filter({texts}, lambda item: {self._has(name)} and ({conversion.sql}) is null)"
                values = f"list_transform({failing}, lambda item: item.{quote_identifier(name)})"
                several = f"case when len({failing}) > 1 then ' (' || len({failing}) || ' items)' else '' end"
                yield Complaint(
                    f"coalesce(len({failing}) > 0, false)",
                    f"{field}.{inner}",
                    f"left(array_to_string({values}, ', '), 200)",
                    f"{quote_literal(conversion.reason)} || {several}",
                )

    def doubtful(self) -> Iterator[tuple[str, str | None]]:
        """Yield the fields with times, each with the condition that clocks skipped or showed twice one of them."""
        for name, inner in self.items.named.items():
            if self._prop(name).type == "datetime":
                each = is_doubtful_text(self._prop(name), f"item.{quote_identifier(name)}", self._form)
                any_is = f"coalesce(len(list_filter({self.texts_name}, lambda item: {each})) > 0, false)"
                yield f"{self.items.field}.{inner}", each and any_is

    def _prop(self, name: str) -> Property:
        return self.items.prop.item[name]

    def _converted(self, name: str) -> Conversion:
        return convert_one(self._prop(name), f"item.{quote_identifier(name)}", self._form)

    def _has(self, name: str) -> str:
        return has_value(self._prop(name), f"item.{quote_identifier(name)}", self._form)

    @property
    def _form(self) -> Format:
        """How the values are written: JSON writes numbers with a point, whatever the file does."""
        return self.form if self.form.decimal == "." else self.form.model_copy(update={"decimal": "."})


def json_items(events: Sequence[StagedEvent], form: Format) -> Iterator[JsonItems]:
    """Yield the nested lists that a field holds as a whole."""
    for event in events:
        yield from (JsonItems(items, form) for items in event.items if items.field)
