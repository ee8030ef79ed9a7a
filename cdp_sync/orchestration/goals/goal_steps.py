"""What the steps of every goal have in common."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, Terminal
from cdp_sync.exporting import DeliveryRun, clear_uploads
from cdp_sync.importing import ImportRun
from cdp_sync.model import Connection, Profiles
from cdp_sync.model.goal import Goal
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.warehouse.renaming import adopt

Handle = dict[str, Any]
"""What one step hands to the next: paths, states and counts, never rows."""

G = TypeVar("G", bound=Goal)
R = TypeVar("R", bound=ImportRun | DeliveryRun)


@dataclass(frozen=True)
class GoalOp:
    """An op of a goal: what it does, given its context and, of every op but the first, the handle of the one before.

    The UI shows the docstring of `work`; `more` are further arguments of Dagster's op, such as its pool.
    """

    name: str
    work: Callable[..., Any]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GoalSteps(ABC, Generic[G]):
    """A goal, and what it is part of."""

    connection: Connection
    goal: G
    profiles: Profiles

    @property
    @abstractmethod
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops, in order."""

    @property
    def unique(self) -> str:
        """A name that no other goal of the project has."""
        return f"{self.connection.name}__{self.goal.name}"

    @property
    def key(self) -> dg.AssetKey:
        """Key of the goal's asset."""
        return dg.AssetKey([self.connection.name, self.goal.name])

    @property
    def server_key(self) -> str:
        """Resource key of the connection's server."""
        return f"{self.connection.name}_server"

    def adopt(self, context: dg.OpExecutionContext) -> None:
        """Go on with the ledger of a former name, where one is declared."""
        names, was = (self.connection.name, self.goal.name), (self.connection.was, self.goal.was)
        if adopt(context.resources.warehouse.warehouse(), names, was):
            context.log.info(f"{' / '.join(names)} goes on with the ledger that it had under its former name")

    def server(self, context: dg.OpExecutionContext) -> Any:  # noqa: ANN401 - of whatever kind
        """Return the connection's server."""
        return getattr(context.resources, self.server_key)

    def client(self, context: dg.OpExecutionContext) -> Any:  # noqa: ANN401 - whatever talks to the server
        """Return what talks to the connection's server; it connects when it is used."""
        return self.server(context).client()

    def clear_uploads(self, context: dg.OpExecutionContext, server: Callable[[], Any]) -> None:
        """Remove from the server what earlier runs of the connection had not finished sending, if there is any.

        Where that fails the run goes on: what was noted stays noted, and the next run tries again. The log receives
        what is left.
        """
        names = [name for name in (self.connection.name, self.connection.was) if name]
        folders = [data_folder().uploads(name) for name in names]
        try:
            left = clear_uploads(folders, server, context.log.warning)
        except CdpSyncError as error:
            context.log.warning(f"What an earlier upload left on the server could not be removed. {error}")
        else:
            for upload in left:
                context.log.warning(
                    f"{upload.part!r} may be left on {upload.server}, of an upload that broke off. Remove it by hand, "
                    "and its note in data/uploads if the connection has another server by now."
                )


def verify_one_process(context: dg.OpExecutionContext) -> None:
    """Make sure that the run has one process, whatever job it is of.

    Goals run by the priority of their ops: if one depended on another, Dagster would skip it where that one fails. Only
    an executor that runs one op at a time keeps that order, and steps hand on files of their own machine.

    Raises:
        Terminal: Another executor runs the ops.
    """
    found = context.job_def.executor_def.name
    if found not in _ONE_PROCESS:
        raise Terminal(
            f"Job {context.job_name} runs its ops with the executor `{found}`.",
            needed="The goals of a run keep their order in one process: the executor has to be `in_process`.",
            remedy="Leave `executor_def` out of the job. Several runs at once are shared out by the run launcher.",
        )


_ONE_PROCESS = frozenset({"in_process", "execute_in_process_executor"})


def forget_handles(context: dg.OpExecutionContext) -> None:
    """Remove the files in which Dagster keeps the handles of this step's goal; to be called when the goal is done.

    Those of a failed goal stay: its steps can be run again from the one that failed.
    """
    node = str(context.op_handle).partition(".")[0]
    of_run = Path(context.instance.storage_directory()) / context.run_id
    for of_step in of_run.glob(f"{node}.*"):
        shutil.rmtree(of_step, ignore_errors=True)
    with suppress(OSError):  # other goals of the run have theirs in it, or there is none
        of_run.rmdir()


def staged(run: R) -> R:
    """Return the run if its staged rows are there: of a run that is tried again from a step they may be gone.

    Raises:
        Terminal: They are not.
    """
    if run.staging.exists():
        return run
    raise Terminal(
        "The rows that this run had staged are no longer there.",
        needed="A run that is tried again from a step has two days, and no time if its process was killed.",
        remedy="Run the connection instead: what was not imported is imported then.",
    )
