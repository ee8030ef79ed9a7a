"""How profiles become users of a platform: one JSON object each, which the goal shapes.

`v1` is the value of the second field, `c1` that field as JSON, `id` and `key` say which user is meant, `line` is the
whole object.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import func

from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.select.rows import Column, Inputs, Problem, Rows
from cdp_sync.model import ExportColumn, Property
from cdp_sync.model.audience import AudienceField, Named, Shape
from cdp_sync.segments.conditions import column_of
from cdp_sync.segments.membership import is_in_segment
from cdp_sync.warehouse import quote_literal

_NUL, _BACKSLASH = quote_literal("\\u0000"), quote_literal("\\\\")
_HOLDS_NUL = f"contains(line, {_NUL}) and contains(replace(line, {_BACKSLASH}, ''), {_NUL})"
"""The condition that JSON holds a NUL byte, and not a text that looks like one after a backslash."""


def user_rows(run: UserRun, columns: Collection[str]) -> Rows:
    """Return how profiles become users.

    A property without a value sets its field to null, so that a value that is removed here is removed there. So does
    a property that `columns`, those of the warehouse, does not hold.
    """
    props = [run.profiles.by_name.get(declared.property or "") for declared in run.goal.map]
    fields = [
        AudienceField(declared.field, prop.type, "x" if prop.multiple else f"v{number}")
        for number, (declared, prop) in enumerate(zip(run.goal.map, props, strict=True))
        if prop
    ]
    rendered = run.goal.render(fields)
    written = {field.name: sql for field, sql in zip(fields, rendered.values, strict=True)}
    every, cells = [], {}
    for number, (declared, prop) in enumerate(zip(run.goal.map, props, strict=True)):
        column, sql = _constant(run, columns, number, declared)
        if prop:
            column, sql = _property(columns, column, prop, written[declared.field])
        every.append(column)
        cells[column.cell] = sql
    links: Inputs = {}
    for number, link in enumerate(run.goal.link):
        linked = run.profiles.by_name[link.property]
        value = column_of(linked, columns)
        links[f"l{number}"] = func.list_extract(value, 1) if linked.multiple else value  # the first of several values
    named = zip(links, run.goal.link, strict=True)
    whens = (f"when {link} is not null then {quote_literal(declared.field)}" for link, declared in named)
    user = {"id": f"coalesce({', '.join(links)})", "key": f"case {' '.join(whens)} end"}
    problems = [problem for column in every for problem in column.problems]
    body = _members(rendered.body, {column.name: column.cell for column in every})
    members = ", ".join(["'id', id", "'key', key", *body])
    return Rows(
        columns=every,
        cells=(cells, user),
        line=({"line": f"case when eligible then json_object({members})::varchar end"},),
        problems=problems,
        fails_if=_HOLDS_NUL if problems else "false",
        links=links,
        named=("key", "id"),
    )


def _property(columns: Collection[str], column: Column, prop: Property, written: str) -> tuple[Column, str]:
    """Return a field that holds a property, and the JSON of its value."""
    value = f"v{column.number}"
    problems: tuple[Problem, ...] = ()
    if prop.type in ("text", "email"):
        text = f"array_to_string({value}, '')" if prop.multiple else value
        problems = (Problem(f"contains({text}, chr(0))", "holds a NUL byte", column.name),)
    sql = f"to_json({f'list_transform({value}, lambda x: {written})' if prop.multiple else written})"
    return replace(column, inputs={value: column_of(prop, columns)}, problems=problems), sql


def _constant(run: UserRun, columns: Collection[str], number: int, declared: ExportColumn) -> tuple[Column, str]:
    """Return a field that holds no property, and the JSON of its value."""
    if declared.segments:
        every = tuple(segment.name for segment in run.profiles.segments)
        names = every if declared.segments == "all" else declared.segments
        inputs = {f"s{number}_{name}": is_in_segment(run.profiles, name, run.now, columns) for name in names}
        each = (f"case when {inside} then {quote_literal(inside.partition('_')[2])} end" for inside in inputs)
        inside = f"list_filter([{', '.join(each)}], lambda x: x is not null)"
        return Column(number, declared.field, inputs), f"to_json({inside})"
    text = "profile_id::varchar" if declared.profile_id else quote_literal(declared.text or "")
    return Column(number, declared.field), f"to_json({text})"


def _members(shape: Mapping[str, Shape], cells: Mapping[str, str]) -> list[str]:
    """Return the members of a JSON object, given the cells of the fields in it."""
    return [f"{quote_literal(name)}, {_json(part, cells)}" for name, part in shape.items()]


def _json(part: Shape, cells: Mapping[str, str]) -> str:
    if isinstance(part, Named):
        return cells[part.field]
    if isinstance(part, Mapping):
        return f"json_object({', '.join(_members(part, cells))})"
    return quote_literal(part) if isinstance(part, str) else str(part)
