"""Notes in the warehouse what was delivered to whom, once it is: in one transaction, all of it or nothing."""

from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting.files.delivering import DeliveredFile
from cdp_sync.exporting.run import ExportRun, FileRun
from cdp_sync.model import ExportCounters, ExportReport
from cdp_sync.warehouse import Session, statement
from cdp_sync.warehouse.backend import next_number
from cdp_sync.warehouse.exchange import count_exported, ever_exchanged
from cdp_sync.warehouse.history import standing


def record_delivery(run: FileRun, counters: ExportCounters, delivered: DeliveredFile | None) -> ExportReport:
    """Write ledger, history and quarantine, and report. To be called only when the file is on the server.

    Where there is nothing to note, the warehouse is not opened. Recording a run twice is as recording it once.

    Args:
        run: The run.
        counters: What `select_segment` counted.
        delivered: What `deliver_file` delivered; None where there was nothing to deliver.
    """
    report = ExportReport(run.goal.name, run.goal.segment, counters)
    if delivered:
        report = replace(report, path=delivered.path, size=delivered.size)
    elif not (counters.profiles_not_deliverable or leaves_quarantine(run)):
        return report
    with run.open("write") as session:
        report = replace(report, reasons=reasons_of(session))
        if not is_recorded(session, run):
            _record(session, run, report, delivered)
        return replace(report, profiles_ever_exported=ever_exchanged(session, run.connection, "export"))


def leaves_quarantine(run: ExportRun) -> bool:
    """Return whether an earlier run of the goal has left something in the quarantine, which this run can clear."""
    with run.open("read") as session:
        return bool(standing(session, run.connection, run.goal.name))


def reasons_of(session: Session) -> tuple[tuple[str, int], ...]:
    """Return why staged profiles cannot be delivered, most frequent first."""
    return tuple(session.rows(statement("exporting/reasons")))


def is_recorded(session: Session, run: ExportRun) -> bool:
    """Return whether the run is in the history as a success."""
    query = """
        select count(*)
        from warehouse.run
        where state = 'success' and run_id = $run_id and connection = $connection and goal = $goal"""
    return bool(session.value(query, named(run)))


def _record(session: Session, run: FileRun, report: ExportReport, delivered: DeliveredFile | None) -> None:
    session.execute("begin")
    if delivered:
        count_exported(session, run.connection)
        _write_ledger(session, run, delivered)
    session.execute(statement("exporting/quarantine"), {**named(run), "path": run.path})
    write_run(session, run, report)
    session.execute("commit")


def _write_ledger(session: Session, run: FileRun, delivered: DeliveredFile) -> None:
    of_goal = {"goal_number": number_of_goal(session, run)}
    session.execute(statement("exporting/forgotten_profile"), of_goal)
    session.execute(statement("exporting/exported_profile"), of_goal)
    told = {**asdict(delivered), "fingerprint": run.fingerprint, "segment": run.goal.segment}
    session.execute(statement("exporting/exported_file"), {**named(run), **told})


def number_of_goal(session: Session, run: ExportRun) -> int:
    """Return the number by which the ledger names the goal; a new one gets the next."""
    return next_number(session, "exported_goal", {"connection": run.connection, "goal": run.goal.name})


def write_run(session: Session, run: ExportRun, report: ExportReport) -> None:
    """Write the run into the history."""
    values = {
        **named(run),
        **asdict(report.counters),
        "direction": "export",
        "state": report.state,
        "started_at": run.now,
        "ended_at": datetime.now(UTC),
        "message": report.message,
        "errors": list(report.errors),
    }
    bound = ", ".join(f"${name}" for name in values)
    session.execute(f"insert into warehouse.run ({', '.join(values)}) values ({bound})", values)


def named(run: ExportRun) -> dict[str, object]:
    """Return what a goal's run is known by."""
    return {"run_id": run.run_id, "connection": run.connection, "goal": run.goal.name}


def record_failure(run: ExportRun, message: str) -> None:
    """Note in the history that the goal failed, if the warehouse is free.

    The failure itself matters more than its note: whatever hinders the note is passed over.
    """
    at_once = replace(run.warehouse, lock_timeout=1.0)
    with suppress(CdpSyncError), at_once.open("write") as session:
        write_run(session, run, ExportReport(run.goal.name, run.goal.segment, error=message))
