"""How events become the rows of a delimited file. Pure: a goal and the stored columns in, expressions out.

An import with the same format reads the same values back, also the items of a JSON array.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, case, cast, literal_column, null

from cdp_sync.exporting.files.cells import write_value
from cdp_sync.exporting.files.rows import FileColumn, any_of, may_need_quotes, property_column, rows_of
from cdp_sync.exporting.run import EventRun
from cdp_sync.exporting.select import Inputs, Problem, Rows
from cdp_sync.model import EventColumn, EventProperty, EventType, ExportFormat, ItemProperty, Property
from cdp_sync.model.event_export import NamesByValue
from cdp_sync.segments.rollups import value_of
from cdp_sync.segments.statements import SqlType
from cdp_sync.warehouse import EventColumns, item_columns, quote_identifier, quote_literal

UNIQUE_KEY = "md5(concat(event_type, chr(31), event_id))"
"""The expression for the digest of an event's type and id: the same in every delivery."""

_MOMENT = Property(name="moment", type="datetime")


def event_rows(run: EventRun) -> Rows:
    """Return how staged events become the rows of the run's files."""
    return rows_of([_column(run, number, column) for number, column in enumerate(run.goal.map)], run.goal.format)


def event_inputs(run: EventRun, event: EventType, stored: EventColumns, columns: Collection[str]) -> Inputs:
    """Return the values that the rows of one type of events are made of; a property that it lacks is null.

    With `rows: items` there is a row for each item: `place` is its place, 0 where an event has no items.
    """
    values: dict[str, ColumnElement[Any]] = {}
    known = stored.get(event.name, {})
    for number, column in enumerate(run.goal.map):
        if column.happened_at or column.written_at:
            moment = "happened_at" if column.happened_at else "_written_at"
            values[f"v{number}"] = literal_column(f"event.{moment}" if known else "null::timestamptz")
        elif isinstance(column.event_type, Mapping):
            values[f"v{number}"] = _name(column.event_type[event.name], known)
        elif column.property:
            values[f"v{number}"] = value_of(run.profiles.readable[column.property], run.profiles, run.now, columns)
        elif column.event:
            values[f"v{number}"] = _event_value(run, column, event, known)
        elif column.item:
            values[f"v{number}"] = _item_value(run, column.item, event, known)
    if run.goal.items:
        length = f"len(event.{quote_identifier(run.goal.items)})"
        places = f"unnest(case when {length} > 0 then range(1, {length} + 1) else [0] end)"
        values["place"] = literal_column(places if run.goal.items in known else "0")
    return values


def _event_value(run: EventRun, column: EventColumn, event: EventType, known: Mapping[str, str]) -> ColumnElement[Any]:
    """Return the value of an event's property; null where the column is not of this type, or of events so named."""
    prop = run.goal.event_property(column, run.profiles)
    value = _value(prop, known if event.name in (column.types or (event.name,)) else {})
    if not column.named:
        return value
    names: ColumnElement[Any] = literal_column(f"({', '.join(map(quote_literal, column.named))})")
    return case((_name(run.goal.event_names[event.name], known).bool_op("in")(names), value))


def _value(prop: Property, known: Mapping[str, str]) -> ColumnElement[Any]:
    if prop.name in known:
        return literal_column(f"event.{quote_identifier(prop.name)}")
    return cast(null(), SqlType(prop.sql_type))


def _name(naming: str | NamesByValue, known: Mapping[str, str]) -> ColumnElement[Any]:
    """Return the declared name of an event: that of its type, or one by a value; null where a value has none."""
    if isinstance(naming, str):
        return cast(literal_column(quote_literal(naming)), SqlType("VARCHAR"))
    if naming.property not in known:
        return cast(null(), SqlType("VARCHAR"))
    whens = " ".join(f"when {quote_literal(value)} then {quote_literal(name)}" for value, name in naming.names.items())
    return literal_column(f"case event.{quote_identifier(naming.property)} {whens} end")


def _item_value(run: EventRun, name: str, event: EventType, known: Mapping[str, str]) -> ColumnElement[Any]:
    """Return the value of an item's property, one row for each item."""
    prop, items = run.goal.item_property(name, run.profiles), run.goal.items or ""
    if name in (item_columns(known[items]) or {} if items in known and items in event.lists else {}):
        listed, field = f"event.{quote_identifier(items)}", f"x.{quote_identifier(name)}"
        values = f"list_transform({listed}, lambda x: {field})"
        return literal_column(f"unnest(case when len({listed}) > 0 then {values} else [null] end)")
    return cast(null(), SqlType(prop.sql_type))


def _column(run: EventRun, number: int, declared: EventColumn) -> FileColumn:
    column = _made(run, number, declared)
    if not (declared.required or isinstance(declared.event_type, Mapping)):
        return column
    reason = "has no value, and the file needs one" if declared.required else "has no name in the declared ones"
    missing = Problem(f"coalesce({column.cell}, '') = ''", reason, column.name)
    fails_if = f"coalesce({column.fails_if}, false) or {missing.fails_if}"
    return replace(column, problems=(*column.problems, missing), fails_if=fails_if)


def _made(run: EventRun, number: int, declared: EventColumn) -> FileColumn:
    goal, profiles, name = run.goal, run.profiles, declared.field
    prop: Property
    if declared.event:
        listed = goal.event_property(declared, profiles)
        if listed.items:
            return _json_column(number, name, listed, goal.format)
        prop = listed
    elif declared.property:
        prop = profiles.readable[declared.property]
    elif declared.item:
        prop = goal.item_property(declared.item, profiles)
    elif declared.happened_at or declared.written_at:
        prop = _MOMENT
    else:
        return _plain_column(number, declared, goal.format)
    return property_column(number, name, prop, goal.format, {})


def _plain_column(number: int, declared: EventColumn, form: ExportFormat) -> FileColumn:
    """Return a column of what every event has."""
    if declared.unique_key or declared.profile_id:
        text = UNIQUE_KEY if declared.unique_key else "profile_id::varchar"
        bare = may_need_quotes("-0123456789abcdef", form)
        return FileColumn(number, declared.field, text=text, any_text=bare, is_text=False)
    if isinstance(declared.event_type, Mapping):
        return FileColumn(number, declared.field, text=f"v{number}")
    if declared.event_type:
        return FileColumn(number, declared.field, text="event_type", is_text=False)
    text = "event_id" if declared.event_id else quote_literal(declared.text or "")
    return FileColumn(number, declared.field, text=text)


def _json_column(number: int, name: str, prop: EventProperty, form: ExportFormat) -> FileColumn:
    """Return the column of a nested list: a JSON array of objects, without the values that items do not have."""
    value, problems, members = f"v{number}", [], []
    for item in prop.items:
        field = f"x.{quote_identifier(item.name)}"
        written = write_value(item, field, form)
        members.append(_member(item, field, written.sql))
        if written.fails_if:
            problems.append(Problem(any_of(value, written.fails_if), f"{item.name}: {written.reason}", name))
        if written.characters is None:
            held = any_of(value, f"contains({written.sql}, chr(0))")
            problems.append(Problem(held, f"{item.name}: holds a NUL byte", name))
    objects = f"list_transform({value}, lambda x: concat('{{', concat_ws(',', {', '.join(members)}), '}}'))"
    text = f"case when {value} is not null then concat('[', array_to_string({objects}, ','), ']') end"
    fails_if = " or ".join(f"coalesce({problem.fails_if}, false)" for problem in problems) or "false"
    return FileColumn(number, name, problems=tuple(problems), fails_if=fails_if, text=text, is_text=False)


def _member(item: ItemProperty, field: str, written: str) -> str:
    """Return the expression for a member of an object; numbers as JSON has them, whatever the format does."""
    bare = item.type in ("number", "boolean", "decimal")
    value = f"{field}::varchar" if bare else f"to_json({written})::varchar"
    key = quote_literal(f'"{item.name}":')
    return f"case when {field} is not null then concat({key}, {value}) end"
