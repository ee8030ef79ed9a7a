"""Removes old runs from Dagster's history: their records, events and logs, and what their steps handed on.

What the catalog shows stays. A run is kept while its materialization or observation of a goal or segment is the latest.
A file stays imported: its latest materialization is reported again without a run before its run is deleted.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg

from cdp_sync.orchestration.dagster_internals import remove_event_file
from cdp_sync.orchestration.goals.files import is_files_key, partitions_of
from cdp_sync.orchestration.runs.run_tags import connections_of

_BATCH = 100
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_runs(instance: dg.DagsterInstance, ended_before: datetime, until: float) -> tuple[int, bool]:
    """Remove the runs that ended before a time, oldest first.

    It stops at `until`, a time of the monotonic clock; what is begun is finished.

    Returns:
        How many were removed, and whether those are all.
    """
    old = _ended(instance, _FINISHED, ended_before)
    return _forget_all(instance, [run.run_id for run in old], until)


def forget_idle_runs(
    instance: dg.DagsterInstance,
    ended_before: datetime,
    until: float,
    with_work: Callable[[list[str]], set[str]],
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
            remove_event_file(instance, run_id)
            removed += 1
    return removed, True


def _shown(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs of the latest materialization and observation of every asset but the files."""
    keys = [key for key in instance.get_asset_keys() if not is_files_key(key)]
    latest = [
        record
        for key in keys
        for fetch in (instance.fetch_materializations, instance.fetch_observations)
        for record in fetch(key, limit=1).records
    ]
    return {record.run_id for record in latest}


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
