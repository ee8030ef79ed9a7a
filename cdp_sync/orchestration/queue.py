"""The queue that runs wait in; `dagster.yaml` names it."""

from collections.abc import Iterable

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext  # as Dagster's guide for own ones does

from cdp_sync.orchestration.segments import PROFILES, SEGMENTS

_BACKFILL = "dagster/backfill"
_PARTITIONS = ("dagster/partition", "dagster/asset_partition_range_start")


class RunQueue(QueuedRunCoordinator):
    """Dagster's queue, but every run says which connection it is of, and why it is.

    What people materialize in the catalog has no job and therefore no job's tags: it would run beside the connection's
    other runs, and nobody would get mail about it.
    """

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queue a run."""
        run = context.dagster_run
        missing = {name: value for name, value in _told(run).items() if name not in run.tags}
        if missing:
            self._instance.add_run_tags(run.run_id, missing)
        return super().submit_run(context)


def _told(run: dg.DagsterRun) -> dict[str, str]:
    connections = connections_of(run.asset_selection or ())
    if not (connections or "connection" in run.tags):
        return {}
    chosen = any(tag in run.tags for tag in (_BACKFILL, *_PARTITIONS))
    of = {"connection": connections[0]} if len(connections) == 1 else {}
    return {**of, "reason": "backfill" if chosen else "by hand"}


def connections_of(assets: Iterable[dg.AssetKey]) -> list[str]:
    """Return the connections whose goals these are."""
    return sorted({key.path[0] for key in assets if key.path[0] != SEGMENTS and key != PROFILES})
