"""Forgets runs: Dagster's records of them, their logs, and what their steps handed on.

What the catalog shows stays: the latest materialization and observation of each asset, and of each file that is a
partition of one, is kept though its run is gone. Dagster's own deletion of a run would turn files that were imported
into missing ones.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.schema import (  # not public, and the only way to keep one event of a run
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from sqlalchemy import ColumnElement, Table, and_, exists, or_, select

from cdp_sync.orchestration.runs.run_tags import connections_of

_BATCH = 100
_SHOWN = [dg.DagsterEventType.ASSET_MATERIALIZATION.value, dg.DagsterEventType.ASSET_OBSERVATION.value]
"""Events of which the catalog shows the latest."""


def forget_runs(instance: dg.DagsterInstance, ended_before: datetime, until: float) -> tuple[int, bool]:
    """Forget the runs that ended before a time, oldest first.

    Args:
        instance: Whose runs.
        ended_before: Runs that ended later, and runs that have not ended, are kept.
        until: When to stop, by the monotonic clock; what is begun is finished.

    Returns:
        How many were forgotten, and whether those are all.
    """
    old = _ended(instance, FINISHED_STATUSES, ended_before)
    return _forget_all(instance, [run.run_id for run in old], until)


def forget_idle_runs(
    instance: dg.DagsterInstance,
    ended_before: datetime,
    until: float,
    with_work: Callable[[list[str]], set[str]],
) -> tuple[int, bool]:
    """Forget the runs of connections that ended before a time with success, and found nothing to do.

    Args:
        instance: Whose runs.
        ended_before: Runs that ended later are kept.
        until: When to stop, by the monotonic clock; what is begun is finished.
        with_work: Returns which of these runs found something to do.

    Returns:
        How many were forgotten, and whether those are all.
    """
    succeeded = _ended(instance, [dg.DagsterRunStatus.SUCCESS], ended_before)
    run_ids = [run.run_id for run in succeeded if connections_of(run)]
    kept = with_work(run_ids)
    return _forget_all(instance, [run_id for run_id in run_ids if run_id not in kept], until)


def _ended(
    instance: dg.DagsterInstance, statuses: Iterable[dg.DagsterRunStatus], before: datetime
) -> Iterator[dg.DagsterRun]:
    """Yield the runs that ended so before a time, oldest first; none of them is to be removed meanwhile."""
    # What happens to a run after its end, such as mail, renews this time: then it is kept a little longer.
    old, last = dg.RunsFilter(statuses=list(statuses), updated_before=before), None
    while records := instance.get_run_records(old, limit=_BATCH, cursor=last, ascending=True):
        yield from (record.dagster_run for record in records)
        last = records[-1].dagster_run.run_id


def _forget_all(instance: dg.DagsterInstance, run_ids: Iterable[str], until: float) -> tuple[int, bool]:
    """Forget these runs until a time; return how many were forgotten, and whether those are all."""
    forgotten = 0
    for run_id in run_ids:
        if time.monotonic() > until:
            return forgotten, False
        _forget(instance, run_id)
        forgotten += 1
    return forgotten, True


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """Forget a run; its record goes last, so that what is interrupted is found again."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
    _forget_events(instance.event_log_storage, run_id)
    instance.run_storage.delete_run(run_id)


def _forget_events(storage: EventLogStorage, run_id: str) -> None:
    if not isinstance(storage, SqlEventLogStorage):
        storage.delete_events(run_id)
        return
    storage.free_concurrency_slots_for_run(run_id)
    events, tags, checks = SqlEventLogStorageTable, AssetEventTagsTable, AssetCheckExecutionsTable
    done_with = and_(events.c.run_id == run_id, _serves_nobody(events))
    with storage.index_connection() as connection:
        connection.execute(tags.delete().where(tags.c.event_id.in_(select(events.c.id).where(done_with))))
        connection.execute(events.delete().where(done_with))
        connection.execute(
            checks.delete().where(checks.c.run_id == run_id, _is_superseded(checks, "asset_key", "check_name"))
        )
    if isinstance(storage, SqliteEventLogStorage):  # which has a file for each run besides
        for kind in ("", "-wal", "-shm"):
            Path(storage.path_for_shard(run_id) + kind).unlink(missing_ok=True)


def _serves_nobody(events: Table) -> ColumnElement[bool]:
    """Return the condition for events that the catalog does not show, or not as the latest of asset and partition."""
    kind = events.c.dagster_event_type
    return or_(
        kind.is_(None),
        kind.not_in(_SHOWN),
        and_(kind.in_(_SHOWN), _is_superseded(events, "asset_key", "dagster_event_type", "partition")),
    )


def _is_superseded(table: Table, *same: str) -> ColumnElement[bool]:
    """Return the condition for rows of which there is a later one that has the same values."""
    later = table.alias("later")
    alike = [later.c[name].is_not_distinct_from(table.c[name]) for name in same]
    return exists().where(later.c.id > table.c.id, *alike).correlate(table)
