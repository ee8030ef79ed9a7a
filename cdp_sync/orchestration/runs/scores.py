"""Computes the scores in this process, through Dagster, so that the UI's history shows the run."""

import dagster as dg

from cdp_sync.errors import Terminal
from cdp_sync.orchestration.dagster_internals import execute_here, job_origin
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.scores import SCORES
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.launch import QUIET
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.run_events import trouble_of
from cdp_sync.orchestration.runs.run_tags import PROCESS


def compute_now(definitions: dg.Definitions) -> str:
    """Run the job that computes all scores, and return what went wrong; empty where nothing did.

    Raises:
        CdpSyncError: Dagster's history cannot be used.
        Terminal: No scores are declared.
    """
    if not any(job.name == SCORES for job in definitions.jobs or ()):
        raise Terminal("No scores are declared.", needed="The profile model needs `scores`, see docs/scores.md.")
    job = definitions.resolve_job_def(SCORES)
    with open_instance() as instance:
        recover(instance, data_folder())
        run = instance.create_run_for_job(
            job_def=job,
            run_config=QUIET,
            tags={**job.run_tags, "reason": "by hand", PROCESS: str(Process.this())},
            remote_job_origin=job_origin(job.name),
        )
        if execute_here(job, run, instance):
            return ""
        trouble = trouble_of(instance, run.run_id, "")
    reasons = [f"{name}: {why}" for name, (_, why) in trouble.goals.items()]
    return "\n".join(reasons) or trouble.message or f"Run {run.run_id} failed."
