"""A declared schedule as Dagster's: ticks of a cron grid, of which those run that the calendar says are due.

When the daemon was away, Dagster gives the latest missed tick only. What was due in between is due then: once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG  # tells runs of a tick

from cdp_sync.model import Connection, Schedule
from cdp_sync.model.occurrences import is_due, occurrences
from cdp_sync.orchestration.runs.waiting import waiting_runs
from cdp_sync.orchestration.triggers.cron_grid import cron_grid
from cdp_sync.orchestration.triggers.last_tick import attended_until

_AT_ONCE = timedelta(microseconds=1)


def build_schedules(
    connection: Connection, jobs: Iterable[dg.JobDefinition | UnresolvedAssetJobDefinition]
) -> list[dg.ScheduleDefinition]:
    """Return the schedule of a connection's job; nothing where the connection is off or declares none."""
    schedule = connection.active_schedule
    return [_schedule(connection, schedule, job) for job in jobs] if schedule else []


def _schedule(
    connection: Connection, schedule: Schedule, job: dg.JobDefinition | UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    grid = cron_grid(schedule)

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if reason := _reason_to_skip(connection, schedule, context):
            return dg.SkipReason(reason)
        return dg.RunRequest(tags={"reason": "schedule"})

    return dg.ScheduleDefinition(
        name=f"{connection.name}_schedule",
        job=job,
        cron_schedule=grid.crons[0] if len(grid.crons) == 1 else list(grid.crons),
        execution_timezone=grid.time_zone,
        execution_fn=evaluate,
        description=f"Runs {connection.label} {schedule.words}.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        tags={"connection": connection.name},
    )


def _reason_to_skip(connection: Connection, schedule: Schedule, context: dg.ScheduleEvaluationContext) -> str | None:
    tick = context.scheduled_execution_time.astimezone(UTC)
    if not is_due(schedule, attended_until(context) or tick - _AT_ONCE, tick):
        coming = next(occurrences(schedule, tick)).astimezone(ZoneInfo(schedule.time_zone))
        return f"Not due yet. The next run is due on {coming:%Y-%m-%d at %H:%M} ({schedule.time_zone})."
    if waiting := _waiting_run(connection.name, context, tick):
        return f"Run {waiting} of this connection waits to start, and will find all that there is."
    return None


def _waiting_run(connection: str, context: dg.ScheduleEvaluationContext, tick: datetime) -> str | None:
    """Return the run of a connection that has not started yet, other than this very tick's."""
    if context.instance_ref is None:
        return None
    waiting = waiting_runs(context.instance, connection)
    return next((r.run_id for r in waiting if r.tags.get(SCHEDULED_EXECUTION_TIME_TAG) != tick.isoformat()), None)
