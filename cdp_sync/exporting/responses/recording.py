"""Records a delivery of responses in the warehouse: ledger, files, quarantine and history, or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from cdp_sync.exporting.files.delivering import DeliveredFile
from cdp_sync.exporting.recording import leaves_quarantine, number_of_goal, reasons_of, record_once
from cdp_sync.exporting.responses.select import count_due
from cdp_sync.exporting.run import ResponseRun
from cdp_sync.model import EventCounters, EventExportReport
from cdp_sync.warehouse import Session, Step, statement


def record_responses(
    run: ResponseRun, counters: EventCounters, delivered: Sequence[DeliveredFile]
) -> EventExportReport:
    """Record a delivery, and return the report. To be called when all files are on the server.

    Idempotent. Where no mailing was due, the warehouse is not opened for writing. Where none was delivered, only that
    they were looked at is recorded, and no run.
    """
    files = tuple((file.path, file.size, file.rows) for file in delivered)
    report = EventExportReport(run.goal.name, counters, files)
    leaves = bool(files or counters.events_not_deliverable) or leaves_quarantine(run)
    if not (leaves or count_due(run)):
        return report
    with run.open("write") as session:
        report = replace(report, reasons=reasons_of(session))
        if leaves:
            record_once(session, run, report, _steps(session, run, delivered))
        else:
            session.begin()
            session.run(_ledger(run, number_of_goal(session, run)))
            session.commit()
    return report


def _steps(session: Session, run: ResponseRun, delivered: Sequence[DeliveredFile]) -> Iterator[Step]:
    yield from _ledger(run, number_of_goal(session, run))
    for file in delivered:
        values = {**run.key, **asdict(file), "fingerprint": run.fingerprint, "segment": None}
        yield Step("exported_file", statement("exporting/exported_file"), values)
    yield Step("quarantine", statement("exporting/responses/quarantine"), run.key)


def _ledger(run: ResponseRun, number: int) -> tuple[Step, ...]:
    of_goal = {"goal_number": number}
    return (
        Step("exported_mailing", statement("exporting/responses/forgotten_mailing"), of_goal),
        Step("exported_mailing", statement("exporting/responses/exported_mailing"), {**of_goal, "scope": run.scope}),
    )
