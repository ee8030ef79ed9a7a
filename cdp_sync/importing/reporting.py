"""What a run of a goal did, read back from its staging file, and its row in the warehouse's history."""

from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime

from cdp_sync.errors import CdpSyncError
from cdp_sync.importing.run import GoalRun
from cdp_sync.model import COUNTERS, Counters, FileReport, GoalReport, ProfileSample
from cdp_sync.warehouse import Session

_SAMPLE = 5
"""Profiles of each kind that a report names."""


def report_of(session: Session, run: GoalRun) -> GoalReport:
    """Return the report of the run in this session."""
    counters = _file_counters(session)
    files = session.rows("select file, path, state, message, warnings from staging.file order by file")
    reports = tuple(
        FileReport(
            path,
            "imported" if state == "staged" else state,
            counters.get(number, Counters()),
            message or "",
            tuple(warnings or ()),
        )
        for number, path, state, message, warnings in files
    )
    total = session.value("select count(*) from warehouse.profile where merged_into is null")
    return GoalReport(run.goal.name, reports, _samples(session), _reasons(session, run), profiles_total=total)


def _file_counters(session: Session) -> dict[int, Counters]:
    if not _has(session, "file_counters"):
        return {}
    return {row[0]: Counters(*map(int, row[1:])) for row in session.rows("from file_counters")}


def _samples(session: Session) -> tuple[ProfileSample, ...]:
    """Return the last profiles created and updated, by id."""
    if not _has(session, "revised"):
        return ()
    created = session.rows(f"select profile_id from touched where is_new order by first_row desc limit {_SAMPLE}")
    updated = session.rows(f"select profile_id, _changed from revised order by _first_row desc limit {_SAMPLE}")
    return (
        *(ProfileSample(str(profile), "created") for (profile,) in created),
        *(ProfileSample(str(profile), "updated", tuple(changed)) for profile, changed in updated),
    )


def _reasons(session: Session, run: GoalRun) -> tuple[tuple[str, int], ...]:
    query = """
        select coalesce(field || ': ', '') || reason, count(*)
        from warehouse.quarantine
        where run_id = ? and connection = ? and goal = ?
        group by all
        order by 2 desc, 1
        limit 10"""
    return tuple(session.rows(query, [run.run_id, run.connection, run.goal.name]))


def _has(session: Session, table: str) -> bool:
    query = "select count(*) from duckdb_tables() where temporary and table_name = ?"
    return bool(session.value(query, [table]))


def write_run(session: Session, run: GoalRun, report: GoalReport, started_at: datetime) -> None:
    """Write the run's row of the history."""
    names = ("run_id", "connection", "goal", "direction", "state", "started_at", "message", *COUNTERS)
    values = {
        **asdict(report.counters),
        "run_id": run.run_id,
        "connection": run.connection,
        "goal": run.goal.name,
        "direction": "import",
        "state": report.state,
        "started_at": started_at,
        "message": report.message,
    }
    bound = ", ".join(f"${name}" for name in names)
    session.execute(f"insert into warehouse.run ({', '.join(names)}, ended_at) values ({bound}, now())", values)


def record_failure(run: GoalRun, message: str) -> None:
    """Note in the history that the goal failed before it came to writing, if the warehouse is free.

    The failure itself matters more than its note: whatever hinders the note is passed over.
    """
    at_once = replace(run.warehouse, lock_timeout=1.0)
    with suppress(CdpSyncError), at_once.open("write") as session:
        write_run(session, run, GoalReport(run.goal.name, error=message), datetime.now(UTC))
