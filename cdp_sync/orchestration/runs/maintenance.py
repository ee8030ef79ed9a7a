"""The job `maintenance`, which removes old runs from Dagster's history: records, events, logs and handles.

Rows that strict imports refused and that stayed in the data folder go when a run of their age does.

What the catalog shows stays. A run is kept while its materialization or observation of a goal or segment is the latest.
A file stays imported: its latest materialization is reported again without a run before its run is deleted.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import Maintenance, Profiles
from cdp_sync.model.counting import counted
from cdp_sync.model.lifecycle_goal import LONGEST
from cdp_sync.orchestration.dagster_internals import remove_event_file
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.files import is_files_key, partitions_of
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.runs.heartbeat import forget_beats
from cdp_sync.orchestration.runs.run_tags import connections_of
from cdp_sync.warehouse.caps import remove_touches
from cdp_sync.warehouse.clock import forget_touches
from cdp_sync.warehouse.events import count_expired, expire_events
from cdp_sync.warehouse.history import runs_with_work

_LONGEST = 15 * 60.0
"""Seconds after which the rest is left to the next day."""
_BATCH = 100
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def build_maintenance(declared: Maintenance, profiles: Profiles, *, on_lake: bool = False) -> dg.Definitions:
    """Return the job that removes what is old, and its daily schedule; a lake it keeps small as well."""
    remove_what_is_old, remove_old_events = _removes_runs(declared), _removes_events(profiles)
    remove_old_touches = _removes_touches() if profiles.lifecycles else None
    keep_lake_small = _keeps_lake_small(declared) if on_lake else None

    @dg.job(
        name="maintenance",
        description=(
            f"Keeps runs for {counted(declared.keep_runs_days, 'day')} after their end, those that found nothing to do "
            f"for {counted(declared.keep_idle_runs_days, 'day')}. The warehouse's own history stays. Events are kept "
            "as long as their types say."
        ),
    )
    def maintenance() -> None:
        removed = remove_what_is_old()
        for further in (remove_old_events, remove_old_touches, keep_lake_small):
            if further:
                further(after=removed)

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


def _removes_runs(declared: Maintenance) -> dg.OpDefinition:
    kept, idle_kept = counted(declared.keep_runs_days, "day"), counted(declared.keep_idle_runs_days, "day")

    @dg.op(
        description=(
            f"Remove runs that ended more than {kept} ago, those that found nothing to do after {idle_kept}, with "
            "their logs, rows that strict imports refused then, and what killed runs left."
        ),
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},  # read once; without its pool, so that imports need not wait
    )
    def remove_what_is_old(context: dg.OpExecutionContext) -> None:
        # A run without a row in the warehouse found nothing to do. None is removed while the warehouse is locked.
        def with_work(run_ids: list[str]) -> set[str]:
            with context.resources.warehouse.warehouse().open("read") as session:
                return runs_with_work(session, run_ids)

        leftovers, now, until = data_folder().sweep(), datetime.now(UTC), time.monotonic() + _LONGEST
        before = now - timedelta(days=declared.keep_runs_days)
        leftovers += data_folder().remove_reports(before.timestamp())
        runs, done = forget_runs(context.instance, before, until)
        idle, idle_done = 0, False
        try:
            idle_before = now - timedelta(days=declared.keep_idle_runs_days)
            idle, idle_done = forget_idle_runs(context.instance, idle_before, until, with_work)
        except CdpSyncError as error:
            context.log.warning(f"{error} No run without work was removed.")
        done = done and idle_done
        counts = {"runs removed": runs, "runs without work removed": idle, "left-over files removed": leftovers}
        removed = " ".join(f"{name.capitalize()}: {count:,}." for name, count in counts.items())
        context.log.info(removed if done else f"{removed} The rest is removed by the next run.")
        context.add_output_metadata({**counts, "done": done})

    return remove_what_is_old


def _removes_events(profiles: Profiles) -> dg.OpDefinition | None:
    """Return the op that removes events that are older than their type keeps them; None where each keeps all."""
    expiring = [event.name for event in profiles.event_types if event.keep_days]
    if not expiring:
        return None

    @dg.op(
        description=f"Remove events that are older than their type keeps them: {', '.join(expiring)}.",
        ins={"after": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
    )
    def remove_old_events(context: dg.OpExecutionContext) -> None:
        warehouse, now = context.resources.warehouse.warehouse(), datetime.now(UTC)
        with warehouse.open("read") as session:
            found = count_expired(session, profiles, now)
        if found:
            with warehouse.open("write") as session:
                found = expire_events(session, profiles, now)
        removed = ", ".join(f"{count:,} {name}" for name, count in found.items())
        context.log.info(f"Events removed: {removed or 'none'}.")
        context.add_output_metadata({f"{name} events removed": count for name, count in found.items()})

    return remove_old_events


def _removes_touches() -> dg.OpDefinition:
    """Return the op that removes touches that count in no period any more."""

    @dg.op(
        description=f"Remove touches of lifecycles that are older than {LONGEST.days} days: no threshold counts them.",
        ins={"after": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
    )
    def remove_old_touches(context: dg.OpExecutionContext) -> None:
        with context.resources.warehouse.warehouse().open("write") as session:
            before = datetime.now(UTC) - LONGEST
            removed = remove_touches(session, before)
            forget_touches(session, before)
        context.log.info(f"Touches removed: {removed:,}.")
        context.add_output_metadata({"touches removed": removed})

    return remove_old_touches


def _keeps_lake_small(declared: Maintenance) -> dg.OpDefinition:
    """Return the op that merges the files of a lake, and removes former states and files that nobody needs."""
    kept = counted(declared.keep_states_days, "day")

    @dg.op(
        description=f"Merge small files of the lake; remove states older than {kept}, and files that nobody needs.",
        ins={"after": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
    )
    def keep_lake_small(context: dg.OpExecutionContext) -> None:
        warehouse = context.resources.warehouse.warehouse()
        done = warehouse.upkeep(datetime.now(UTC), timedelta(days=declared.keep_states_days))
        context.log.info(" ".join(f"{what.capitalize()}: {count:,}." for what, count in done.items()))
        context.add_output_metadata(dict(done))

    return keep_lake_small


def forget_runs(instance: dg.DagsterInstance, ended_before: datetime, until: float) -> tuple[int, bool]:
    """Remove the runs that ended before a time, oldest first.

    It stops at `until`, a time of the monotonic clock; what is begun is finished. Return how many were removed, and
    whether those are all.
    """
    old = _ended(instance, _FINISHED, ended_before)
    return _forget_all(instance, [run.run_id for run in old], until)


def forget_idle_runs(
    instance: dg.DagsterInstance, ended_before: datetime, until: float, with_work: Callable[[list[str]], set[str]]
) -> tuple[int, bool]:
    """Remove the runs of connections that ended before a time with success, and found nothing to do.

    `with_work` returns which of these runs found something to do; the rest is as of `forget_runs`.
    """
    succeeded = _ended(instance, [dg.DagsterRunStatus.SUCCESS], ended_before)
    run_ids = [run.run_id for run in succeeded if connections_of(run)]
    worked = with_work(run_ids)
    return _forget_all(instance, [run_id for run_id in run_ids if run_id not in worked], until)


def _ended(
    instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus], before: datetime
) -> Iterator[dg.DagsterRun]:
    """Yield the runs that ended so before a time, oldest first; none of them is to be removed meanwhile."""
    # What happens to a run after its end, such as mail, renews this time: then it is kept a little longer.
    old, last = dg.RunsFilter(statuses=statuses, updated_before=before), None
    while records := instance.get_run_records(old, limit=_BATCH, cursor=last, ascending=True):
        yield from (record.dagster_run for record in records)
        last = records[-1].dagster_run.run_id


def _forget_all(instance: dg.DagsterInstance, run_ids: Iterable[str], until: float) -> tuple[int, bool]:
    """Remove these runs until a time, but for those that the catalog shows."""
    shown = _shown(instance) if run_ids else set()
    removed = 0
    for run_id in run_ids:
        if time.monotonic() > until:
            return removed, False
        if run_id not in shown and _keep_files(instance, run_id):
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
            instance.delete_run(run_id)
            forget_beats(instance, run_id)
            remove_event_file(instance, run_id)
            removed += 1
    return removed, True


def _shown(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs of the latest materialization and observation of every asset but the files."""
    keys = [key for key in instance.get_asset_keys() if not is_files_key(key)]
    fetches = (instance.fetch_materializations, instance.fetch_observations)
    return {record.run_id for key in keys for fetch in fetches for record in fetch(key, limit=1).records}


def _keep_files(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Report again, without the run, the files that it was the last to import; return whether it can be removed then.

    It cannot while a later import of such a file has failed: what is reported now would hide that failure.
    """
    imported = []
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records:
        made = record.asset_materialization
        if not made or not is_files_key(made.asset_key):
            continue
        key, name = made.asset_key, made.partition or ""
        of_file = dg.AssetRecordsFilter(key, asset_partitions=[name])
        if [latest.run_id for latest in instance.fetch_materializations(of_file, limit=1).records] != [run_id]:
            continue
        status = instance.get_status_by_partition(key, [name], partitions_of(*key.path[:2])) or {}
        if status.get(name) is dg.AssetPartitionStatus.FAILED:
            return False
        imported.append((record.timestamp, made))
    for imported_at, made in imported:
        metadata = {"imported_at": dg.MetadataValue.timestamp(imported_at), **made.metadata}
        instance.report_runless_asset_event(
            dg.AssetMaterialization(made.asset_key, partition=made.partition, metadata=metadata, tags=made.tags)
        )
    return True
