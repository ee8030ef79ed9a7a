"""Remembers who was delivered what, once the server has confirmed it, and reports."""

from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting.delivering import DeliveredFile
from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import EXPORT_COUNTERS, ExportCounters, ExportReport
from cdp_sync.warehouse import Session, statement

_STATEMENTS = ("forgotten_profile", "exported_profile", "unrecorded_file", "exported_file")


def record_delivery(run: ExportRun, counters: ExportCounters, delivered: DeliveredFile | None) -> ExportReport:
    """Write ledger, history and quarantine in one transaction, and report; recording twice is recording once.

    With no file, and nothing that kept profiles out of it, there is nothing to write: the warehouse is left alone.

    Args:
        run: The run.
        counters: What `select_segment` told.
        delivered: The file that the server has confirmed; None where there was none to write.
    """
    report = ExportReport(run.goal.name, run.goal.segment, counters)
    if delivered is None and not counters.profiles_not_deliverable:
        return report
    if delivered:
        report = replace(report, path=delivered.path, size=delivered.size)
    with run.warehouse.open("write", staging=run.staging) as session:
        report = replace(report, reasons=reasons_in(session))
        session.execute("begin")
        if delivered:
            _write_ledger(session, run, delivered)
        _write_quarantine(session, run)
        _write_run(session, run, report)
        session.execute("commit")
    return report


def reasons_in(session: Session) -> tuple[tuple[str, int], ...]:
    """Return why staged profiles cannot be delivered, and how often, most frequent first."""
    return tuple(session.rows(statement("export/reasons")))


def record_failure(run: ExportRun, message: str) -> None:
    """Note in the history that the goal failed, if the warehouse is free; the failure matters more than its note."""
    at_once = replace(run.warehouse, lock_timeout=1.0)
    with suppress(CdpSyncError), at_once.open("write") as session:
        _write_run(session, run, ExportReport(run.goal.name, run.goal.segment, error=message))


def _write_ledger(session: Session, run: ExportRun, delivered: DeliveredFile) -> None:
    values = {
        **asdict(delivered),
        **_names(run),
        "fingerprint": run.fingerprint,
        "segment": run.goal.segment,
        "now": datetime.now(UTC),
    }
    for name in _STATEMENTS:
        sql = statement(f"export/{name}")
        session.execute(sql, {key: value for key, value in values.items() if f"${key}" in sql})


def _write_quarantine(session: Session, run: ExportRun) -> None:
    session.execute(
        "delete from warehouse.quarantine where run_id = $run_id and connection = $connection and goal = $goal",
        _names(run),
    )
    session.execute(statement("export/quarantine"), {**_names(run), "path": run.goal.directory})


def _write_run(session: Session, run: ExportRun, report: ExportReport) -> None:
    session.execute(
        "delete from warehouse.run where run_id = $run_id and connection = $connection and goal = $goal", _names(run)
    )
    values = {
        **_names(run),
        **asdict(report.counters),
        "direction": "export",
        "state": report.state,
        "started_at": run.now,
        "message": report.message,
    }
    names = ("run_id", "connection", "goal", "direction", "state", "started_at", "message", *EXPORT_COUNTERS)
    bound = ", ".join(f"${name}" for name in names)
    session.execute(f"insert into warehouse.run ({', '.join(names)}, ended_at) values ({bound}, now())", values)


def _names(run: ExportRun) -> dict[str, object]:
    return {"run_id": run.run_id, "connection": run.connection, "goal": run.goal.name}
