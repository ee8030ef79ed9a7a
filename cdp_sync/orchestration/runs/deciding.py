"""Runs what a person decided in this process, through Dagster, so that the UI's history shows the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cdp_sync.merging import Merges
from cdp_sync.model import GoalState
from cdp_sync.orchestration.dagster_internals import execute_here, job_origin
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.merging import MERGE_TWO, UNMERGE, identifiers_kept_here
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.launch import QUIET
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.progress import Watcher, watched_by
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.run_events import Trouble, trouble_of
from cdp_sync.orchestration.runs.run_tags import PROCESS


@dataclass(frozen=True)
class DecisionOrder:
    """What a person decided, as a job to run. Its run config names profiles by id."""

    job: str
    op: str
    config: Mapping[str, Any]
    identifiers: tuple[str, ...] = ()
    """Personal data: they stay in this process."""


def merge_order(left: str, right: str, *, decided_by: str) -> DecisionOrder:
    """Return the order that two profiles become one."""
    return DecisionOrder(MERGE_TWO, "merge_two", {"left": left, "right": right, "decided_by": decided_by})


def unmerge_order(
    profile: str, *, survivor: str | None, identifiers: tuple[str, ...], decided_by: str
) -> DecisionOrder:
    """Return the order that a profile leaves the one that it is merged into, or that only some identifiers do."""
    config = {"profile": profile, "identifiers": len(identifiers), "decided_by": decided_by}
    return DecisionOrder(UNMERGE, "unmerge", config | ({"survivor": survivor} if survivor else {}), identifiers)


@dataclass(frozen=True)
class Decided:
    """The result of a decision from the command line."""

    run_id: str
    state: GoalState
    message: str
    """What it changed, or what went wrong."""
    merges: Merges | None
    """None where it failed."""


def decide(definitions: dg.Definitions, order: DecisionOrder) -> Decided:
    """Run the job of a decision in this process.

    Raises:
        CdpSyncError: Dagster's history cannot be used.
    """
    job, watcher = definitions.resolve_job_def(order.job), Watcher()
    with open_instance() as instance, watched_by(watcher), identifiers_kept_here(order.identifiers):
        recover(instance, data_folder())
        run = instance.create_run_for_job(
            job_def=job,
            run_config={**QUIET, "ops": {order.op: {"config": dict(order.config)}}},
            tags={**job.run_tags, "reason": "by hand", PROCESS: str(Process.this())},
            remote_job_origin=job_origin(job.name),
        )
        succeeded = execute_here(job, run, instance)
        trouble = Trouble() if succeeded else trouble_of(instance, run.run_id, "")
    if succeeded and watcher.merges:
        return Decided(run.run_id, GoalState.SUCCESS, watcher.merges.message, watcher.merges)
    _, why = next(iter(trouble.goals.values()), (None, trouble.message))
    return Decided(run.run_id, GoalState.FAILED, why, None)
