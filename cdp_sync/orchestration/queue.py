"""The queue that runs wait in; `dagster.yaml` names it."""

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext  # as Dagster's guide for own ones does

from cdp_sync.orchestration.runs.run_tags import tags_to_queue


class RunQueue(QueuedRunCoordinator):
    """Dagster's queue, but every run says which connection it is of, and why it is.

    A run that did not would run beside the connection's other runs, and nobody would get mail about it.
    """

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queue a run."""
        run = context.dagster_run
        if run.status == dg.DagsterRunStatus.NOT_STARTED and (tags := tags_to_queue(run)):
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)
