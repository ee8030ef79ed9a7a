"""Records the outcomes of the users that were sent: in one transaction, all of it or nothing."""

from collections.abc import Iterator
from dataclasses import replace

from cdp_sync.exporting.audiences.delivering import LEAVERS, USERS
from cdp_sync.exporting.audiences.events import event_steps, settle_events, stage_sent
from cdp_sync.exporting.audiences.outcomes import read_outcomes
from cdp_sync.exporting.recording import (
    keep_state,
    leaves_something,
    ledger_steps,
    number_of_goal,
    quarantine_step,
    record,
)
from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.touches.reserving import touch_steps
from cdp_sync.model import ExportCounters, ExportReport
from cdp_sync.warehouse import Session, Step, statement
from cdp_sync.warehouse.clock import touch


def record_users(run: UserRun, counters: ExportCounters, leavers: int, events: int = 0) -> ExportReport:
    """Write ledger, lists, history and quarantine, and report. To be called when the users were delivered.

    Users who were refused, or do not exist, are not in the ledger, so that the next run sends them again. Where there
    is nothing to record, the warehouse is not opened. Idempotent. `leavers` counts the users to take off lists,
    `events` the events that were due.
    """
    report = ExportReport(run.goal.name, run.goal.segment, counters, profiles_taken_off=0, note=run.note)
    due = counters.profiles_written or counters.profiles_not_deliverable or counters.profiles_capped
    if not (due or leavers or events or leaves_something(run)):
        return keep_state(run, report)
    with run.open("write") as session:
        # Merge the outcomes into the staged profiles; idempotent.
        if not session.value("select count(*) from (show tables from staging) where name = 'chosen'"):
            session.execute("alter table staging.selected rename to chosen")
        read_outcomes(session, run.folder / LEAVERS)
        session.execute(statement("exporting/audiences/gone"))
        read_outcomes(session, run.folder / USERS)
        of_run = {"connection": run.connection, "goal": run.goal.name, "now": run.now}
        session.execute(statement("exporting/audiences/selected"), of_run)
        taken_off = session.value("select count(distinct profile_id) from staging.gone")
        # All of these ends were looked at, also where the run looked at a few: the last run's are tried again.
        ends = dict(session.rows("select ending, count(*) from staging.selected group by ending"))
        settled = {f"profiles_{name}": ends.get(name, 0) for name in ("written", "unmatched", "not_deliverable")}
        if run.goal.sent_events:
            stage_sent(session, run.folder / USERS)
            settled["events_written"], settled["events_not_deliverable"] = settle_events(session, run)
        report = replace(report, counters=replace(counters, **settled), profiles_taken_off=taken_off)
        return record(session, run, report, _steps(session, run))


def _steps(session: Session, run: UserRun) -> Iterator[Step]:
    number, of_goal = number_of_goal(session, run), {"connection": run.connection, "goal": run.goal.name}
    gone, members = statement("exporting/audiences/gone_profile"), statement("exporting/audiences/list_member")
    yield from ledger_steps(run, number)
    yield Step("exported_profile", gone, {"goal_number": number})
    yield Step("list_member", statement("exporting/audiences/gone_member"), of_goal)
    # The next run looks at them again: some may have been refused, and others are off and still in the segment.
    touch(session, run.now, "select profile_id from staging.leaver")
    yield Step("list_member", members, {**of_goal, "identity_key": run.goal.identity_key})
    yield Step("forgotten_user", statement("exporting/audiences/forgotten_user"), {"connection": run.connection})
    forget = "delete from warehouse.list_intent where connection = $connection and goal = $goal"
    yield Step("list_intent", forget, of_goal)
    yield from touch_steps(run)
    yield quarantine_step(run, None)
    if run.goal.sent_events:
        yield from event_steps(run, number)
