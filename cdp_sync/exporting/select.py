"""Chooses the profiles to deliver and stages their rows as they will be written. Only reads the warehouse.

A statement nests selects: the values read from profiles, the line made of them (`Rows`), and the profile's ending. It
is also verified that the delivery can be recorded, before anything is delivered: otherwise each run would deliver the
same profiles again, as long as the ledger cannot be written.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, literal_column, not_, or_, select, true
from sqlalchemy.sql.selectable import NamedFromClause

from cdp_sync.exporting.changes.candidates import CANDIDATES, stage_candidates
from cdp_sync.exporting.changes.deciding import decide
from cdp_sync.exporting.changes.state import stage_pass
from cdp_sync.exporting.column_values import FULL_PERMISSION
from cdp_sync.exporting.run import DeliveryRun, ExportRun
from cdp_sync.exporting.touches.capping import IN_STAGE, with_stage
from cdp_sync.exporting.touches.reserving import reserve as reserve_touches
from cdp_sync.model import EXPORT_COUNTERS, Condition, ExportCounters
from cdp_sync.processing import Moment, Relation, drop_tables, process, works_alone
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Session, Step, quote_literal, readable_columns

Inputs = dict[str, ColumnElement[Any]]
"""Values read from profiles, by the name that each gets."""

Level = Mapping[str, str]
"""Expressions over the names of the levels before, by the name that each gets."""

IS_RIVAL = "is_rival"
"""Cell of profiles with links: whether another profile stands for the same user."""

_PROFILE_ID: ColumnElement[Any] = literal_column("profile.profile_id")

_LEAST_ROOM = 2 << 20
_PROFILE_ROOM = 100
"""Bytes that the warehouse grows by for each profile whose entry in the ledger is replaced: 80 as measured."""


@dataclass(frozen=True)
class Problem:
    """Why a profile cannot be delivered."""

    fails_if: str
    reason: str
    field: str | None
    """The column whose value it is; None: the whole row."""


@dataclass(frozen=True)
class Column:
    """A column of an export."""

    number: int
    name: str
    inputs: Inputs = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fails_if: str = "false"
    """The condition that there is one of the problems: quicker to evaluate than each."""

    @property
    def cell(self) -> str:
        """Name of the cell."""
        return f"c{self.number}"


@dataclass(frozen=True)
class Rows:
    """How a kind of export turns profiles into lines."""

    columns: Sequence[Column]
    cells: Sequence[Level]
    """The expressions for the cells, level by level: `c0`, `c1` and so on."""
    line: Sequence[Level]
    """The expressions that make `line` of the cells: null where a profile is not eligible."""
    problems: Sequence[Problem] = ()
    """Why a profile could not be delivered."""
    fails_if: str = "false"
    """The condition that there is one of these problems: quicker to evaluate than each."""
    links: Inputs = field(default_factory=dict)
    """Identifiers: a profile needs one of them to be delivered. Empty: it needs none."""
    user: Level = field(default_factory=dict)
    """The `id` and `key` of the user that a profile is on a platform, made of the links. Empty: there are no users."""
    named: Sequence[str] = ()
    """Cells that identify the profile on the platform, besides the columns."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Where processors change them, the name of each column's cell as text, by the column's name."""
    finish: Sequence[Level] = ()
    """The expressions that make cells of these texts."""

    @property
    def shown(self) -> dict[str, str]:
        """The cells that a preview shows, by their headings."""
        return {name: name for name in self.named} | {column.name: column.cell for column in self.columns}

    @property
    def inputs(self) -> Inputs:
        """All values read from profiles."""
        every = [*(column.inputs for column in self.columns), self.links]
        return {name: value for inputs in every for name, value in inputs.items()}


def select_segment(run: ExportRun, *, keep_cells: bool = False, reserve: bool = True) -> ExportCounters:
    """Stage the profiles to deliver, with their cells if asked for; count the endings of the segment's profiles.

    A goal whose exports count as touches writes these in the same session, unless nothing is to be reserved.

    Raises:
        ProcessorFailed: A processor cannot do its work.
        PropertyTypeChanged: A declared type differs from that of the column.
        DiskFull: The rows do not fit on the disk.
    """
    for leftover in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        leftover.unlink(missing_ok=True)
    reserving = reserve and run.reserves_touches
    with run.open("write" if reserving else "read") as session:
        session.set("force_compression", "uncompressed")  # rows stay here for seconds only
        columns = readable_columns(session, run.profiles)
        found = decide(session, run, columns)
        short = not found.full
        if short:
            stage_candidates(session, run, found, columns)
        rows, among = run.rows(columns), CANDIDATES if short else PROFILE
        selected = selected_step(session, run, rows, columns, keep_cells=keep_cells, short=short)
        session.run([selected, *run.more_steps(columns, short=short)])
        drop_tables(session)
        if reserving:
            session.set("force_compression", "auto")
            reserve_touches(session, run)
        inside = step("segment", select(_PROFILE_ID).select_from(among).where(is_exported(run, columns)))
        in_segment = session.value(f"select count(*) from ({inside.sql})", inside.values)
        ends = dict(session.rows("select 'profiles_' || ending, count(*) from staging.selected group by ending"))
        ends["profiles_same"] = in_segment - sum(ends.values()) + ends.get("profiles_same", 0)
        counters = ExportCounters(in_segment, *(ends.get(name, 0) for name in EXPORT_COUNTERS[1:]))
        return stage_pass(session, run, found, inside, counters)


def verify_recordable(run: ExportRun, counters: ExportCounters) -> None:
    """Open the warehouse as recording does, and verify that it can grow. No-op where nothing is due.

    Raises:
        DiskFull: There is no room for the ledger.
        WarehouseLocked: Another process holds the warehouse.
        WarehouseUnusable: It cannot be written.
    """
    if counters.profiles_written or run.is_due_without_profiles():
        with run.open("write"):
            verify_room(run, counters.profiles_written)


def verify_room(run: ExportRun, profiles: int) -> None:
    """Verify that the warehouse can grow by the ledger rows of so many profiles; it is not opened.

    Raises:
        DiskFull: There is no room.
        WarehouseUnusable: Nothing can be written beside the warehouse.
    """
    run.warehouse.verify_room(_LEAST_ROOM + profiles * _PROFILE_ROOM * run.entries)


def selected_step(
    session: Session,
    run: ExportRun,
    rows: Rows,
    columns: Collection[str],
    *,
    keep_cells: bool = False,
    short: bool = False,
) -> Step:
    """Return the step that makes `staging.selected`: the segment's profiles with their endings, in order.

    Profiles whose values equal those last delivered are left out; often these are most. DuckDB's fast hash decides
    that. Where it differs, the written lines are compared, so a DuckDB version with another hash delivers nobody again.
    Processors, if any, change the cells first, as far as that takes statements. Profiles without value, consent or
    identifier are not shown to them. Where a processor compares rows with each other or calls a function, it gets those
    as well whose values equal the ones last delivered.
    """
    processors, kept, line = run.goal.processors, "true", "line"
    alone = not processors or works_alone(processors)
    source, values, compared = _compared(run, rows, columns, all_profiles=not alone, short=short)
    for level in rows.cells:
        source = on(source, level)
    if processors:
        session.define_functions()
        source, kept = on(source, {"kept": "coalesce(eligible, false)"}), "kept"
        order = "" if alone else "\norder by created_at, profile_id"
        relation = Relation(f"(\n{source}{order}\n)", rows.texts, len(rows.columns) - 1, values, kept=kept)
        relation = process(session, relation, processors, Moment(run.now, os.environ))
        source, values = f"select * from {relation.source}", dict(relation.values)
        if relation.steady:
            source, line = _with_steady_line(source, rows, relation), "steady_line"
    staged = run.goal.lifecycle is not None
    for level in (*rows.finish, *rows.line, *_end(rows, compared=compared, staged=staged, kept=kept, line=line)):
        source = on(source, level)
    shown = f",\n    [{', '.join(f'{cell}::varchar' for cell in rows.shown.values())}] as cells" if keep_cells else ""
    shown += ",\n    stage,\n    capped_until" if staged else ""
    return Step("selected", _SELECTED.format(source, shown), {**values, "fingerprint": run.fingerprint})


def _with_steady_line(source: str, rows: Rows, relation: Relation) -> str:
    """Return the rows with `steady_line`: their line as it would be on any other day, by which rows are compared."""
    cells = {relation.cells[name]: twin for name, twin in relation.steady.items()}
    shown = ", ".join(f"{cell} as shown_{cell}" for cell in cells)
    steady = ", ".join(f"{twin} as {cell}" for cell, twin in cells.items())
    source = f"select * replace ({steady}), {shown}\nfrom (\n{source}\n)"
    levels = (*rows.finish, *rows.line)
    for level in levels:
        source = on(source, level)
    left_out = ", ".join([*(name for level in levels for name in level), *(f"shown_{cell}" for cell in cells)])
    back = ", ".join(f"shown_{cell} as {cell}" for cell in cells)
    return f"select * exclude ({left_out}) replace ({back}), line as steady_line\nfrom (\n{source}\n)"


def _compared(
    run: ExportRun, rows: Rows, columns: Collection[str], *, all_profiles: bool = False, short: bool = False
) -> tuple[str, dict[str, Any], bool]:
    """Return the query for the profiles with the digest of their values, what to bind, and whether these compare.

    Profiles whose values equal those last delivered are left out, unless `all_profiles` are wanted.
    """
    chosen = _chosen(run, rows, columns, CANDIDATES if short else PROFILE)
    levels = (*rows.cells, *rows.finish, *rows.line)
    how = "".join(f"{name}{sql}" for level in levels for name, sql in level.items())
    salt = hashlib.sha256(f"{run.fingerprint}{how}".encode())
    values: dict[str, Any] = {**chosen.values, "salt": salt.hexdigest()}
    value_hash = f"hash({', '.join(['$salt', *rows.inputs])})"
    source, in_stage = with_stage(run, chosen.sql, columns)
    values |= in_stage
    eligible = f"has_value and allowed and is_linked{f' and {IN_STAGE}' if run.goal.lifecycle else ''}"
    source = on(source, {"value_hash": value_hash, "eligible": eligible})
    if rows.user:
        source = on(source, {IS_RIVAL: _IS_RIVAL.format(", ".join(rows.user.values()))})
    compared = run.goal.changes == "changed"
    if compared:
        ledger = "staging.candidate_row" if short else _LEDGER
        values |= {} if short else {"connection": run.connection, "goal": run.goal.name}
        source = _CHANGED.format(source, ledger, "true" if all_profiles else "false")
    return source, values, compared


_IS_RIVAL = "eligible and row_number() over (partition by eligible, {} order by created_at, profile_id) > 1"
"""The condition that an older profile of the segment is the same user."""

_CHANGED = """select profile.*, known_hash
from (
{}
) profile
left join (
    select profile_id, row_hash as known_hash, value_hash as known_values
    from {}
) using (profile_id)
where {} or not eligible or known_values is distinct from value_hash"""

_LEDGER = """warehouse.exported_profile
    where goal_number = (select number from warehouse.exported_goal where connection = $connection and goal = $goal)"""

_SELECTED = """create or replace table staging.selected as
select
    profile_id,
    ending,
    case when ending = 'written' then line end as line,
    case when ending in ('written', 'same') then row_hash end as row_hash,
    value_hash,
    in_ledger,
    problems{1}
from (
{0}
)
order by created_at, profile_id"""


def _chosen(run: ExportRun, rows: Rows, columns: Collection[str], among: NamedFromClause) -> Step:
    """Return the query for the segment's profiles: what decides their ending, and the values that are written."""
    named = dict.fromkeys((column.group, column.property) for column in run.goal.map if column.property)
    has = (Condition.model_validate({"group": group, "property": name, "has_value": True}) for group, name in named)
    # A `case` evaluates a property only where those before it had no value.
    whens = [(condition_of(when, run.profiles, run.now, columns), true()) for when in has]
    has_value = case(*whens, else_=false()) if whens else true()
    is_linked = or_(*(value.is_not(None) for value in rows.links.values())) if rows.links else true()
    values = [
        _PROFILE_ID.label("profile_id"),
        literal_column("profile.created_at").label("created_at"),
        has_value.label("has_value"),
        literal_column(f"({allowed(run, columns)})").label("allowed"),
        is_linked.label("is_linked"),
        *(value.label(name) for name, value in rows.inputs.items()),
    ]
    inside = is_exported(run, columns)
    return step("chosen", select(*values).select_from(among).where(inside))


def is_exported(run: ExportRun, columns: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that the goal exports a profile: it is in its segment, and in others or not."""
    if run.waits:
        return false()
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    further = ((is_in_segment(run.profiles, name, run.now, columns), has) for name, has in run.goal.narrowed_by)
    return and_(inside, *(each if has else not_(each) for each, has in further))


def allowed(run: DeliveryRun, columns: Collection[str]) -> str:
    """Return the condition that the connection's objectives, and its permission level, allow to export a profile."""
    conditions = []
    if run.objectives:
        conditions.append(may_process(run.objectives, run.profiles, ConsentColumns.of_profile(run.profiles, columns)))
    level = run.profiles.permission_level
    if level and level.name in columns and run.goal.has_personal(run.profiles):
        conditions.append(f"coalesce(profile.{level.name}, {FULL_PERMISSION}) >= {FULL_PERMISSION}")
    return " and ".join(conditions) or "true"


_ENDS = (
    "outside_lifecycle", "without_value", "without_consent", "without_identifier", "capped", "filtered",
    "not_deliverable", "same", "written",
)  # fmt: skip


def _end(
    rows: Rows, *, compared: bool, staged: bool = False, kept: str = "true", line: str = "line"
) -> Iterator[Level]:
    """Yield, level by level, a profile's ending; `in_ledger` where the goal is known to have delivered it.

    Profiles are compared by the digest of `line`. `staged` says whether they have `stage` and `capped_until`.
    """
    # The fingerprint is part of the hash, so that a changed declaration makes every row another one.
    row_hash = f"uuid_of(xor(md5_number({line}), md5_number($fingerprint)))"
    yield {"row_hash": row_hash, "problems": problems_of(rows, f"eligible and {kept}")}
    # As an enum: a million words take as long to store as a tenth of the rows' text.
    words = {word: f"'{word}'::{enum_of(_ENDS)}" for word in _ENDS}
    same = f"when row_hash = known_hash then {words['same']}" if compared else ""
    outside = f"when stage is null then {words['outside_lifecycle']}" if staged else ""
    capped = f"when capped_until is not null then {words['capped']}" if staged else ""
    ending = f"""case
        {outside}
        when not has_value then {words["without_value"]}
        when not allowed then {words["without_consent"]}
        when not is_linked then {words["without_identifier"]}
        {capped}
        when not {kept} then {words["filtered"]}
        when problems is not null then {words["not_deliverable"]}
        {same}
        else {words["written"]}
    end"""
    yield {"ending": ending, "in_ledger": "known_hash is not null" if compared else "false"}


def enum_of(words: Iterable[str]) -> str:
    """Return the type whose values are these words, in this order."""
    return f"enum({', '.join(map(quote_literal, words))})"


def problems_of(rows: Rows, asked: str) -> str:
    """Return the expression for the problems of a row where a condition asks for them; null where it has none."""
    each = (
        f"case when {problem.fails_if} then {{field: {name}, reason: {quote_literal(problem.reason)}}} end"
        for problem in rows.problems
        for name in [quote_literal(problem.field) if problem.field else "null::varchar"]
    )
    entries = f"list_filter([{', '.join(each)}], lambda x: x is not null)"
    # As JSON: even empty lists of structs take a tenth of the time of staging.
    return f"case when {asked} and ({rows.fails_if}) then to_json({entries})::varchar end"


def on(source: str, named: Level) -> str:
    """Return a select of the source's columns, and more."""
    more = "".join(f",\n    {sql} as {name}" for name, sql in named.items())
    return f"select *{more}\nfrom (\n{source}\n)" if named else source
