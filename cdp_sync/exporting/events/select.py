"""Stages the events to deliver, with their rows as they will be written. Only reads the warehouse.

A statement nests selects: the values read from events and their profiles, the lines made of them, one entry for each
event, and its ending beside what the ledger knows. Files of whole days, and of everything, are written again as wholes
where anything in them differs; not that of a day of which events were removed because of their age, which would be
lost.
"""

import json
from collections.abc import Collection, Iterable
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Select, cast, false, literal_column, null, select, table, union_all

from cdp_sync.exporting.events.removing import old_file_steps
from cdp_sync.exporting.events.rows import event_inputs, event_rows
from cdp_sync.exporting.events.window import EVENT_HASH, Window, conditions_of, find_window, may_be_removed
from cdp_sync.exporting.run import EventRun, ResponseRun
from cdp_sync.exporting.select import Rows, allowed, enum_of, on, problems_of
from cdp_sync.model import EVENT_COUNTERS, EventCounters, EventType
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import SqlType, step
from cdp_sync.warehouse import (
    EventColumns,
    Session,
    Step,
    event_columns,
    quote_literal,
    readable_columns,
)

TOO_LATE = "the file of its day stays as it was delivered: keep_days has removed events of that day since"
"""Why an event cannot be delivered that is of a day whose file cannot be written again as a whole."""

_LINE_BREAKS = {"windows": "chr(13) || chr(10)", "linux": "chr(10)"}

_LEAST_ROOM = 2 << 20
_EVENT_ROOM = 120
"""Bytes that the warehouse grows by for each event whose entry in the ledger is replaced."""


def select_events(run: EventRun, *, keep_cells: bool = False) -> EventCounters:
    """Stage the events to deliver as `staging.selected`, with their cells if asked for; count the endings of all.

    `staging.reached` has how far the goal has looked at each type, to be recorded with the delivery.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
        DiskFull: The rows do not fit on the disk.
    """
    for leftover in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        leftover.unlink(missing_ok=True)
    with run.open("read") as session:
        session.set("force_compression", "uncompressed")  # rows stay here for seconds only
        stored, columns = event_columns(session), readable_columns(session, run.profiles)
        types = [event for event in run.goal.types(run.profiles) if event.name in stored]
        window = find_window(session, run, types)
        rows = event_rows(run)
        source = _source(run, window, stored, columns)
        selected = _selected(run, window, rows, source, keep_cells=keep_cells)
        session.run([selected, _reached(window, run), *old_file_steps(run)])
        query = "select 'events_' || ending, count(*) from staging.selected where ending is not null group by ending"
        ends = dict(session.rows(query))
        return EventCounters(sum(ends.values()), *(ends.get(name, 0) for name in EVENT_COUNTERS[1:]))


def verify_event_room(run: EventRun | ResponseRun, events: int) -> None:
    """Verify that the warehouse can grow by the ledger rows of so many events; it is not opened.

    Raises:
        DiskFull: There is no room.
        WarehouseUnusable: Nothing can be written beside the warehouse.
    """
    run.warehouse.verify_room(_LEAST_ROOM + events * _EVENT_ROOM)


def verify_events_recordable(run: EventRun, counters: EventCounters) -> None:
    """Open the warehouse as recording does, and verify that it can grow. No-op where nothing is due.

    Raises:
        DiskFull: There is no room for the ledger.
        WarehouseLocked: Another process holds the warehouse.
        WarehouseUnusable: It cannot be written.
    """
    if counters.events_in_window or parts_of(run):
        with run.open("write"):
            verify_event_room(run, counters.events_in_window)


def parts_of(run: EventRun) -> list[tuple[str, int]]:
    """Return the files to write: what each is split by, as it stands in its name, and how many rows it has."""
    with run.open("none") as session:
        query = """
            select part, coalesce(sum(row_count) filter (ending = 'written'), 0)::bigint
            from staging.selected
            where is_due
            group by part
            order by part"""
        due = dict(session.rows(query))
        empty = _empty_parts(session, run) if run.goal.write_empty else []
    return sorted({**dict.fromkeys(empty, 0), **due}.items())


def _empty_parts(session: Session, run: EventRun) -> list[str]:
    """Return the parts that have a file also without events: the new one, or each day that has passed."""
    if not run.goal.by_day:
        return [""]
    known = {part for (part,) in session.rows("select distinct part from staging.selected")}
    first, last = session.row("select max(previous_day), max(day) from staging.reached")
    if last is None:
        return []
    begin = max(first + timedelta(days=1) if first else last, run.goal.since or date.min)
    days = (begin + timedelta(days=number) for number in range((last - begin).days + 1))
    return [name for name in (f"{day:%Y%m%d}" for day in days) if name not in known]


def _source(run: EventRun, window: Window, stored: EventColumns, columns: Collection[str]) -> Step:
    """Return the query for the events that the run looks at, with the values that their rows are made of."""
    selects = [
        each
        for event in run.goal.types(run.profiles)
        for each in _selects(run, window, event, stored=stored, columns=columns)
    ]
    return step("source", union_all(*selects) if len(selects) > 1 else selects[0])


def _selects(
    run: EventRun, window: Window, event: EventType, *, stored: EventColumns, columns: Collection[str]
) -> list[Select[tuple[object, ...]]]:
    inputs = event_inputs(run, event, stored, columns)
    values = [value.label(name) for name, value in inputs.items()]
    kind = cast(literal_column(quote_literal(event.name)), SqlType("VARCHAR")).label("event_type")
    if event.name not in stored:
        empty = {"event_id": "VARCHAR", "profile_id": "UUID", "happened_at": "TIMESTAMPTZ", "allowed": "BOOLEAN"}
        nulls = [cast(null(), SqlType(sql)).label(name) for name, sql in empty.items()]
        return [select(kind, *nulls, *values).select_from(PROFILE).where(false())]
    known = table(event.table, schema="warehouse").alias("event")
    source = known.join(PROFILE, literal_column("profile.profile_id") == literal_column("event.profile_id"))
    may = allowed(run, columns)
    read: list[ColumnElement[object]] = [
        literal_column(f"event.{name}").label(name) for name in ("event_id", "profile_id", "happened_at")
    ]
    chosen = select(kind, *read, literal_column(f"({may})").label("allowed"), *values).select_from(source)
    if run.goal.segment:
        chosen = chosen.where(is_in_segment(run.profiles, run.goal.segment, run.now, columns))
    return [chosen.where(literal_column(f"({each})")) for each in conditions_of(window, run, event)]


def _selected(run: EventRun, window: Window, rows: Rows, source: Step, *, keep_cells: bool) -> Step:
    """Return the step that makes `staging.selected`, in the order of files, days and times.

    Of a file that is written as a whole it also has what the ledger knows of events that are no longer there: those
    rows have no ending.
    """
    goal = run.goal
    day, has_row = "make_timestamp(epoch_us(happened_at))::date", "place > 0" if goal.items else "true"
    made = on(source.sql, {"has_row": has_row, "eligible": f"allowed and {has_row}"})
    for level in (*rows.cells, *rows.finish, *rows.line):
        made = on(made, level)
    cells = {"cells": f"[{', '.join(f'{cell}::varchar' for cell in rows.shown.values())}]"} if keep_cells else {}
    made = on(made, {"problems": problems_of(rows, "eligible"), **cells})
    made = _of_events(made, goal.format.row_delimiter, cells) if goal.items else on(made, {"row_count": "1"})
    event_hash = EVENT_HASH.format(type="event_type", id="event_id")
    row_hash = """case when eligible and problems is null then
        uuid_of(xor(md5_number(line), md5_number($fingerprint)))
    end"""
    made = on(made, {"event_hash": event_hash, "day": day, "row_hash": row_hash})
    parts = [*(["event_type"] if goal.by_type else []), *(["strftime(day, '%Y%m%d')"] if goal.by_day else [])]
    part = f"concat_ws('_', {', '.join(parts)})" if parts else "''"
    values = {**source.values, "fingerprint": run.fingerprint}
    if window.has_ledger:
        judged = _judged(run, window, made, part)
        values |= {"types": list(goal.events), "number": window.goal_number}
        values |= {} if window.days is None else {"days": list(window.days)}
    else:
        # Nothing is to be compared: each event that has a row is new, and so is its file.
        judged = on(made, {"part": part, "known_hash": "null", "is_known": "false", "is_due": "row_hash is not null"})
    types, endings = enum_of(sorted(goal.events)), enum_of(_ENDINGS)
    return Step("selected", _ENDED.format(judged, types=types, endings=endings, more=", ".join(["", *cells])), values)


def _judged(run: EventRun, window: Window, made: str, part: str) -> str:
    """Return the query for the events beside what the ledger knows of them, and whether they are due."""
    goal = run.goal
    whole = goal.window != "since_last"
    may_be_lost = goal.window == "day" and any(event.keep_days for event in goal.types(run.profiles))
    lost = f"event_id is null and known_hash is not null and {may_be_removed(run)}"
    return _JUDGED.format(
        made,
        part=part,
        join="full join" if whole else "left join",
        days="" if window.days is None else "and list_contains($days::date[], day)",
        since=f"and day >= date '{goal.since}'" if goal.since else "",
        # Of the parts, and not as window functions: these would hold all rows, and sort them.
        stays=f"part in (select part from compared where {lost})" if may_be_lost else "false",
        is_due="not stays and part in (select part from compared where differs)"
        if whole
        else "differs and row_hash is not null",
        too_late=quote_literal(json.dumps([{"field": None, "reason": TOO_LATE}])),
    )


def _of_events(source: str, row_delimiter: str, firsts: Iterable[str]) -> str:
    """Return one entry for each event whose items are rows: its lines in one text, its first problems.

    `firsts` are further columns of which it has the value of its first row.
    """
    more = "".join(f"    arg_min({name}, place) as {name},\n" for name in firsts)
    return f"""select
    event_type, event_id,
    any_value(profile_id) as profile_id, any_value(happened_at) as happened_at, any_value(allowed) as allowed,
    bool_and(has_row) as has_row, bool_and(eligible) as eligible,
    string_agg(line, {_LINE_BREAKS[row_delimiter]} order by place) as line,
    arg_min(problems, place) filter (problems is not null) as problems,
{more}    count(*) as row_count
from (
{source}
)
group by event_type, event_id"""


_JUDGED = """with made as (
{0}
),
known as (
    select event_type, day, event_hash, row_hash as known_hash, true as is_known
    from warehouse.exported_event
    where goal_number = $number and event_type in (select unnest($types)) {days} {since}
),
compared as (
    select *, {part} as part, row_hash is distinct from known_hash as differs
    from made
    {join} known using (event_type, day, event_hash)
)
select
    * replace (case when differs and stays and row_hash is not null then {too_late} else problems end as problems),
    {is_due} as is_due
from (select *, {stays} as stays from compared)"""

_ENDINGS = ("without_consent", "without_items", "not_deliverable", "written", "same")

# All columns are sorted with the lines, so what a million rows repeat is an enum, and ids stay only for the quarantine.
_ENDED = """create or replace table staging.selected as
with judged as (
{0}
),
ended as (
    select
        *,
        case
            when event_id is null then null
            when not allowed then 'without_consent'
            when not has_row then 'without_items'
            when problems is not null then 'not_deliverable'
            when is_due then 'written'
            else 'same'
        end as ending
    from judged
)
select
    event_type::{types} as event_type, case when ending = 'not_deliverable' then event_id end as event_id,
    day, event_hash, part, ending::{endings} as ending, is_due, coalesce(is_known, false) as is_known,
    ended.event_id is null and known_hash is null as is_gone,
    case when ending = 'written' then line end as line,
    case when ending = 'written' then row_hash end as row_hash,
    row_count, problems{more}
from ended
order by part, happened_at, event_type, ended.event_id"""


def _reached(window: Window, run: EventRun) -> Step:
    """Return the step that stages how far the goal has looked after this run, by type."""
    sql = """create or replace table staging.reached as
select
    unnest($types::text[]) as event_type, unnest($moments::timestamptz[]) as written_at, $last as day,
    unnest($days::date[]) as previous_day, $scope as scope"""
    values = {
        "types": list(window.reached),
        "moments": [each.written_at for each in window.reached.values()],
        "days": [each.day for each in window.positions.values()],
    }
    return Step("reached", sql, {**values, "last": window.last, "scope": run.scope})
