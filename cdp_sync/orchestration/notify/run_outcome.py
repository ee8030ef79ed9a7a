"""The outcome of a run that ended, from Dagster's event log alone; the warehouse is not opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster import DagsterEventType as Kind

from cdp_sync.orchestration.goals.files import is_files_key
from cdp_sync.orchestration.notify.mail_text import GoalOutcome, RunOutcome
from cdp_sync.orchestration.runs.run_events import why_of
from cdp_sync.orchestration.runs.run_tags import reason_of

_STATES = {dg.DagsterRunStatus.SUCCESS: "success", dg.DagsterRunStatus.CANCELED: "stopped"}
_NO_CAUSE = "This run has been marked as failed from outside the execution context."
_KINDS = {
    Kind.ASSET_MATERIALIZATION_PLANNED,
    Kind.ASSET_MATERIALIZATION,
    Kind.ASSET_OBSERVATION,
    Kind.STEP_START,
    Kind.STEP_FAILURE,
    Kind.RUN_FAILURE,
    Kind.ENGINE_EVENT,
}


def planned_goals(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.AssetKey]:
    """Return the assets that a run was to make: as it was asked to, or else as it planned."""
    asked = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return asked or _Log.read(instance, run, {Kind.ASSET_MATERIALIZATION_PLANNED}).planned


def outcome_of(
    instance: dg.DagsterInstance, record: dg.RunRecord, connections: Mapping[str, str], base_url: str
) -> RunOutcome:
    """Return the outcome of a run, given the labels of the connections that it ran, by name, and the UI's URL."""
    run = record.dagster_run
    log = _Log.read(instance, run, _KINDS)
    levels = slice(0, 2) if len(connections) > 1 else slice(1, 2)
    # Dagster plans by name; a goal that did not begin comes last.
    running_order = sorted(log.planned, key=lambda key: log.started.get("__".join(key.path), len(log.started)))
    goals = tuple(
        log.goal(key, "/".join(key.path[levels]))
        for key in running_order
        if key.path[0] in connections and log.is_goal(key)
    )
    return RunOutcome(
        run_id=run.run_id,
        connections=tuple(connections.items()),
        state=_STATES.get(run.status) or ("failed" if log.started else "not started"),
        reason=reason_of(run),
        link=f"{base_url.rstrip('/')}/runs/{run.run_id}",
        cause="" if any(goal.state == "failed" for goal in goals) else log.cause,
        started_at=record.start_time,
        ended_at=record.end_time,
        goals=goals,
    )


@dataclass
class _Log:
    """A run's events, sorted by what they are about."""

    planned: list[dg.AssetKey] = field(default_factory=list)
    started: dict[str, int] = field(default_factory=dict)
    """Nodes of which a step began, each with its place in the order of their first steps."""
    failed: dict[str, dg.DagsterEvent] = field(default_factory=dict)
    """The first failed step of each node."""
    done: dict[dg.AssetKey, Mapping[str, Any]] = field(default_factory=dict)
    """Metadata of what was made; of several the last that has a summary."""
    cause: str = ""
    """Why the run failed, in Dagster's words."""

    @classmethod
    def read(cls, instance: dg.DagsterInstance, run: dg.DagsterRun, kinds: set[Kind]) -> "_Log":
        log = cls()
        for entry in instance.all_logs(run.run_id, of_type=kinds):
            log.note(entry, entry.get_dagster_event())
        return log

    def note(self, entry: dg.EventLogEntry, event: dg.DagsterEvent) -> None:
        node = (event.step_key or "").partition(".")[0]
        match event.event_type:
            case Kind.ASSET_MATERIALIZATION_PLANNED if event.asset_key and event.asset_key not in self.planned:
                self.planned.append(event.asset_key)
            case Kind.ASSET_MATERIALIZATION | Kind.ASSET_OBSERVATION if event.asset_key:
                about = entry.asset_materialization or entry.asset_observation
                if about and "summary" in about.metadata:
                    self.done[event.asset_key] = about.metadata
            case Kind.STEP_START:
                self.started.setdefault(node, len(self.started))
            case Kind.STEP_FAILURE:
                self.failed.setdefault(node, event)
            case Kind.RUN_FAILURE | Kind.ENGINE_EVENT:
                # The last event about the run that names a cause explains it.
                error = getattr(event.event_specific_data, "error", None)
                without_cause = event.event_type == Kind.ENGINE_EVENT or (event.message == _NO_CAUSE and self.cause)
                if error or not without_cause:
                    # An error after the first step may quote what the step read.
                    quoted = error.message if error and not self.started else ""
                    self.cause = f"{event.message} {quoted}"

    def is_goal(self, key: dg.AssetKey) -> bool:
        """Return whether an asset stands for a goal; the files of one do where the run is about those."""
        return len(key.path) == 2 or (is_files_key(key) and "__".join(key.path) in self.started)

    def goal(self, key: dg.AssetKey, name: str) -> GoalOutcome:
        """Return the outcome of a goal, under this name."""
        node, metadata = "__".join(key.path), self.done.get(dg.AssetKey(key.path[:2]))
        if node in self.failed:
            failed = self.failed[node].step_failure_data.user_failure_data
            message = why_of(self.failed[node], "The run's page shows it.")
            return GoalOutcome(name, "failed", message, _reasons(failed.metadata) if failed else ())
        if metadata is not None:
            return GoalOutcome(name, "success", str(metadata["summary"].value), _reasons(metadata))
        return GoalOutcome(name, "unfinished" if node in self.started else "not run")


def _reasons(metadata: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    tables = (metadata.get(name) for name in ("quarantine", "not deliverable"))
    rows = (record.data for table in tables if isinstance(table, dg.TableMetadataValue) for record in table.records)
    return tuple((str(row["reason"]), int(str(row["times"]))) for row in rows)
