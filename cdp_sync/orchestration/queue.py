"""The queue that runs wait in; `dagster.yaml` names it."""

import dagster as dg

from cdp_sync.orchestration.runs.run_tags import VERSIONS, tags_to_queue
from cdp_sync.orchestration.runs.versions import versions


class RunQueue(dg.QueuedRunCoordinator):
    """Dagster's queue, which also tags every run with its connection, its reason, and the versions of this machine.

    A run without the tag would overlap with other runs of the connection, and no mail would be sent about it.
    """

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Queue a run."""
        run = context.dagster_run
        if run.status == dg.DagsterRunStatus.NOT_STARTED:
            self._instance.add_run_tags(run.run_id, {**tags_to_queue(run), VERSIONS: versions()})
        return super().submit_run(context)
