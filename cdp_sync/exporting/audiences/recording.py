"""Records the outcomes of the users that were sent: in one transaction, all of it or nothing."""

from dataclasses import replace
from pathlib import Path

from cdp_sync.exporting.recording import is_recorded, leaves_quarantine, named, number_of_goal, reasons_of, write_run
from cdp_sync.exporting.run import UserRun
from cdp_sync.model import ExportCounters, ExportReport
from cdp_sync.warehouse import Session, statement
from cdp_sync.warehouse.exchange import count_exported, ever_exchanged


def record_users(run: UserRun, counters: ExportCounters, leavers: int) -> ExportReport:
    """Write ledger, lists, history and quarantine, and report. To be called when the users were delivered.

    Users who were refused, or do not exist, are not in the ledger, so that the next run sends them again. Where there
    is nothing to record, the warehouse is not opened. Idempotent.

    Args:
        run: The run.
        counters: What `select_segment` counted.
        leavers: How many users were to be taken off lists.
    """
    report = ExportReport(run.goal.name, run.goal.segment, counters, profiles_taken_off=0)
    if not (counters.profiles_written or counters.profiles_not_deliverable or leavers or leaves_quarantine(run)):
        return report
    with run.open("write") as session:
        _settle(session, run)
        taken_off = session.value("select count(distinct profile_id) from staging.gone")
        report = replace(
            report,
            counters=_settled(session, counters),
            profiles_taken_off=taken_off,
            reasons=reasons_of(session),
        )
        if not is_recorded(session, run):
            _record(session, run, report)
        return replace(report, profiles_ever_exported=ever_exchanged(session, run.connection, "export"))


def _settle(session: Session, run: UserRun) -> None:
    """Merge delivery outcomes into the staged profiles. Idempotent."""
    if not session.value("select count(*) from (show tables from staging) where name = 'chosen'"):
        session.execute("alter table staging.profile_end rename to chosen")
    _read_outcomes(session, run.left)
    session.execute(statement("exporting/audiences/gone"))
    _read_outcomes(session, run.outcomes)
    of_run = {"connection": run.connection, "goal": run.goal.name, "now": run.now}
    session.execute(statement("exporting/audiences/profile_end"), of_run)


def _read_outcomes(session: Session, path: Path) -> None:
    path.touch()  # no user was sent
    session.execute(statement("exporting/audiences/outcome"), {"path": str(path)})


def _settled(session: Session, counters: ExportCounters) -> ExportCounters:
    ends = dict(session.rows("select ending, count(*) from staging.profile_end group by ending"))
    names = ("written", "unmatched", "not_deliverable")
    return replace(counters, **{f"profiles_{name}": ends.get(name, 0) for name in names})


def _record(session: Session, run: UserRun, report: ExportReport) -> None:
    of_goal = {"connection": run.connection, "goal": run.goal.name}
    session.execute("begin")
    count_exported(session, run.connection)
    by_number = {"goal_number": number_of_goal(session, run)}
    for name in ("exporting/forgotten_profile", "exporting/exported_profile", "exporting/audiences/gone_profile"):
        session.execute(statement(name), by_number)
    session.execute(statement("exporting/audiences/gone_member"), of_goal)
    members = statement("exporting/audiences/list_member")
    session.execute(members, {**of_goal, "identity_key": run.goal.identity_key})
    session.execute("delete from warehouse.list_intent where connection = $connection and goal = $goal", of_goal)
    session.execute(statement("exporting/quarantine"), {**named(run), "path": None})
    write_run(session, run, report)
    session.execute("commit")
