"""Events that go to a platform with the profiles of a goal: those of its users, each content of an event once.

The people are the segment's profiles that the goal has delivered, now or before. Of people whose events were sent
before only those events are looked at that were written since; of all others every event. The ledger has a digest of
what was sent of each event. An event that was refused is there without one, and is sent again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cdp_sync.exporting.audiences.leavers import linked_step
from cdp_sync.exporting.audiences.outcomes import read_outcomes
from cdp_sync.exporting.audiences.rows import HOLDS_NUL
from cdp_sync.exporting.run import UserRun
from cdp_sync.model import EventType
from cdp_sync.model.sent_events import SentEvents
from cdp_sync.warehouse import (
    Session,
    Step,
    check_event_types,
    event_columns,
    quote_identifier,
    quote_literal,
    statement,
    warehouse_columns,
)

_OF_GOAL = "select number from warehouse.exported_goal where connection = $connection and goal = $goal"

_PEOPLE = """create or replace table staging.event_profile as
with written as (
    select profile_id, line ->> 'id' as id, line ->> 'key' as key, row_number() over (order by rowid) - 1 as place
    from staging.selected
    where ending = 'written'
),
linked as (
{linked}
),
known as (from warehouse.exported_event_profile where goal_number = ({goal})),
delivered as (from warehouse.exported_profile where goal_number = ({goal}) and row_hash is not null)
select profile_id, id, key, place, true as is_new
from written
union all
select linked.profile_id, id, key, null, known.profile_id is null
from linked
semi join delivered using (profile_id)
anti join (select profile_id from staging.selected where ending <> 'same') using (profile_id)
left join known using (profile_id)"""

_HASH = "uuid_of(md5_number(concat_ws(chr(31), $type, $target, event_id)))"

_LOOKED_AT = """create or replace table staging.looked_at as
select rowid as row from {table} where _written_at > $until
union
select event.rowid from {table} event semi join (
    select profile_id from staging.event_profile where is_new
) using (profile_id)
union
select rowid from {table} where {hash} in (
    select event_hash from warehouse.exported_event
    where goal_number = ({goal}) and event_type = $type and row_hash is null
)"""

_DUE = """insert into staging.due_event by name
with source as (
    select event_id, profile_id, happened_at{values}
    from {table} event
    {looked_at}
    where happened_at >= coalesce($since, '-infinity'::timestamptz)
        and happened_at < coalesce($before, 'infinity'::timestamptz)
),
rendered as (
    select *, {problem} as problem, json_object('id', id, 'key', key, 'user', {body})::varchar as line
    from source
    join staging.event_profile using (profile_id)
)
select $part as part, $type as event_type, {hash} as event_hash, uuid_of(md5_number(line)) as row_hash,
    timezone('UTC', happened_at)::date as day, event_id, profile_id, place, line,
    coalesce(problem, case when {holds_nul} then 'a value holds a NUL byte' end) as problem
from rendered
order by happened_at, event_id"""

_KNOWN = """delete from staging.due_event where rowid in (
    select due.rowid
    from staging.due_event due
    join (
        select event_hash, row_hash from warehouse.exported_event where goal_number = ({goal}) and event_type = $type
    ) using (event_hash, row_hash)
    where part = $part
)"""

_TABLES = """
create or replace table staging.due_event (
    part integer, event_type text, event_hash uuid, row_hash uuid, day date, event_id text, profile_id uuid,
    place bigint, line text, problem text
);
create or replace table staging.event_reached (event_type text, written_at timestamptz, scope text)"""


def select_events_of_users(run: UserRun) -> int:
    """Stage the events that are due, with their people; return how many. To be called when the users are staged.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    if not run.goal.sent_events:
        return 0
    with run.open("read") as session:
        session.set("force_compression", "uncompressed")  # rows stay here for seconds only
        tables = event_columns(session)
        check_event_types(run.profiles, tables)
        session.run([_people(run, session)])
        for sql in _TABLES.split(";"):
            session.execute(sql)
        for part, events in enumerate(run.goal.sent_events):
            if columns := tables.get(events.type):
                session.run(_due(run, session, part, events, columns))
        return int(session.value("select count(*) from staging.due_event"))


def _people(run: UserRun, session: Session) -> Step:
    """Return the step that makes `staging.event_profile`: whose events may be sent, and by which key."""
    linked = linked_step(run, warehouse_columns(session))
    sql = _PEOPLE.format(linked=linked.sql, goal=_OF_GOAL)
    return Step("staging.event_profile", sql, {**linked.values, **_named(run)})


def _due(run: UserRun, session: Session, part: int, events: SentEvents, columns: Mapping[str, str]) -> Iterator[Step]:
    """Yield the steps that stage the due events of one type, and how far it was looked at."""
    event = run.profiles.event[events.type]
    scope = _scope(events, event)
    known = f"""select written_at from warehouse.exported_until
        where goal_number = ({_OF_GOAL}) and event_type = $type and scope = $scope"""
    of_type = {**_named(run), "type": events.type}
    until = session.value(f"select max(written_at) from ({known})", {**of_type, "scope": scope})
    named = {prop.name: f"p{number}" for number, prop in enumerate(event.properties)}
    columns_read = (quote_identifier(name) if name in columns else "null" for name in named)
    read = (
        f",\n        {column}::{prop.sql_type} as {named[prop.name]}"  # a declared item may be new to the column
        for column, prop in zip(columns_read, event.properties, strict=True)
    )
    written = events.render(event, named)
    table = f"warehouse.{quote_identifier(event.table)}"
    looked_at = ""
    if until:
        sql = _LOOKED_AT.format(table=table, goal=_OF_GOAL, hash=_HASH)
        yield Step("staging.looked_at", sql, {**of_type, "target": events.target, "until": until})
        looked_at = "semi join staging.looked_at on looked_at.row = event.rowid"
    sql = _DUE.format(
        values="".join(read),
        table=table,
        looked_at=looked_at,
        hash=_HASH,
        body=written.body,
        problem=written.problem,
        holds_nul=HOLDS_NUL,
    )
    period = {"since": events.since(run.now), "before": events.until}
    yield Step("staging.due_event", sql, {"type": events.type, "target": events.target, "part": part, **period})
    yield Step("staging.due_event", _KNOWN.format(goal=_OF_GOAL), {**of_type, "part": part})
    reached = f"insert into staging.event_reached select $type, max(_written_at), $scope from {table}"
    yield Step("staging.event_reached", reached, {"type": events.type, "scope": scope})


def _named(run: UserRun) -> dict[str, Any]:
    return {"connection": run.connection, "goal": run.goal.name}


def _scope(events: SentEvents, event: EventType) -> str:
    """Return the digest of which events are sent, and how: under another one all of them are looked at again."""
    unset = {"before"} if events.before is None else set()  # as before there was such a key
    declared = f"{events.model_dump_json(exclude=unset)}{event.model_dump_json(exclude={'title', 'keep_days'})}"
    return hashlib.sha256(declared.encode()).hexdigest()[:16]


_SENT = """create or replace table staging.sent_event as
select *, row_number() over (partition by part order by rowid) - 1 as number
from staging.due_event
where problem is null and (place is null or place in (select place from staging.delivered_user))"""

_DELIVERED = "create or replace table staging.delivered_user as select place from outcome where outcome = 'sent'"


def stage_sent(session: Session, users: Path) -> None:
    """Make `staging.sent_event`: the due events of users who exist, numbered for each target. Idempotent."""
    read_outcomes(session, users)
    session.execute(_DELIVERED)
    session.execute(_SENT)


def write_events(run: UserRun, users: Path) -> list[Path]:
    """Write the due events of users who exist to files, one for each target; return their paths.

    Files that an interrupted run has written stay: their lines have outcomes.
    """
    paths = [run.folder / f"events_{part}.jsonl" for part, _ in enumerate(run.goal.sent_events)]
    if not paths or paths[-1].exists():
        return paths
    with run.open("none") as session:
        stage_sent(session, users)
        for part, path in enumerate(paths):
            query = f"select line from staging.sent_event where part = {part} order by number"
            written = path.with_suffix(".part")
            options = "format csv, header false, quote '', escape '', delimiter ''"
            session.execute(f"copy ({query}) to {quote_literal(str(written))} ({options})")
            written.replace(path)
    return paths


def settle_events(session: Session, run: UserRun) -> tuple[int, int]:
    """Make `staging.event_end`, the outcome of each event; return how many were sent, and how many could not be."""
    session.execute(statement("exporting/audiences/event_problem"))
    for part, _ in enumerate(run.goal.sent_events):
        read_outcomes(session, run.folder / f"events_{part}.jsonl")
        session.execute(statement("exporting/audiences/event_end"), {"part": part})
    sent, refused = session.row(
        "select count(*) filter (row_hash is not null), count(*) filter (row_hash is null) from staging.event_end"
    )
    return int(sent), int(refused)


def event_steps(run: UserRun, number: int) -> Iterator[Step]:
    """Yield the steps that record what was sent of events, and how far they were looked at."""
    of_goal = {"goal_number": number}
    yield Step("exported_event", statement("exporting/audiences/forgotten_event"), of_goal)
    yield Step("exported_event", statement("exporting/audiences/exported_event"), of_goal)
    yield Step("exported_until", "delete from warehouse.exported_until where goal_number = $goal_number", of_goal)
    yield Step("exported_until", statement("exporting/audiences/event_until"), of_goal)
    forget = "delete from warehouse.exported_event_profile where goal_number = $goal_number"
    yield Step("exported_event_profile", forget, of_goal)
    yield Step("exported_event_profile", statement("exporting/audiences/event_profile"), of_goal)
    yield Step("quarantine", statement("exporting/audiences/event_quarantine"), run.key)
