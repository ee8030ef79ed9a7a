"""How profiles become users of a platform: one JSON object each, which the goal shapes; and which users leave lists.

`v1` is the value of the second field, `c1` that field as JSON, `id` and `key` say which user is meant, `line` is the
whole object.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select

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
    allowed,
    on,
)
from cdp_sync.model import ExportColumn, Property
from cdp_sync.model.audience import AudienceField, Filled, Linked, Named, Shape
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.rollups import value_of
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step, quote_literal

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


_LEAVER = """create or replace table staging.leaver as
with linked as (
{linked}
),
-- What a profile joined that was merged since is its survivor's. `is_plain`: it is known by what it was linked by.
member as (
    select
        member.profile_id, coalesce(profile.merged_into, member.profile_id) as live_id,
        member.list, member.key, member.id, coalesce(member.link_key, member.key) as link_key,
        coalesce(member.link_hash, md5(concat(member.key, ' ', member.id))) as link_hash,
        coalesce(member.link_key, member.key) = member.key as is_plain,
        member.profile_id in (select unnest([left_id, right_id]) from warehouse.decision) as is_decided
    from warehouse.list_member member
    left join warehouse.profile profile on profile.profile_id = member.profile_id
    where member.connection = $connection and member.goal = $goal
),
stays as (
    select
        profile_id, key, case when key is not null then md5(concat(key, ' ', id)) end as link_hash,
        profile_id in (select profile_id from staging.selected where ending = 'written') as is_written
    from linked{filtered}
    semi join member on member.live_id = linked.profile_id
),
known as (
    select profile_id, value
    from warehouse.profile_identifier
    where profile_id in (select live_id from member where is_decided and not is_plain)
),
-- A profile with another address is another user by now. So is one that was merged or unmerged, also where the platform
-- knows it by an id of its own. In other profiles such a user may have got another address.
former as (
    select member.profile_id, member.list, member.key, member.id
    from member
    join stays on stays.profile_id = member.live_id
    where member.link_hash is distinct from stays.link_hash and case
        when not is_decided then is_written and is_plain and member.link_key = stays.key
        when not is_plain and (live_id, member.id) in (select (profile_id, value) from known) then false
        when member.link_key <> stays.key then is_written and member.profile_id <> live_id
        else true
    end
),
staying as (
    select member.list, member.key, member.id
    from member
    semi join stays on stays.profile_id = member.live_id
    anti join former using (profile_id, list, key, id)
    where member.list in (select unnest($lists::text[]))
)
-- A user that another profile stands for by now stays, too.
select profile_id, list, key, id from member anti join staying using (list, key, id) where $removes"""


_IS_IN_STAGE = """profile.profile_id in (
    select profile_id from warehouse.lifecycle_stage
    where lifecycle = $lifecycle and list_contains($stages::text[], stage)
)"""


def leaver_step(run: UserRun, columns: Collection[str]) -> Step:
    """Return the step that makes `staging.leaver`: each user who leaves a list, and by which key.

    Profiles that may no longer be processed, or are in none of the goal's stages any more, leave like those that left
    the segment; those at their cap stay. While the lifecycle is off nobody leaves. All users leave a list that the goal
    no longer names. Where a profile is sent under another address, the user of the former one leaves. So does the user
    of a profile that was merged into another one, unless that is the same user. A property that `columns`, those of the
    warehouse, does not hold is empty.
    """
    linked = linked_step(run, columns)
    values = {**linked.values, "connection": run.connection, "goal": run.goal.name}
    values |= {"lists": list(run.goal.memberships), "removes": run.goal.removes and not run.note}
    dropped = "\n    anti join (select profile_id from staging.selected where ending = 'filtered') using (profile_id)"
    sql = _LEAVER.format(linked=linked.sql, filtered=dropped if run.goal.processors else "")
    return Step("leaver", sql, values)


def linked_step(run: UserRun, columns: Collection[str]) -> Step:
    """Return the query for the profiles of segment and stages that may be processed, with `id` and `key` of users."""
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    may: ColumnElement[bool] = literal_column(f"({allowed(run, columns)})")
    rows, values = run.rows(columns), dict[str, Any]()
    named: list[ColumnElement[Any]] = [literal_column("profile.profile_id").label("profile_id")]
    named += [value.label(name) for name, value in rows.links.items()]
    chosen = select(*named).select_from(PROFILE).where(inside, may)
    if lifecycle := run.goal.lifecycle:
        chosen = chosen.where(literal_column(_IS_IN_STAGE))
        values = {"lifecycle": lifecycle.name, "stages": list(lifecycle.stages_of(run.profiles))}
    linked = step("linked", chosen)
    return Step("linked", on(linked.sql, rows.user), {**linked.values, **values})
