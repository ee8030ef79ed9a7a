"""What a run of a goal did, read back from its staging file."""

from cdp_sync.importing.converting.cell_warnings import cell_warnings
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sources.arrivals import goal_key, state_of
from cdp_sync.importing.staging.columns import staged_columns
from cdp_sync.importing.upserting.sampling import samples_of
from cdp_sync.model import Counters, FileReport, FileState, GoalReport, RemoteFile
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.exchange import ever_exchanged
from cdp_sync.warehouse.history import COUNTED_REASON


def report_of(session: Session, run: GoalRun, *, applied: bool) -> GoalReport:
    """Return the report of a run; `applied` says that this session has counted its rows and chosen a sample."""
    counted = session.rows("from file_counters") if applied else []
    counters = {number: Counters(*map(int, counts)) for number, *counts in counted}
    of_cells = cell_warnings(session, run, staged_columns(session, run)) if counters else {}
    files = session.rows(
        "select file, path, state, message, warnings, size, modified_at from staging.file order by file"
    )
    goal = goal_key(run.goal.name, run.fingerprint)
    reports = tuple(
        FileReport(
            path,
            FileState.IMPORTED if state == FileState.STAGED else FileState(state),
            counters.get(number, Counters()),
            message or "",
            tuple(dict.fromkeys((*(warnings or ()), *of_cells.get(number, ())))),
            state_of(goal, RemoteFile(modified_at, path, size)).hex() if modified_at else "",
        )
        for number, path, state, message, warnings, size, modified_at in files
    )
    total = session.value("select count(*) from warehouse.live_profile")
    return GoalReport(
        run.goal.name,
        reports,
        samples_of(session) if applied else (),
        reasons=_reasons(session, run),
        profiles_total=total,
        profiles_ever_imported=ever_exchanged(session, run.connection, "import"),
    )


def _reasons(session: Session, run: GoalRun) -> tuple[tuple[str, int], ...]:
    query = f"""
        select coalesce(field || ': ', '') || {COUNTED_REASON}, count(*)
        from warehouse.quarantine
        where run_id = ? and connection = ? and goal = ?
        group by all
        order by 2 desc, 1
        limit 10"""
    return tuple(session.rows(query, [run.run_id, run.connection, run.goal.name]))
