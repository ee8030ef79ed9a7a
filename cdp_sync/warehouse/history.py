"""What happened, as people ask for it: runs, profiles, the quarantine."""

from typing import Any
from uuid import UUID

from cdp_sync.warehouse.names import quote_identifier
from cdp_sync.warehouse.properties import profile_columns
from cdp_sync.warehouse.session import Session


def goals_of_runs(session: Session, run_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `run` by run id; a run that found nothing to do has none."""
    records = session.records(
        "select * from warehouse.run where list_contains($ids, run_id) order by started_at", {"ids": run_ids}
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        found.setdefault(record.pop("run_id"), []).append(record)
    return found


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
    """Return the live profiles with this identifier or id: their properties and latest changes."""
    ids = session.rows(
        "select distinct profile_id from warehouse.profile_identifier where value in ($plain, lower($plain))",
        {"plain": value.strip()},
    )
    found = [profile_id for (profile_id,) in ids] or _as_id(value)
    return [profile for profile_id in found for profile in _profile(session, profile_id)]


def _as_id(value: str) -> list[UUID]:
    try:
        return [UUID(value.strip())]
    except ValueError:
        return []


_HIDDEN = ("merged_into", "_created_by")


def _profile(session: Session, profile_id: UUID) -> list[dict[str, Any]]:
    names = ", ".join(quote_identifier(name) for name in profile_columns(session) if name not in _HIDDEN)
    query = f"select {names} from warehouse.profile where profile_id = ? and merged_into is null"
    changes = f"""
        select change.changed_at, change.kind, run.connection, run.goal, change.properties, known.changed, change.run_id
        from warehouse.profile_change change
        left join warehouse.run run on run.run_id = change.run_id and run.started_at = change.changed_at
        left join (
            select run_id, connection, goal, {_CHANGED} as changed
            from warehouse.changed_value
            where profile_id = $profile_id
            group by all
        ) known on known.run_id = run.run_id and known.connection = run.connection and known.goal = run.goal
        where change.profile_id = $profile_id
        order by change.changed_at desc
        limit 10"""
    history = session.records(changes, {"profile_id": profile_id})
    return [{**record, "changes": history} for record in session.records(query, [profile_id])]


def quarantined(session: Session, connection: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how much is in quarantine and the first of it.

    Of each file it is what its latest reading left there, of each export goal what its latest delivery left behind.
    """
    latest = """
        from warehouse.quarantine q
        join warehouse.run r using (run_id, connection, goal)
        left join (
            select connection, goal, path, max(imported_at) as read_at from warehouse.imported_file group by all
        ) f on f.connection = q.connection and f.goal = q.goal and f.path = split_part(q.path, '!', 1)
        left join (
            select connection, goal, max(started_at) as exported_at from warehouse.run
            where direction = 'export' and state = 'success' group by all
        ) e on e.connection = q.connection and e.goal = q.goal
        where ($connection is null or q.connection = $connection)
            and (f.read_at is null or r.started_at >= f.read_at)
            and (r.direction is distinct from 'export' or r.started_at = e.exported_at)
        qualify r.started_at = max(r.started_at) over (partition by q.connection, q.goal, q.path)"""
    columns = "q.connection, q.goal, q.path, q.line, q.field, q.value, q.raw, q.reason, q.run_id"
    bound = {"connection": connection}
    total = session.value(f"select count(*) from (select r.started_at {latest})", bound)
    rows = session.records(
        f"select {columns} {latest} order by q.connection, q.goal, q.path, q.line, q.field limit $limit",
        {**bound, "limit": limit},
    )
    return total, rows
