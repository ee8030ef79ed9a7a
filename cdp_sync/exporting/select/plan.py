"""Composes the statements that choose profiles. Pure: a run and the columns found in, steps out.

A statement is a pile of selects, each naming what the next ones use: what is taken of profiles, what of that becomes a
line (`Rows`), what becomes of the profile.
"""

import hashlib
from collections.abc import Collection, Iterator

from sqlalchemy import case, false, func, literal_column, or_, select, true

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select.rows import Level, Rows, on
from cdp_sync.model import CONSENT_PROPERTIES, Condition
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step, quote_literal


def segment_step(run: ExportRun, columns: Collection[str]) -> Step:
    """Return the query that counts the segment."""
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("segment", select(func.count()).select_from(PROFILE).where(inside))


def selected_step(run: ExportRun, rows: Rows, columns: Collection[str]) -> Step:
    """Return the step that makes `staging.selected`: what becomes of the segment's profiles, in order.

    Those whose values are as they were when they were last delivered are left out: they are the same, and mostly they
    are most. DuckDB's own hash decides that, which is quick; what differs by it is compared as it would be written. So
    a version of DuckDB with another hash makes every line once more, and delivers nobody again.

    Args:
        run: The run.
        rows: How profiles become lines.
        columns: The columns that the warehouse has; a property without one is empty.
    """
    taken = _taken(run, rows, columns)
    how = "".join(f"{name}{sql}" for level in rows.levels for name, sql in level.items())
    salt = hashlib.sha256(f"{run.fingerprint}{how}".encode())
    values = {**taken.values, "salt": salt.hexdigest(), "fingerprint": run.fingerprint}
    source = on(taken.sql, {"value_hash": _value_hash(rows), "eligible": "has_value and allowed and is_linked"})
    compared = run.goal.changes == "changed"
    if compared:
        values |= {"connection": run.connection, "goal": run.goal.name}
        source = _CHANGED.format(source)
    for level in (*rows.levels, *_end(run, rows, compared=compared)):
        source = on(source, level)
    return Step("selected", _SELECTED.format(source), values)


def cells_step(run: ExportRun, rows: Rows, columns: Collection[str], limit: int) -> Step:
    """Return the query for the cells of the first staged rows, before they become a line."""
    taken = _taken(run, rows, columns)
    source = _FIRST_WRITTEN.format(taken.sql)
    for level in rows.cells:
        source = on(source, level)
    names = ", ".join(rows.shown.values())
    return Step(
        "cells", f"select {names}\nfrom (\n{source}\n)\norder by place", {**taken.values, "limit": limit}, ("selected",)
    )


_CHANGED = """select profile.*, known_hash
from (
{}
) profile
left join (
    select profile_id, row_hash as known_hash, value_hash as known_values
    from warehouse.exported_profile
    where goal_number = (select number from warehouse.exported_goal where connection = $connection and goal = $goal)
) using (profile_id)
where not eligible or known_values is distinct from value_hash"""

_SELECTED = """create or replace table staging.selected as
select
    profile_id,
    ending,
    case when ending = 'written' then line end as line,
    case when ending in ('written', 'same') then row_hash end as row_hash,
    value_hash,
    in_ledger,
    problems
from (
{}
)
order by created_at, profile_id"""

_FIRST_WRITTEN = """select *
from (
{}
)
join (
    select profile_id, rowid as place from staging.selected where ending = 'written' order by place limit $limit
) using (profile_id)"""


def _taken(run: ExportRun, rows: Rows, columns: Collection[str]) -> Step:
    """Return the query for the segment's profiles, with what is asked of them and what is written of them."""
    has = (Condition.model_validate({"property": name, "has_value": True}) for name in run.goal.properties)
    # Each property is only looked at where those before had no value.
    has_value = (
        case(*((condition_of(when, run.profiles, run.now, columns), true()) for when in has), else_=false())
        if run.goal.properties
        else true()
    )
    is_linked = or_(*(value.is_not(None) for value in rows.links.values())) if rows.links else true()
    chosen = [
        literal_column("profile.profile_id").label("profile_id"),
        literal_column("profile.created_at").label("created_at"),
        has_value.label("has_value"),
        literal_column(f"({allowed(run, columns)})").label("allowed"),
        is_linked.label("is_linked"),
        *(value.label(name) for name, value in rows.taken.items()),
    ]
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("taken", select(*chosen).select_from(PROFILE).where(inside))


def allowed(run: ExportRun, columns: Collection[str]) -> str:
    """Return the condition that a profile may be processed under the connection's objectives."""
    if not run.objectives:
        return "true"
    types = {name: run.profiles.by_name[name].sql_type for name in CONSENT_PROPERTIES}
    held = (f"profile.{name}" if name in columns else f"cast(null as {kind})" for name, kind in types.items())
    return may_process(run.objectives, run.profiles, ConsentColumns(*held))


def _value_hash(rows: Rows) -> str:
    """Return the expression for the hash of all that makes a row another one; `$salt` stands for how it is written."""
    return f"hash({', '.join(['$salt', *rows.taken])})"


def _end(run: ExportRun, rows: Rows, *, compared: bool) -> Iterator[Level]:
    """Yield, level by level, what becomes of a profile; `in_ledger` where it is known that the goal delivered it."""
    told = f"list_filter([{', '.join(problem.told for problem in rows.problems)}], lambda told: told is not null)"
    # The fingerprint is part of the hash, so that a changed declaration makes every row another one.
    row_hash = "xor(md5_number(line), md5_number($fingerprint))::uuid"
    # As JSON, since lists of structs take a tenth of the time that rows take to stage, even where there are none.
    problems = f"case when eligible and ({rows.fails_if}) then to_json({told})::varchar end"
    yield {"row_hash": row_hash, "problems": problems}
    yield {"ending": _ending(compared=compared), "in_ledger": "known_hash is not null" if compared else "false"}


_ENDS = ("without_value", "without_consent", "without_identifier", "not_deliverable", "same", "written")


def _ending(*, compared: bool) -> str:
    # As an enum, since a million words take as long to store as a tenth of the rows' text.
    words = {word: f"'{word}'::enum({', '.join(map(quote_literal, _ENDS))})" for word in _ENDS}
    same = f"when row_hash = known_hash then {words['same']}" if compared else ""
    return f"""case
        when not has_value then {words["without_value"]}
        when not allowed then {words["without_consent"]}
        when not is_linked then {words["without_identifier"]}
        when problems is not null then {words["not_deliverable"]}
        {same}
        else {words["written"]}
    end"""
