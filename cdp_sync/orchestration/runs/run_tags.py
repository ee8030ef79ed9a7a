"""Runs by their tags: connection, reason for the start, process and mail; and the runs in certain states."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from cdp_sync.errors import Terminal
from cdp_sync.model.connection import RESERVED
from cdp_sync.orchestration.dagster_internals import HIDDEN_TAG_PREFIX

CONNECTION = "connection"
REASON = "reason"
"""schedule, new files, mailings due, by hand or backfill."""

PROCESS = f"{HIDDEN_TAG_PREFIX}cdp_sync_process"
"""The process that does the run's work. Hidden, as the UI's list of runs would show little else."""
FORMER_PROCESS = "cdp_sync/process"
"""Its former name; runs that have it may still be under way, or be launched again."""
VERSIONS = f"{HIDDEN_TAG_PREFIX}cdp_sync_versions"
"""The versions of the machine that queued the run."""
MAILED = "cdp_sync/mailed"

_BY_DAGSTER = {
    "dagster/backfill": "backfill",
    "dagster/partition": "backfill",
    "dagster/asset_partition_range_start": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "new files",
}
"""The reason, by tags of Dagster's own."""

WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
"""States of a run that has not started."""
UNFINISHED = [*WAITING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""States of a run that has not ended: it may import what arrives now."""
_GIVEN_UP_AFTER = timedelta(minutes=10)
"""A run that is older and not even queued was left by a crash and never starts."""


def reason_of(run: dg.DagsterRun) -> str:
    """Return why a run was started."""
    by_tag = (reason for tag, reason in _BY_DAGSTER.items() if tag in run.tags)
    return run.tags.get(REASON) or next(by_tag, "by hand")


def connections_of(run: dg.DagsterRun) -> list[str]:
    """Return the connections of a run: by its tag or, where it has none, by the assets that it was to materialize."""
    if tagged := run.tags.get(CONNECTION):
        return [tagged]
    return sorted({key.path[0] for key in run.asset_selection or () if key.path[0] not in RESERVED})


def tags_to_queue(run: dg.DagsterRun) -> dict[str, str]:
    """Return the tags to set when a run is queued, where they differ from those it has.

    A run that was started in the catalog has no job and therefore no job's tags. A run that is launched again has all
    tags of the former run, also those of its process, which is gone, and of its mail.
    """
    connections = connections_of(run)
    if not connections:
        return {}
    wanted = {CONNECTION: connections[0]} if len(connections) == 1 else {}
    wanted[REASON] = "by hand" if run.parent_run_id else reason_of(run)
    wanted |= {noted: "" for noted in (PROCESS, FORMER_PROCESS, MAILED) if noted in run.tags}
    return {name: value for name, value in wanted.items() if run.tags.get(name) != value}


def runs_in(
    instance: dg.DagsterInstance, connection: str, statuses: list[dg.DagsterRunStatus]
) -> Iterator[dg.DagsterRun]:
    """Yield the runs of a connection that are in one of these states, but for those that never start."""
    for record in instance.get_run_records(dg.RunsFilter(tags={"connection": connection}, statuses=statuses)):
        run, made = record.dagster_run, record.create_timestamp
        if run.status != dg.DagsterRunStatus.NOT_STARTED or made + _GIVEN_UP_AFTER > datetime.now(UTC):
            yield run


def refuse_second_run(instance: dg.DagsterInstance, connection: str) -> None:
    """Make sure that no run of a connection is under way.

    Raises:
        Terminal: One is.
    """
    started = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    if running := next(runs_in(instance, connection, started), None):
        raise Terminal(
            f"Run {running.run_id} of connection {connection} is under way.",
            needed="One run of a connection at a time is allowed.",
            remedy="Wait until it is done, or end it in the UI.",
        )
