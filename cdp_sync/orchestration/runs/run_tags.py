"""Tags of a run: its connection, the reason why it was started, its process and the state of the mail about it."""

import dagster as dg

from cdp_sync.model.connection import RESERVED
from cdp_sync.orchestration.dagster_internals import HIDDEN_TAG_PREFIX

CONNECTION = "connection"
REASON = "reason"
"""schedule, new files, by hand or backfill."""

PROCESS = f"{HIDDEN_TAG_PREFIX}cdp_sync_process"
"""The process that does the run's work. Hidden, as the UI's list of runs would show little else."""
FORMER_PROCESS = "cdp_sync/process"
"""Its former name; runs that have it may still be under way, or be launched again."""
MAILED = "cdp_sync/mailed"
"""The state of the mail about the run."""

_BY_DAGSTER = {
    "dagster/backfill": "backfill",
    "dagster/partition": "backfill",
    "dagster/asset_partition_range_start": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "new files",
}
"""The reason, by tags of Dagster's own."""


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
