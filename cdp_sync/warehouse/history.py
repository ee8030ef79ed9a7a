"""What happened: runs are recorded here, and people ask for runs, profiles and the quarantine."""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import Report, Run
from cdp_sync.model.mail_address import folded
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.backend import Warehouse
from cdp_sync.warehouse.properties import profile_columns
from cdp_sync.warehouse.session import Session, statement
from cdp_sync.warehouse.timeline import waiting_events

QUOTE_OPENS = "; the quote opens on line "
"""Before the number of a line, at the end of the reason of a line that is rejected with an earlier one."""

COUNTED_REASON = f"regexp_replace(reason, '{QUOTE_OPENS}[0-9]+$', '')"
"""Expression for the reason that all lines of a record have in common."""


def write_run(session: Session, run: Run, report: Report, started_at: datetime, seconds: float | None = None) -> None:
    """Write the row of `run` for one goal; profiles that it changed carry the same `started_at`."""
    values = {
        **run.key,
        **asdict(report.counters),
        "direction": report.direction,
        "state": report.state,
        "started_at": started_at,
        "ended_at": datetime.now(UTC),
        "message": report.message,
        "seconds": seconds,
        "warnings": list(report.warnings),
        "errors": list(report.errors),
    }
    bound = ", ".join(f"${name}" for name in values)
    session.execute(f"insert into warehouse.run ({', '.join(values)}) values ({bound})", values)


def record_failure(warehouse: Warehouse, run: Run, report: Report, started_at: datetime | None = None) -> None:
    """Write that a goal failed before it wrote anything, if the warehouse is free. Errors on the way are ignored."""
    at_once = replace(warehouse, lock_timeout=1.0)
    with suppress(CdpSyncError), at_once.open("write") as session:
        write_run(session, run, report, started_at or datetime.now(UTC))


def goals_of_runs(session: Session, run_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `run` by run id; a run that found nothing to do has none."""
    records = session.records(
        "select * from warehouse.run where list_contains($ids, run_id) order by started_at", {"ids": run_ids}
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        found.setdefault(record.pop("run_id"), []).append(record)
    return found


def connections_of_runs(session: Session) -> list[str]:
    """Return the names of the connections that have a history, declared or not."""
    return [name for (name,) in session.rows("select distinct connection from warehouse.run order by all")]


def runs_with_work(session: Session, run_ids: list[str]) -> set[str]:
    """Return which of these runs found something to do, or failed at it."""
    query = "select distinct run_id from warehouse.run where run_id in (select unnest($ids))"
    return {run_id for (run_id,) in session.rows(query, {"ids": run_ids})}


def changed_profiles(session: Session, run_ids: list[str]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the last profiles that goals created and updated, with values, by run id and goal.

    Each has its `profile_id`, its `kind` (created, updated), and as `changed` what changed: property, before, after.
    """
    query = f"""
        select run_id, goal, profile_id, kind, {_CHANGED} as changed
        from warehouse.changed_value
        where list_contains($ids, run_id)
        group by all
        order by kind, profile_id"""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in session.records(query, {"ids": run_ids}):
        found.setdefault((record.pop("run_id"), record.pop("goal")), []).append(record)
    return found


_CHANGED = "list({property: property, before: before, after: after} order by property)"


def profiles_named(session: Session, value: str) -> list[dict[str, Any]]:
    """Return the live profiles that this identifier or id names: their properties and latest changes.

    A profile that is merged into another one names that one, whose `named_parts` has the ids of such profiles. The
    changes are those of all profiles that it was merged from, each with its `profile_id`.
    """
    plain = value.strip()
    owners = [owner for (owner,) in session.rows(_OWNERS, {"plain": plain, "folded": folded(plain)})]
    if not owners:
        with suppress(ValueError):
            owners = [UUID(plain)]
    found: dict[object, list[object]] = {}
    for profile_id, live in _live(session, owners):
        found.setdefault(live, []).extend([profile_id] if profile_id != live else [])
    names = ", ".join(quote_identifier(name) for name in profile_columns(session) if name not in _HIDDEN)
    profiles = f"select {names} from warehouse.live_profile where profile_id = ?"
    return [
        {**record, "named_parts": merged, "changes": _latest_changes(session, live)}
        for live, merged in found.items()
        for record in session.records(profiles, [live])
    ]


# Ids are bound as values, not joined: then DuckDB reads only the row groups that may have them, of all profiles' rows.

_OWNERS = "select distinct profile_id from warehouse.linking_identifier where value in ($plain, lower($plain), $folded)"


def _live(session: Session, owners: list[object]) -> list[tuple[object, object]]:
    """Return profiles with the live ones that they are part of, by id, the oldest first."""
    if not owners:
        return []
    query = f"""
        select profile_id, coalesce(merged_into, profile_id)
        from warehouse.profile
        where profile_id in ({_marks(owners)})
        order by created_at, profile_id"""
    return session.rows(query, owners)


def _latest_changes(session: Session, live: object) -> list[dict[str, Any]]:
    """Return the latest changes of a live profile and of those that were merged into it."""
    merged = session.rows("select profile_id from warehouse.profile where merged_into = ?", [live])
    parts = [live, *(part for (part,) in merged)]
    return session.records(_CHANGES.format(_marks(parts)), [*parts, *parts])


def _marks(values: list[object]) -> str:
    return ", ".join("?" for _ in values)


def identifiers_by_profile(session: Session, profile_ids: list[object]) -> dict[object, list[str]]:
    """Return the identifiers that profiles have by themselves, merged or not, by the profile's id."""
    query = """
        select profile_id, list(value order by property, value)
        from warehouse.linking_identifier
        where profile_id in (select unnest($ids))
        group by profile_id"""
    return dict(session.rows(query, {"ids": profile_ids}))


_HIDDEN = ("merged_into", "_created_by")

_CHANGES = f"""
    select
        change.changed_at, change.kind, run.connection, run.goal, change.properties, known.changed, change.run_id,
        change.profile_id
    from (from warehouse.profile_change where profile_id in ({{0}})) change
    left join warehouse.run run on run.run_id = change.run_id and run.started_at = change.changed_at
    left join (
        select run_id, connection, goal, profile_id, {_CHANGED.replace("{", "{{").replace("}", "}}")} as changed
        from warehouse.changed_value
        where profile_id in ({{0}})
        group by all
    ) known on known.run_id = run.run_id and known.connection = run.connection and known.goal = run.goal
        and known.profile_id = change.profile_id
    order by change.changed_at desc
    limit 10"""

_RUN_IN_ORDER = "(select rowid as place, run_id, connection, goal, direction, state from warehouse.run)"

_STANDING = f"""
        from warehouse.quarantine q
        join {_RUN_IN_ORDER} r
            on r.run_id = coalesce(q.seen_run_id, q.run_id) and r.connection = q.connection and r.goal = q.goal
        left join (
            select connection, goal, path, max(place) as place
            from warehouse.imported_file join {_RUN_IN_ORDER} using (run_id, connection, goal)
            group by all
        ) f on f.connection = q.connection and f.goal = q.goal and f.path = split_part(q.path, '!', 1)
        left join (
            select connection, goal, max(place) as place from {_RUN_IN_ORDER}
            where direction = 'export' and state = 'success' group by all
        ) e on e.connection = q.connection and e.goal = q.goal
        where ($connection is null or q.connection = $connection) and ($goal is null or q.goal = $goal)
            and (f.place is null or r.place >= f.place)
            and (r.direction is distinct from 'export' or r.place = e.place)
        qualify r.place = max(r.place) over (partition by q.connection, q.goal, q.path)"""
"""What stands in the quarantine: of each file what its latest reading left there, of each export goal what its latest
delivery did; the latest is what was written last, whatever the clock said."""


def quarantined(session: Session, connection: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how much stands in the quarantine, and the first of it; events that wait come after the rest."""
    columns = "q.connection, q.goal, q.path, q.line, q.field, q.value, q.raw, q.reason, q.run_id"
    bound = {"connection": connection, "goal": None}
    total = session.value(f"select count(*) from (select r.place {_STANDING})", bound)
    rows = session.records(
        f"select {columns} {_STANDING} order by q.connection, q.goal, q.path, q.line, q.field limit $limit",
        {**bound, "limit": limit},
    )
    waiting, events = waiting_events(session, connection, limit - len(rows))
    return total + waiting, rows + events


@dataclass(frozen=True)
class Standing:
    """What stands in the quarantine for a goal: of one kind, for one reason, from one file."""

    kind: str
    """The counter that it is counted in, such as `rows_rejected`."""
    path: str | None
    """None for exports without a file."""
    field: str | None
    reason: str
    times: int


def standing(session: Session, connection: str, goal: str) -> tuple[Standing, ...]:
    """Return what stands in the quarantine for a goal, without values, most frequent first."""
    rows = session.rows(
        f"""select kind, path, field, {COUNTED_REASON} as reason, count(*)
        from (select q.kind, q.path, q.field, q.reason {_STANDING})
        group by all
        order by 5 desc, 1, 2, 3, 4""",
        {"connection": connection, "goal": goal},
    )
    return tuple(Standing(*row) for row in rows)


def ambiguous_rows(session: Session, connection: str, goal: str) -> int:
    """Return how many rows named more than one profile, of each file as it was last read."""
    query = """
        select coalesce(sum(rows_ambiguous), 0)
        from (
            from warehouse.imported_file
            where connection = $connection and goal = $goal
            qualify row_number() over (partition by path order by rowid desc) = 1
        )"""
    return int(session.value(query, {"connection": connection, "goal": goal}))


def count_profiles(session: Session) -> int:
    """Return how many live profiles there are."""
    return int(session.value("select count(*) from warehouse.live_profile"))


def standing_merges(session: Session) -> list[tuple[str | None, int]]:
    """Return how many decisions to merge hold by each rule, most first; those without a rule were made by hand."""
    query = """
        select rule, count(*)
        from warehouse.decision
        where kind = 'merge' and revoked_at is null
        group by rule
        order by 2 desc, 1"""
    return [(rule, times) for rule, times in session.rows(query)]


Direction = Literal["import", "export"]


def add_exchanged(session: Session, connection: str, direction: Direction, profiles: int) -> None:
    """Add the profiles that a connection exchanges for the first time, in the transaction that writes them."""
    named = {"connection": connection, "direction": direction}
    session.execute(statement("warehouse/sql/exchange/first_count"), named)
    more = "set profiles = profiles + $profiles where connection = $connection and direction = $direction"
    session.execute(f"update warehouse.data_exchange {more}", {**named, "profiles": profiles})


def ever_exchanged(session: Session, connection: str, direction: Direction) -> int:
    """Return how many profiles a connection has ever imported or exported."""
    query = """
        select coalesce(sum(profiles), 0)::bigint
        from warehouse.data_exchange
        where connection = ? and direction = ?"""
    return int(session.value(query, [connection, direction]))


def data_exchange(session: Session, connection: str | None = None) -> list[dict[str, object]]:
    """Return how many profiles each connection, or one, has ever imported and exported."""
    query = """
        select
            connection,
            coalesce(sum(profiles) filter (direction = 'import'), 0)::bigint as profiles_ever_imported,
            coalesce(sum(profiles) filter (direction = 'export'), 0)::bigint as profiles_ever_exported
        from warehouse.data_exchange
        where $connection is null or connection = $connection
        group by connection
        order by connection"""
    return session.records(query, {"connection": connection})
