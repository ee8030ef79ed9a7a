"""How profiles become users of a platform: one JSON object each, which the goal shapes; and which users leave lists.

`v1` is the value of the second field, `c1` that field as JSON, `id` and `key` say which user is meant, `line` is the
whole object.
"""

import json
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import func

from cdp_sync.exporting.audiences.port import FORGOTTEN
from cdp_sync.exporting.column_values import column_value, stages_of
from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.segment_columns import first_segment_of, segments_of
from cdp_sync.exporting.select import (
    IS_RIVAL,
    Column,
    Inputs,
    Level,
    Problem,
    Rows,
)
from cdp_sync.model import ExportColumn, Property
from cdp_sync.model.audience import AudienceField, Filled, Linked, Named, Shape
from cdp_sync.segments.rollups import value_of
from cdp_sync.warehouse import quote_literal

_NUL, _BACKSLASH = quote_literal("\\u0000"), quote_literal("\\\\")
_NUMBER = quote_literal(r"-?(0|[1-9][0-9]*)([.][0-9]+)?")
HOLDS_NUL = f"contains(line, {_NUL}) and contains(replace(line, {_BACKSLASH}, ''), {_NUL})"
"""The condition that JSON holds a NUL byte, and not a text that looks like one after a backslash."""

_RIVAL = "Another profile of the segment stands for the same user."
_IS_FORGOTTEN = """md5(concat(key, ' ', id)) in (
    select user_hash from warehouse.forgotten_user where connection = {}
)"""
"""The condition that the platform was asked to forget the user."""


def user_rows(run: UserRun, columns: Collection[str]) -> Rows:
    """Return how profiles become users.

    A property without a value sets its field to null, so that a value that is removed here is removed there. So does
    a property that `columns`, those of the warehouse, does not hold.
    """
    props = [declared.prop(run.profiles) for declared in run.goal.map]
    fields = [
        AudienceField(declared.field, prop.type, "x" if prop.multiple else f"v{number}")
        for number, (declared, prop) in enumerate(zip(run.goal.map, props, strict=True))
        if prop
    ]
    rendered = run.goal.render(fields)
    written = {field.name: sql for field, sql in zip(fields, rendered.values, strict=True)}
    every, cells = [], {}
    for number, (declared, prop) in enumerate(zip(run.goal.map, props, strict=True)):
        if prop:
            column, sql = _property(run, columns, number, declared, prop, written[declared.field])
        else:
            column, sql = _constant(run, columns, number, declared)
        every.append(column)
        cells[column.cell] = sql
    links, user = _links(run, columns)
    values = [problem for column in every for problem in column.problems]
    forgotten = _IS_FORGOTTEN.format(quote_literal(run.connection))
    of_users = [Problem(forgotten, FORGOTTEN, None), Problem(IS_RIVAL, _RIVAL, None)]
    body = _members(rendered.body, {column.name: column.cell for column in every})
    members = ", ".join(["'id', id", "'key', key", *body])
    as_texts: dict[str, Level] = {}
    if run.goal.processors:
        as_texts = _as_texts(every)
        cells = {f"j{cell[1:]}": sql for cell, sql in cells.items()}
    return Rows(
        columns=every,
        cells=(cells, user, *([as_texts["texts"]] if as_texts else [])),
        texts={column.name: f"p{column.number}" for column in every},
        finish=[as_texts["cells"]] if as_texts else [],
        line=({"line": f"case when eligible then json_object({members})::varchar end"},),
        problems=[*values, *of_users],
        fails_if=" or ".join([*([HOLDS_NUL] if values else []), forgotten, IS_RIVAL]),
        links=links,
        user=user,
        named=("key", "id"),
    )


def _links(run: UserRun, columns: Collection[str]) -> tuple[Inputs, Level]:
    """Return the identifiers of a profile, and `id` and `key` of the user that the first with a value names."""
    links: Inputs = {}
    for number, link in enumerate(run.goal.link):
        linked = run.profiles.by_name[link.property]
        value = value_of(linked, run.profiles, run.now, columns)
        links[f"l{number}"] = func.list_extract(value, 1) if linked.multiple else value  # the first of several values
    named = zip(links, run.goal.link, strict=True)
    whens = (f"when {link} is not null then {quote_literal(declared.field)}" for link, declared in named)
    return links, {"id": f"coalesce({', '.join(links)})", "key": f"case {' '.join(whens)} end"}


def _property(
    run: UserRun, columns: Collection[str], number: int, declared: ExportColumn, prop: Property, written: str
) -> tuple[Column, str]:
    """Return a field that holds a property, and the JSON of its value."""
    name, value = declared.field, f"v{number}"
    problems: tuple[Problem, ...] = ()
    if prop.is_text:
        text = f"array_to_string({value}, '')" if prop.multiple else value
        problems = (Problem(f"contains({text}, chr(0))", "holds a NUL byte", name),)
    sql = f"list_transform({value}, lambda x: {written})" if prop.multiple else written
    return Column(number, name, {value: column_value(run, columns, declared, prop)}, problems), f"to_json({sql})"


def _constant(run: UserRun, columns: Collection[str], number: int, declared: ExportColumn) -> tuple[Column, str]:
    """Return a field that holds no property, and the JSON of its value."""
    if declared.segments:
        inputs, inside = segments_of(run, columns, number, declared)
        return Column(number, declared.field, inputs), f"to_json({inside})"
    if declared.first_segment:
        inputs, text = first_segment_of(run, columns, number, declared)
        return Column(number, declared.field, inputs), f"to_json({text})"
    if declared.lifecycles:
        return Column(number, declared.field, {f"v{number}": stages_of(run, declared)}), f"to_json(v{number})"
    text = "profile_id::varchar" if declared.profile_id else quote_literal(declared.text or "")
    return Column(number, declared.field), f"to_json({text})"


def _as_texts(columns: Iterable[Column]) -> dict[str, Level]:
    """Return the levels that make text of JSON for processors, and JSON of what they leave.

    A value that they do not change keeps its JSON type. So does a list, a number or a truth value that still is one.
    """
    texts: dict[str, str] = {}
    cells: dict[str, str] = {}
    for number in (column.number for column in columns):
        read = f"(j{number} ->> '$')"
        texts[f"p{number}"] = read
        is_list = f"json_type(j{number}) = 'ARRAY' and json_valid(p{number}) and starts_with(p{number}, '[')"
        is_number = (
            f"json_type(j{number}) in ('BIGINT', 'UBIGINT', 'DOUBLE') and regexp_full_match(p{number}, {_NUMBER})"
        )
        is_truth = f"json_type(j{number}) = 'BOOLEAN' and p{number} in ('true', 'false')"
        cells[f"c{number}"] = f"""case
            when p{number} is not distinct from {read} then j{number}
            when {is_list} or {is_number} or {is_truth} then p{number}::json
            else to_json(p{number}) end"""
    return {"texts": texts, "cells": cells}


def _members(shape: Mapping[str, Shape], cells: Mapping[str, str]) -> list[str]:
    """Return the members of a JSON object, given the cells of the fields in it."""
    return [f"{quote_literal(name)}, {_json(part, cells)}" for name, part in shape.items()]


def _json(part: Shape, cells: Mapping[str, str]) -> str:
    if isinstance(part, Named):
        return cells[part.field]
    if isinstance(part, Linked):
        otherwise = f" else {cells[part.otherwise.field]}" if part.otherwise else ""
        return f"case when key = {quote_literal(part.key)} then to_json(id){otherwise} end"
    if isinstance(part, Filled):
        return f"({_text(part, cells)})::json"
    if isinstance(part, Mapping):
        return f"json_object({', '.join(_members(part, cells))})"
    return quote_literal(part) if isinstance(part, str) else str(part)


def _text(part: Shape, cells: Mapping[str, str]) -> str:
    """Return the text of JSON; null where it has no value."""
    if not isinstance(part, Filled):
        written = _json(part, cells)
        as_json = written if isinstance(part, (Named, Linked, Mapping)) else f"to_json({written})"
        return f"nullif(({as_json})::varchar, 'null')"
    members = (
        f"{quote_literal(f'{json.dumps(name)}:')} || {_text(each, cells)}" for name, each in part.members.items()
    )
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"  # `concat_ws` leaves out what is null
