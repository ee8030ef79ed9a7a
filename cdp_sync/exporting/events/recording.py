"""Records a delivery of events in the warehouse: ledger, positions, files, quarantine and history, or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from cdp_sync.exporting.events.removing import RemovedFile
from cdp_sync.exporting.files.delivering import DeliveredFile
from cdp_sync.exporting.recording import leaves_quarantine, number_of_goal, reasons_of, record_once
from cdp_sync.exporting.run import EventRun
from cdp_sync.model import EventCounters, EventExportReport
from cdp_sync.warehouse import Session, Step, statement


def record_events(
    run: EventRun, counters: EventCounters, delivered: Sequence[DeliveredFile], removed: Sequence[RemovedFile] = ()
) -> EventExportReport:
    """Record a delivery, and return the report. To be called when all files are on the server and old ones are gone.

    Idempotent. Where the run has looked at no event, the warehouse is not opened for writing. Where it has delivered
    none, only how far it has looked is recorded, and no run.
    """
    files = tuple((file.path, file.size, file.rows) for file in delivered)
    gone, replaced = (
        tuple(file.path for file in removed if file.outcome == outcome) for outcome in ("removed", "replaced")
    )
    report = EventExportReport(run.goal.name, counters, files, gone, replaced)
    leaves = bool(files or removed or counters.events_not_deliverable) or leaves_quarantine(run)
    has_looked = counters.events_in_window and run.goal.window != "all"
    if not (leaves or has_looked):
        return report
    with run.open("write") as session:
        report = replace(report, reasons=reasons_of(session))
        if leaves:
            record_once(session, run, report, _steps(session, run, delivered, removed))
        else:
            session.begin()
            session.run(_positions(number_of_goal(session, run)))
            session.commit()
    return report


def _steps(
    session: Session, run: EventRun, delivered: Sequence[DeliveredFile], removed: Sequence[RemovedFile]
) -> Iterator[Step]:
    number = number_of_goal(session, run)
    of_goal = {"goal_number": number}
    yield Step("exported_event", statement("exporting/events/forgotten_event"), of_goal)
    yield Step("exported_event", statement("exporting/events/exported_event"), of_goal)
    if delivered and run.goal.window != "since_last" and not run.goal.by_type:
        named = {**of_goal, "types": list(run.goal.events)}
        yield Step("exported_event", statement("exporting/events/forgotten_type"), {**named, "by_day": run.goal.by_day})
        yield Step("exported_until", statement("exporting/events/forgotten_place"), named)
    yield from _positions(number)
    for file in delivered:
        values = {**run.key, **asdict(file), "fingerprint": run.fingerprint, "segment": run.goal.segment}
        yield Step("exported_file", statement("exporting/exported_file"), values)
    for old in removed:
        values = {"connection": run.connection, "goal": run.goal.name, **asdict(old)}
        yield Step("removed_file", statement("exporting/events/removed_file"), values)
    yield Step("quarantine", statement("exporting/events/quarantine"), run.key)


def _positions(number: int) -> tuple[Step, ...]:
    of_goal = {"goal_number": number}
    return (
        Step("exported_until", statement("exporting/events/forgotten_until"), of_goal),
        Step("exported_until", statement("exporting/events/exported_until"), of_goal),
    )
