"""Runs a connection through Dagster, so that the UI's history shows the run: in this process, or on a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.errors import Terminal, UnknownName
from cdp_sync.lifecycles import LIFECYCLES
from cdp_sync.model import EventExportReport, ExportReport, GoalState, ImportReport, Report
from cdp_sync.model.connection import RESERVED
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.dagster_internals import code_origin, execute_here, job_origin, submit
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.events import EVENTS
from cdp_sync.orchestration.goals.files import is_files_key
from cdp_sync.orchestration.goals.segments import SEGMENTS
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.resources import PlatformResource
from cdp_sync.orchestration.runs.following import follow
from cdp_sync.orchestration.runs.history import PastRun
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.progress import Watcher, watched_by
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.run_events import Trouble, trouble_of
from cdp_sync.orchestration.runs.run_tags import PROCESS, refuse_second_run

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run config: events are recorded, not written to the terminal."""


_SELECT_EVENTS = {"select_events", "select_responses"}
"""The first ops of goals that deliver events, or what is made of them."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run from the command line."""

    run_id: str
    state: GoalState
    seconds: float
    """The goals' own work, from the first step's start to the last one's end, without the start of Dagster."""
    goals: tuple[Report, ...]
    message: str = ""
    """What went wrong with the run as a whole, where no goal says it."""


@dataclass(frozen=True)
class Order:
    """What of a connection is to be run: its enabled goals, unless more is said."""

    connection: str
    goal: str | None = None
    """Only this one."""
    files: str | None = None
    """Only files whose names match this wildcard; exports are left out."""
    again: bool = False
    """Also files that were imported and have not changed."""
    full: bool = False
    """Exports look at everybody, not only at those who may have changed."""
    exports: bool = False
    """The goal has to be one that exports."""

    @property
    def chooses(self) -> bool:
        """Whether it is about some files."""
        return self.files is not None or self.again

    def run_config(self, goals: list[dg.AssetKey]) -> dict[str, Any]:
        """Return the run config: which files these goals are to import, or that an export looks at everybody."""
        if self.full:
            everybody = {"ops": {"select_segment": {"config": {"full": True}}}}
            return {**QUIET, "ops": {f"{self.connection}__{self.goal}": everybody}}
        choice = {"files": self.files or "*", "again": self.again}
        config = {"ops": {"scan_directory": {"config": choice}}}
        return {**QUIET, "ops": {"__".join(goal.path): config for goal in goals} if self.chooses else {}}


def launch(definitions: dg.Definitions, order: Order, watcher: Watcher) -> Outcome:
    """Run a connection's goals in this process.

    Raises:
        UnknownName: No such connection or goal.
        Terminal: A run of the connection is under way.
    """
    job, goals = _job(definitions, order)
    with open_instance() as instance:
        return _execute(instance, definitions, order, job, goals, watcher)


def launch_as_declared(definitions: dg.Definitions, order: Order, watcher: Watcher) -> Outcome | PastRun:
    """Run a connection's goals on a worker if `dagster.yaml` launches runs elsewhere, and in this process if not.

    A run on a worker waits in the queue like any other, and is followed until it ends.

    Raises:
        UnknownName: No such connection or goal.
        Terminal: A run of the connection is under way here, or the one on a worker is not followed any more.
    """
    job, goals = _job(definitions, order)
    with open_instance() as instance:
        if isinstance(instance.run_launcher, dg.DefaultRunLauncher):
            return _execute(instance, definitions, order, job, goals, watcher)
        run = _create(instance, order, job, goals)
        submit(instance, run)
        return follow(instance, run.run_id, order.connection, watcher)


def _create(
    instance: dg.DagsterInstance, order: Order, job: dg.JobDefinition, goals: list[dg.AssetKey], **tags: str
) -> dg.DagsterRun:
    return instance.create_run_for_job(
        job_def=job,
        asset_selection=frozenset(goals) or None,
        run_config=order.run_config(goals),
        tags={**job.run_tags, "reason": "backfill" if order.again else "by hand", **tags},
        remote_job_origin=job_origin(job.name),
        job_code_origin=code_origin(job.name),
    )


def _execute(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    order: Order,
    job: dg.JobDefinition,
    goals: list[dg.AssetKey],
    watcher: Watcher,
) -> Outcome:
    """Execute a run in this process. What the steps need is imported before, so that their time is their own."""
    for resource in (definitions.resources or {}).values():
        if isinstance(resource, PlatformResource):
            resource.warm_up()
    recover(instance, data_folder())
    refuse_second_run(instance, order.connection)
    with watched_by(watcher):
        run = _create(instance, order, job, goals, **{PROCESS: str(Process.this())})
        succeeded = execute_here(job, run, instance)
    trouble = Trouble() if succeeded else trouble_of(instance, run.run_id, order.connection)
    by_goal = {goal.removeprefix(f"{order.connection}__"): report for goal, report in watcher.reports.items()}
    found = _with_failures(by_goal, trouble, definitions, order.connection)
    message = "" if any(goal.state == "failed" for goal in found) else trouble.message
    state = GoalState.SUCCESS if succeeded else GoalState.FAILED
    return Outcome(run.run_id, state, sum(goal.seconds for goal in found), found, message)


def _with_failures(
    reports: Mapping[str, Report], trouble: Trouble, definitions: dg.Definitions, connection: str
) -> tuple[Report, ...]:
    """Return the reports, and one of each goal or segment of which only the event log says that it failed."""
    found = dict(reports)
    for goal, (_, why) in trouble.goals.items():
        report = found.get(goal)
        if report is None:  # it did nothing
            report = _report_of(definitions, dg.AssetKey([connection, goal]))
        if report.state != "failed":
            found[goal] = replace(report, error=why)
    return tuple(found.values())


def _report_of(definitions: dg.Definitions, key: dg.AssetKey) -> Report:
    """Return the empty report of a goal: of events where its first op selects them, or of the segment of an export."""
    goal, selected_by = key.path[1], _selected_by(definitions, key)
    if not selected_by:
        return ImportReport(goal)
    graph = definitions.resolve_assets_def(key).node_def
    if isinstance(graph, dg.GraphDefinition) and _SELECT_EVENTS & {node.name for node in graph.nodes}:
        return EventExportReport(goal)
    return ExportReport(goal, next(parent.path[1] for parent in selected_by if parent.path[0] == SEGMENTS))


def _selected_by(definitions: dg.Definitions, goal: dg.AssetKey) -> list[dg.AssetKey]:
    """Return the segment, events and lifecycles of an export goal; nothing of an import goal, or of no goal."""
    graph = definitions.resolve_asset_graph()
    parents = graph.get(goal).parent_keys if graph.has(goal) else ()
    return [parent for parent in parents if parent.path[0] in (SEGMENTS, EVENTS, LIFECYCLES)]


def _job(definitions: dg.Definitions, order: Order) -> tuple[dg.JobDefinition, list[dg.AssetKey]]:
    """Return the connection's job and what of it to run; nothing for all of it.

    Raises:
        UnknownName: There is no such connection or goal, or the goal is of the other kind.
        Terminal: Every goal of the connection is off.
    """
    connection, goal, name = order.connection, order.goal, f"{order.connection}_sync"
    every = [key.path for key in sorted(definitions.resolve_asset_graph().materializable_asset_keys)]
    paths = [path for path in every if len(path) == 2 and path[0] not in RESERVED]
    if connection not in (names := list(dict.fromkeys(path[0] for path in paths))):
        raise UnknownName(f"There is no connection {connection!r}.", needed=one_of(connection, names))
    if goal is not None and goal not in (goals := [path[1] for path in paths if path[0] == connection]):
        raise UnknownName(f"Connection {connection} has no goal {goal!r}.", needed=one_of(goal, goals))
    selected_by = _selected_by(definitions, dg.AssetKey([connection, goal])) if goal else []
    if order.exports and not selected_by:
        raise UnknownName(
            f"Goal {goal!r} of {connection} imports.", needed="Needed is the name of an export goal.",
            remedy=f"`{call(f'run {connection} --goal {goal}')}` runs it.",
        )  # fmt: skip
    if not any(job.name == name for job in definitions.resolve_all_job_defs()):
        raise Terminal(f"Every goal of {connection} is off.", remedy="Switch one on: `enabled: true`.")
    job = definitions.resolve_job_def(name)
    if order.full:
        _check_full(job, order)
    if order.chooses:
        return job, _importing_files(definitions, job, order)
    counted_anew = [key for key in selected_by if list(key.path) in every]
    return job, [dg.AssetKey([connection, goal]), *counted_anew] if goal else []


def _check_full(job: dg.JobDefinition, order: Order) -> None:
    """Raise `UnknownName` where the goal exports no profiles: there is nobody to look at."""
    goal = job.graph.node_named(f"{order.connection}__{order.goal}").definition
    if not (isinstance(goal, dg.GraphDefinition) and goal.has_node_named("select_segment")):
        raise UnknownName(f"Goal {order.goal!r} exports no profiles.", remedy="Leave out --full.")


def _importing_files(definitions: dg.Definitions, job: dg.JobDefinition, order: Order) -> list[dg.AssetKey]:
    """Return the goals that an order for files is about: the named one, or all enabled ones that import files."""
    keys = sorted(definitions.resolve_asset_graph().materializable_asset_keys)
    over_files = [dg.AssetKey(key.path[:2]) for key in keys if is_files_key(key) and key.path[0] == order.connection]
    selected = job.asset_layer.selected_asset_keys
    if found := [key for key in over_files if key.path[1] == order.goal or (not order.goal and key in selected)]:
        return found
    raise UnknownName(
        f"{order.goal or f'Connection {order.connection}'} imports no files.",
        needed="Files can be chosen of an import goal over SFTP only.",
        remedy="Leave out --files and --again.",
    )
