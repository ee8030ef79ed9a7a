"""Records a delivery in the warehouse: in one transaction, all of it or nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain

from cdp_sync.exporting.campaigns import exported_campaign
from cdp_sync.exporting.changes.state import is_due, state_steps, why_full
from cdp_sync.exporting.files.delivering import DeliveredFile
from cdp_sync.exporting.run import DeliveryRun, ExportRun, FileRun
from cdp_sync.exporting.touches.reserving import caps_end, has_capped, touch_steps
from cdp_sync.model import ExportCounters, ExportReport, Report
from cdp_sync.warehouse import Session, Step, statement
from cdp_sync.warehouse.backend import next_number
from cdp_sync.warehouse.history import ever_exchanged, standing, write_run


def record_delivery(run: FileRun, counters: ExportCounters, delivered: DeliveredFile | None) -> ExportReport:
    """Write ledger, quarantine and history, and return the report. To be called when the file is on the server.

    Idempotent. Where there is nothing to record, the warehouse is not opened for writing. `delivered` is None where
    there was nothing to deliver.
    """
    report = ExportReport(run.goal.name, run.goal.segment, counters, note=run.note, difference=run.difference)
    if run.waits:
        return replace(report, waits=run.waits)
    if delivered:
        report = replace(report, path=delivered.path, size=delivered.size)
    elif not (counters.profiles_not_deliverable or counters.profiles_capped or leaves_something(run)):
        return keep_state(run, report)
    with run.open("write") as session:
        return record(session, run, report, _steps(session, run, delivered))


def keep_state(run: ExportRun, report: ExportReport) -> ExportReport:
    """Keep what the next run needs to know of one that delivered nothing, and return its report."""
    with run.open("none") as session:
        report, due = replace(report, full_pass=why_full(session)), is_due(session)
    if due:
        with run.open("write") as session:
            session.begin()
            session.run(state_steps(session, run, report.counters))
            session.commit()
    return report


def record(session: Session, run: ExportRun, report: ExportReport, steps: Iterable[Step]) -> ExportReport:
    """Run the steps that record a delivery, one by one, and write the run's row, unless that is done."""
    capped_until = caps_end(session) if report.counters.profiles_capped else None
    report = replace(report, reasons=reasons_of(session), capped_until=capped_until, full_pass=why_full(session))
    record_once(session, run, report, chain(steps, state_steps(session, run, report.counters)))
    return replace(report, profiles_ever_exported=ever_exchanged(session, run.connection, "export"))


def record_once(session: Session, run: DeliveryRun, report: Report, steps: Iterable[Step]) -> None:
    """Run the steps that record a delivery, and write the run's row, in one transaction, unless that is done."""
    query = """
        select count(*)
        from warehouse.run
        where state = 'success' and run_id = $run_id and connection = $connection and goal = $goal"""
    session.begin()
    if session.value(query, run.key):
        session.roll_back()
        return
    session.run(steps)
    write_run(session, run, report, run.now)
    session.commit()


def _steps(session: Session, run: FileRun, delivered: DeliveredFile | None) -> Iterator[Step]:
    if delivered:
        yield from ledger_steps(run, number_of_goal(session, run))
        values = {**run.key, **asdict(delivered), "fingerprint": run.fingerprint, "segment": run.goal.segment}
        yield Step("exported_file", statement("exporting/exported_file"), values)
        if run.goal.keeps_columns:
            yield exported_campaign(run)
    yield from touch_steps(run)
    yield quarantine_step(run, run.path)


def ledger_steps(run: ExportRun, number: int) -> tuple[Step, ...]:
    """Return the steps that count the profiles written, and replace their rows in the goal's ledger."""
    count, of_goal = {"connection": run.connection, "direction": "export"}, {"goal_number": number}
    return (
        Step("data_exchange", statement("warehouse/sql/exchange/first_count"), count),
        Step("data_exchange", statement("exporting/exchanged"), {"connection": run.connection}),
        Step("exported_profile", statement("exporting/forgotten_profile"), of_goal),
        Step("exported_profile", statement("exporting/exported_profile"), of_goal),
    )


def quarantine_step(run: ExportRun, path: str | None) -> Step:
    """Return the step that puts the profiles that could not be delivered into the quarantine."""
    return Step("quarantine", statement("exporting/quarantine"), {**run.key, "path": path})


def leaves_quarantine(run: DeliveryRun) -> bool:
    """Return whether an earlier run of the goal has left something in the quarantine, which this run can clear."""
    with run.open("read") as session:
        return bool(standing(session, run.connection, run.goal.name))


def leaves_something(run: ExportRun) -> bool:
    """Return whether an earlier run left something in the quarantine, or capped profiles, which this run can clear."""
    if leaves_quarantine(run):
        return True
    if run.goal.lifecycle is None:
        return False
    with run.open("read") as session:
        return has_capped(session, run)


def reasons_of(session: Session) -> tuple[tuple[str, int], ...]:
    """Return why staged profiles cannot be delivered, most frequent first."""
    return tuple(session.rows(statement("exporting/reasons")))


def number_of_goal(session: Session, run: DeliveryRun) -> int:
    """Return the number by which the ledger names the goal; a new one gets the next."""
    return next_number(session, "exported_goal", {"connection": run.connection, "goal": run.goal.name})
