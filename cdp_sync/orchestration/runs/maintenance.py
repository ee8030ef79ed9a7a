"""The job `maintenance`, which removes what is old, and its schedule."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import Maintenance
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.runs.retention import forget_idle_runs, forget_runs
from cdp_sync.warehouse.history import runs_with_work

_LONGEST = 15 * 60.0
"""Seconds after which the rest is left to the next day."""


def build_maintenance(declared: Maintenance) -> dg.Definitions:
    """Return the job that removes what is old, and its daily schedule."""
    kept, idle_kept = counted(declared.keep_runs_days, "day"), counted(declared.keep_idle_runs_days, "day")

    @dg.op(
        description=(
            f"Remove runs that ended more than {kept} ago, those that found nothing to do after {idle_kept}, with "
            "their logs, and what killed runs left."
        ),
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},  # read once; without its pool, so that imports need not wait
    )
    def remove_what_is_old(context: dg.OpExecutionContext) -> None:
        leftovers, now, until = data_folder().sweep(), datetime.now(UTC), time.monotonic() + _LONGEST
        runs, done = forget_runs(context.instance, now - timedelta(days=declared.keep_runs_days), until)
        idle, idle_done = _remove_idle(context, now - timedelta(days=declared.keep_idle_runs_days), until)
        done = done and idle_done
        removed = (
            f"Runs removed: {runs:,}. Runs without work removed: {idle:,}. Left-over files removed: {leftovers:,}."
        )
        context.log.info(removed if done else f"{removed} The rest is removed by the next run.")
        counts = {"runs removed": runs, "runs without work removed": idle, "left-over files removed": leftovers}
        context.add_output_metadata({**counts, "done": done})

    @dg.job(
        name="maintenance",
        description=(
            f"Keeps runs for {kept} after their end, those that found nothing to do for {idle_kept}. The warehouse's "
            "own history stays."
        ),
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


def _remove_idle(context: dg.OpExecutionContext, ended_before: datetime, until: float) -> tuple[int, bool]:
    """Remove runs that found nothing to do: those without a row in the warehouse. None while it is locked."""

    def with_work(run_ids: list[str]) -> set[str]:
        with context.resources.warehouse.warehouse().open("read") as session:
            return runs_with_work(session, run_ids)

    try:
        return forget_idle_runs(context.instance, ended_before, until, with_work)
    except CdpSyncError as error:
        context.log.warning(f"{error} No run without work was removed.")
        return 0, False
