"""Composes the statements that choose profiles. Pure: a run and the columns found in, steps out.

A statement nests selects: the values read from profiles, the line made of them (`Rows`), and the profile's ending.
"""

import hashlib
from collections.abc import Collection, Iterator

from sqlalchemy import case, false, func, literal_column, or_, select, true

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select.rows import Level, Rows, on
from cdp_sync.model import Condition
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
    """Return the step that makes `staging.selected`: the segment's profiles with their endings, in order.

    Profiles whose values equal those last delivered are left out; often these are most. DuckDB's fast hash decides
    that. Where it differs, the written lines are compared, so a DuckDB version with another hash delivers nobody again.
    """
    chosen = _chosen(run, rows, columns)
    how = "".join(f"{name}{sql}" for level in rows.levels for name, sql in level.items())
    salt = hashlib.sha256(f"{run.fingerprint}{how}".encode())
    values = {**chosen.values, "salt": salt.hexdigest(), "fingerprint": run.fingerprint}
    value_hash = f"hash({', '.join(['$salt', *rows.inputs])})"
    source = on(chosen.sql, {"value_hash": value_hash, "eligible": "has_value and allowed and is_linked"})
    compared = run.goal.changes == "changed"
    if compared:
        values |= {"connection": run.connection, "goal": run.goal.name}
        source = _CHANGED.format(source)
    for level in (*rows.levels, *_end(rows, compared=compared)):
        source = on(source, level)
    return Step("selected", _SELECTED.format(source), values)


def cells_step(run: ExportRun, rows: Rows, columns: Collection[str], limit: int) -> Step:
    """Return the query for the cells of the first staged rows, before they become a line."""
    chosen = _chosen(run, rows, columns)
    source = _FIRST_WRITTEN.format(chosen.sql)
    for level in rows.cells:
        source = on(source, level)
    names = ", ".join(rows.shown.values())
    query = f"select {names}\nfrom (\n{source}\n)\norder by place"
    return Step("cells", query, {**chosen.values, "limit": limit})


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


def _chosen(run: ExportRun, rows: Rows, columns: Collection[str]) -> Step:
    """Return the query for the segment's profiles: what decides their ending, and the values that are written."""
    has = (Condition.model_validate({"property": name, "has_value": True}) for name in run.goal.properties)
    # A `case` evaluates a property only where those before it had no value.
    whens = [(condition_of(when, run.profiles, run.now, columns), true()) for when in has]
    has_value = case(*whens, else_=false()) if whens else true()
    is_linked = or_(*(value.is_not(None) for value in rows.links.values())) if rows.links else true()
    values = [
        literal_column("profile.profile_id").label("profile_id"),
        literal_column("profile.created_at").label("created_at"),
        has_value.label("has_value"),
        literal_column(f"({allowed(run, columns)})").label("allowed"),
        is_linked.label("is_linked"),
        *(value.label(name) for name, value in rows.inputs.items()),
    ]
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("chosen", select(*values).select_from(PROFILE).where(inside))


def allowed(run: ExportRun, columns: Collection[str]) -> str:
    """Return the condition that the connection's objectives allow to process a profile."""
    if not run.objectives:
        return "true"
    return may_process(run.objectives, run.profiles, ConsentColumns.of_profile(run.profiles, columns))


_ENDS = ("without_value", "without_consent", "without_identifier", "not_deliverable", "same", "written")


def _end(rows: Rows, *, compared: bool) -> Iterator[Level]:
    """Yield, level by level, a profile's ending; `in_ledger` where the goal is known to have delivered it."""
    entries = f"list_filter([{', '.join(problem.entry for problem in rows.problems)}], lambda x: x is not null)"
    # The fingerprint is part of the hash, so that a changed declaration makes every row another one.
    row_hash = "xor(md5_number(line), md5_number($fingerprint))::uuid"
    # As JSON: even empty lists of structs take a tenth of the time of staging.
    problems = f"case when eligible and ({rows.fails_if}) then to_json({entries})::varchar end"
    yield {"row_hash": row_hash, "problems": problems}
    # As an enum: a million words take as long to store as a tenth of the rows' text.
    words = {word: f"'{word}'::enum({', '.join(map(quote_literal, _ENDS))})" for word in _ENDS}
    same = f"when row_hash = known_hash then {words['same']}" if compared else ""
    ending = f"""case
        when not has_value then {words["without_value"]}
        when not allowed then {words["without_consent"]}
        when not is_linked then {words["without_identifier"]}
        when problems is not null then {words["not_deliverable"]}
        {same}
        else {words["written"]}
    end"""
    yield {"ending": ending, "in_ledger": "known_hash is not null" if compared else "false"}
