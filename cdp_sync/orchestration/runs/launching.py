"""Runs a connection from the command line, through Dagster, so that the run stands in the UI's history."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run  # as Dagster does a run that it has launched

from cdp_sync.calling import call
from cdp_sync.errors import Terminal, UnknownName
from cdp_sync.model import ExportReport, GoalReport, Report
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.code_location import job_origin
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.files import is_files_key
from cdp_sync.orchestration.goals.segments import SEGMENTS
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.resources import PlatformResource
from cdp_sync.orchestration.runs.processes import Process
from cdp_sync.orchestration.runs.progress import Watcher, watched_by
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.run_events import Trouble, trouble_of
from cdp_sync.orchestration.runs.run_tags import PROCESS

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What a run from the command line came to."""

    run_id: str
    state: str
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
    exports: bool = False
    """The goal has to be one that exports."""

    @property
    def chooses(self) -> bool:
        """Whether it is about some files."""
        return self.files is not None or self.again

    @property
    def choice(self) -> dict[str, object]:
        """What the steps are told of it."""
        return {"files": self.files or "*", "again": self.again}


def launch(definitions: dg.Definitions, order: Order, watcher: Watcher) -> Outcome:
    """Run a connection's goals in this process.

    What the steps need is imported before, so that their time is their own.

    Raises:
        UnknownName: No such connection or goal.
        Terminal: A run of the connection is under way.
    """
    for resource in (definitions.resources or {}).values():
        if isinstance(resource, PlatformResource):
            resource.warm_up()
    name, selection = _job(definitions, order)
    job = definitions.resolve_job_def(name)
    reports = _Collecting(watcher)
    with open_instance() as instance, watched_by(reports):
        recover(instance, data_folder())
        _check_alone(instance, order.connection)
        run = instance.create_run_for_job(
            job_def=job,
            asset_selection=frozenset(selection) if selection else None,
            run_config={**_QUIET, "ops": _choices(order, selection or [])},
            tags={
                **job.run_tags,
                "reason": "backfill" if order.again else "by hand",
                PROCESS: str(Process.this()),
            },
            remote_job_origin=job_origin(name),
        )
        result = execute_run(InMemoryJob(job), run, instance)
        trouble = Trouble() if result.success else trouble_of(instance, run.run_id, order.connection)
    goals = _with_failures(reports.of(order.connection), trouble, definitions, order.connection)
    message = "" if any(goal.state == "failed" for goal in goals) else trouble.message
    state = "success" if result.success else "failed"
    return Outcome(run.run_id, state, sum(goal.seconds for goal in goals), goals, message)


class _Collecting:
    """Passes everything on to another watcher, and keeps the reports."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.by_goal: dict[str, Report] = {}

    def of(self, connection: str) -> dict[str, Report]:
        """Return the reports of a connection's goals, by goal."""
        return {goal.removeprefix(f"{connection}__"): report for goal, report in self.by_goal.items()}

    def done(self, goal: str, report: Report) -> None:
        """Keep the report, and pass it on."""
        self.by_goal[goal] = report
        self._watcher.done(goal, report)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the other watcher has
        return getattr(self._watcher, name)


def _with_failures(
    reports: Mapping[str, Report], trouble: Trouble, definitions: dg.Definitions, connection: str
) -> tuple[Report, ...]:
    """Return the reports, and one of each goal or segment of which only the event log says that it failed."""
    found = dict(reports)
    for goal, (_, why) in trouble.goals.items():
        report = found.get(goal) or _empty_report(definitions, connection, goal)
        if report.state != "failed":
            found[goal] = replace(report, error=why)
    return tuple(found.values())


def _empty_report(definitions: dg.Definitions, connection: str, goal: str) -> Report:
    """Return a report of a goal that did nothing: an export's names its segment."""
    graph, key = definitions.resolve_asset_graph(), dg.AssetKey([connection, goal])
    parents = graph.get(key).parent_keys if graph.has(key) else ()
    segments = [parent.path[1] for parent in parents if parent.path[0] == SEGMENTS]
    return ExportReport(goal, segments[0]) if segments else GoalReport(goal)


def _choices(order: Order, goals: list[dg.AssetKey]) -> dict[str, object]:
    """Return the run config that says to the steps of these goals which files are meant."""
    if not order.chooses:
        return {}
    config = {"ops": {"scan_directory": {"config": order.choice}}}
    return {"__".join(key.path): config for key in goals}


def _with_files(definitions: dg.Definitions, order: Order) -> list[str]:
    """Return those goals of an order that import files."""
    keys = definitions.resolve_asset_graph().materializable_asset_keys
    goals = sorted(key.path[1] for key in keys if is_files_key(key) and key.path[0] == order.connection)
    return [goal for goal in goals if order.goal in (None, goal)]


def _exports(definitions: dg.Definitions, goal: dg.AssetKey) -> bool:
    """Return whether a goal exports: whether a step of it records a delivery."""
    node = definitions.resolve_assets_def(goal).node_def
    return any(step.name == "record_delivery" for step in getattr(node, "nodes", ()))


def _job(definitions: dg.Definitions, order: Order) -> tuple[str, list[dg.AssetKey] | None]:
    """Return the job's name and what of it to run."""
    connection, goal, goals = order.connection, order.goal, _goals(definitions)
    if connection not in goals:
        raise UnknownName(f"There is no connection {connection!r}.", needed=one_of(connection, goals))
    if goal is not None and goal not in goals[connection]:
        raise UnknownName(f"Connection {connection} has no goal {goal!r}.", needed=one_of(goal, goals[connection]))
    if goal is not None and order.exports and not _exports(definitions, dg.AssetKey([connection, goal])):
        raise UnknownName(
            f"Goal {goal!r} of {connection} imports.", needed="Needed is the name of an export goal.",
            remedy=f"`{call(f'run {connection} --goal {goal}')}` runs it.",
        )  # fmt: skip
    name = f"{connection}_sync"
    if not any(job.name == name for job in definitions.resolve_all_job_defs()):
        raise Terminal(f"Every goal of {connection} is off.", remedy="Switch one on: `enabled: true`.")
    if order.chooses:
        return name, _importing(definitions, order)
    return name, _with_its_segment(definitions, dg.AssetKey([connection, goal])) if goal else None


def _importing(definitions: dg.Definitions, order: Order) -> list[dg.AssetKey]:
    """Return the goals that an order for files is about."""
    selected = definitions.resolve_job_def(f"{order.connection}_sync").asset_layer.selected_asset_keys
    keys = [dg.AssetKey([order.connection, goal]) for goal in _with_files(definitions, order)]
    if found := [key for key in keys if order.goal or key in selected]:
        return found
    raise UnknownName(
        f"{order.goal or f'Connection {order.connection}'} imports no files.",
        needed="Files can be chosen of an import goal over SFTP only.",
        remedy="Leave out --files and --again.",
    )


def _with_its_segment(definitions: dg.Definitions, key: dg.AssetKey) -> list[dg.AssetKey]:
    """Return what to run for a goal: an export's segment is counted anew with it."""
    parents = definitions.resolve_asset_graph().get(key).parent_keys
    return [key, *(parent for parent in parents if parent.path[0] == SEGMENTS)]


def _goals(definitions: dg.Definitions) -> dict[str, list[str]]:
    """Return the goals of every connection."""
    found: dict[str, list[str]] = {}
    for key in definitions.resolve_asset_graph().materializable_asset_keys:
        connection, goal, *of_goal = key.path
        if connection != SEGMENTS and not of_goal:
            found.setdefault(connection, []).append(goal)
    return {connection: sorted(goals) for connection, goals in sorted(found.items())}


def _check_alone(instance: dg.DagsterInstance, connection: str) -> None:
    """Refuse to run beside another run of the connection."""
    running = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    runs = instance.get_runs(dg.RunsFilter(tags={"connection": connection}, statuses=running), limit=1)
    if runs:
        raise Terminal(
            f"Run {runs[0].run_id} of connection {connection} is under way.",
            needed="One run of a connection at a time is allowed.",
            remedy="Wait until it is done, or end it in the UI.",
        )
