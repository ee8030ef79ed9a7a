"""The job `maintenance`, and when it runs."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from cdp_sync.model import Maintenance
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.places import data_folder
from cdp_sync.orchestration.processes import note_process
from cdp_sync.orchestration.retention import forget_runs

_LONGEST = 15 * 60.0
"""Seconds after which it leaves the rest to the next day."""


def build_maintenance(declared: Maintenance) -> dg.Definitions:
    """Return the job that removes what is old, and its daily schedule."""
    kept = counted(declared.keep_runs_days, "day")

    @dg.op(
        description=f"Remove runs that ended more than {kept} ago, with their logs, and what killed runs left behind.",
        out=dg.Out(dg.Nothing),
    )
    def remove_what_is_old(context: dg.OpExecutionContext) -> None:
        note_process(context.instance, context.run)
        _remove(context, timedelta(days=declared.keep_runs_days))

    @dg.job(
        name="maintenance",
        description=f"Keeps runs for {kept} after their end. The warehouse's own history stays.",
    )
    def maintenance() -> None:
        remove_what_is_old()

    schedule = dg.ScheduleDefinition(
        name="maintenance_schedule",
        job=maintenance,
        cron_schedule=f"{declared.at.minute} {declared.at.hour} * * *",
        execution_timezone=declared.time_zone,
        description=f"Removes what is old every day at {declared.at:%H:%M} ({declared.time_zone}).",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        tags={"reason": "schedule"},
    )
    return dg.Definitions(jobs=[maintenance], schedules=[schedule])


def _remove(context: dg.OpExecutionContext, kept: timedelta) -> None:
    leftovers = data_folder().sweep()
    runs, done = forget_runs(context.instance, datetime.now(UTC) - kept, time.monotonic() + _LONGEST)
    rest = "" if done else " The time was up; the next run goes on."
    context.log.info(f"Runs removed: {runs:,}. Left-over files removed: {leftovers:,}.{rest}")
    context.add_output_metadata({"runs removed": runs, "left-over files removed": leftovers, "done": done})
