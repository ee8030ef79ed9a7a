"""The outcome of a run that ended, from Dagster's event log alone; the warehouse is not opened."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster import DagsterEventType as Kind

from cdp_sync.orchestration.goals.files import is_files_key
from cdp_sync.orchestration.goals.metadata import lines_in, reasons_in
from cdp_sync.orchestration.notify.mail_text import GoalOutcome, RunOutcome
from cdp_sync.orchestration.runs.run_events import CAUSES, cause_of, why_of
from cdp_sync.orchestration.runs.run_tags import reason_of

_STATES = {dg.DagsterRunStatus.SUCCESS: "success", dg.DagsterRunStatus.CANCELED: "stopped"}
_PLANNED = Kind.ASSET_MATERIALIZATION_PLANNED
_KINDS = {_PLANNED, Kind.STEP_START, Kind.STEP_FAILURE, Kind.ASSET_MATERIALIZATION, Kind.ASSET_OBSERVATION} | CAUSES


def planned_goals(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterable[dg.AssetKey]:
    """Return the assets that a run was to make: as it was asked to, or else as it planned."""
    asked = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return asked or _planned(entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=_PLANNED))


def outcome_of(
    instance: dg.DagsterInstance, record: dg.RunRecord, connections: Mapping[str, str], base_url: str
) -> RunOutcome:
    """Return the outcome of a run, given the labels of the connections that it ran, by name, and the UI's URL."""
    run = record.dagster_run
    log = instance.all_logs(run.run_id, of_type=_KINDS)
    events = [entry.get_dagster_event() for entry in log]
    of_nodes = [((event.step_key or "").partition(".")[0], event) for event in events]
    started = list(dict.fromkeys(node for node, event in of_nodes if event.event_type == Kind.STEP_START))
    failures = {node: event for node, event in reversed(of_nodes) if event.is_step_failure}  # the first of each
    made = (about for entry in log if (about := entry.asset_materialization or entry.asset_observation))
    done = {about.asset_key: about.metadata for about in made if "summary" in about.metadata}
    goals: dict[str, GoalOutcome] = {}
    for key in _planned(events):
        node = "__".join(key.path)
        # The files of a goal stand for it where the run is about those.
        is_goal = len(key.path) == 2 or (is_files_key(key) and node in started)
        if key.path[0] in connections and is_goal:
            name = "/".join(key.path[:2]) if len(connections) > 1 else key.path[1]
            goals[node] = _goal(name, failures.get(node), done.get(dg.AssetKey(key.path[:2])), begun=node in started)
    running_order = [*started, *goals]  # Dagster plans by name; a goal that did not begin comes last
    return RunOutcome(
        connections=tuple(connections.items()),
        state=_STATES.get(run.status) or ("failed" if started else "not started"),
        reason=reason_of(run),
        link=f"{base_url.rstrip('/')}/runs/{run.run_id}",
        cause="" if any(goal.state == "failed" for goal in goals.values()) else cause_of(events),
        started_at=record.start_time,
        ended_at=record.end_time,
        goals=tuple(goals[node] for node in sorted(goals, key=running_order.index)),
    )


def _planned(events: Iterable[dg.DagsterEvent]) -> list[dg.AssetKey]:
    keys = (event.asset_key for event in events if event.event_type == _PLANNED)
    return list(dict.fromkeys(key for key in keys if key))


def _goal(
    name: str, failure: dg.DagsterEvent | None, metadata: Mapping[str, Any] | None, *, begun: bool
) -> GoalOutcome:
    if failure:
        failed = failure.step_failure_data.user_failure_data
        reasons, lines = (reasons_in(failed.metadata), lines_in(failed.metadata)) if failed else ((), ())
        return GoalOutcome(name, "failed", why_of(failure, "The run's page shows it."), reasons, lines)
    if metadata:
        return GoalOutcome(name, "success", str(metadata["summary"].value), reasons_in(metadata), lines_in(metadata))
    return GoalOutcome(name, "unfinished" if begun else "not run")
