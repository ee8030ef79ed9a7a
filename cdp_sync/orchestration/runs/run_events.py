"""Dagster's event log of runs: what goals materialized, the step under way, and what went wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from cdp_sync.model.connection import RESERVED
from cdp_sync.orchestration.goals.metadata import values_in

CAUSES = {DagsterEventType.RUN_FAILURE, DagsterEventType.ENGINE_EVENT}
"""Events about a run as a whole that may say why it failed."""
_NO_CAUSE = "This run has been marked as failed from outside the execution context."
_DONE = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION}
"""What a goal ends with."""

Events = Mapping[str, Mapping[str, tuple[datetime, dict[str, Any]]]]
"""By run id and goal: when the goal was done, and its metadata."""


@dataclass(frozen=True)
class Trouble:
    """What went wrong in a run."""

    message: str = ""
    """Of the run as a whole."""
    goals: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    """By goal or segment: when the first of its steps failed, and why."""


def materializations(
    instance: dg.DagsterInstance, since: datetime, connection: str | None, run_id: str | None
) -> Events:
    """Return what goals materialized, or observed where there was nothing to do, since a time.

    Of all runs, those of one connection, or one run.
    """
    records: Iterable[dg.EventLogRecord]
    if run_id:
        records = instance.get_records_for_run(run_id, of_type=_DONE).records
    else:  # oldest first of each kind: for one connection with queries for each of its goals
        keys = instance.get_asset_keys([connection]) if connection else [None]
        after = since.timestamp()
        queries = (dg.EventRecordsFilter(kind, key, after_timestamp=after) for key in keys for kind in _DONE)
        events = instance.event_log_storage
        records = chain.from_iterable(events.get_event_records(query, ascending=True) for query in queries)
    found: dict[str, dict[str, tuple[datetime, dict[str, Any]]]] = {}
    for record in records:
        entry = record.event_log_entry
        event = entry.asset_materialization or entry.asset_observation
        if event and len(event.asset_key.path) == 2 and event.asset_key.path[0] not in RESERVED:
            found.setdefault(entry.run_id, {})[event.asset_key.path[1]] = (_time(entry), values_in(event.metadata))
    return found


def under_way(instance: dg.DagsterInstance, run_id: str, connection: str) -> dict[str, str] | None:
    """Return the goal and the step that a run began last."""
    begun = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_START, limit=1, ascending=False).records
    if not begun:
        return None
    key = begun[0].event_log_entry.step_key or ""
    return {"goal": goal_of(key, connection), "step": key.rpartition(".")[2]}


def trouble_of(instance: dg.DagsterInstance, run_id: str, connection: str) -> Trouble:
    """Return what went wrong in a run of a connection."""
    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}
    message = ""
    goals: dict[str, tuple[datetime, str]] = {}
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        entry = record.event_log_entry
        event = entry.get_dagster_event()
        if event.is_step_failure:
            why = why_of(event, "The run's log in the UI has its message and trace.")
            goals.setdefault(goal_of(entry.step_key or "", connection), (_time(entry), why))
        else:
            message = event.message or ""
    if message == _NO_CAUSE:
        about = instance.get_records_for_run(run_id, of_type=CAUSES | {DagsterEventType.STEP_START}).records
        message = cause_of(record.event_log_entry.get_dagster_event() for record in about).strip()
    return Trouble(message, goals)


def goal_of(step: str, connection: str) -> str:
    """Return the goal, or the segment, that a step is part of.

    >>> goal_of("shop__customers.parse_files", "shop")
    'customers'
    """
    return step.partition(".")[0].removeprefix(f"{connection}__").removesuffix("__checks").removesuffix("__files")


def why_of(event: dg.DagsterEvent, where: str) -> str:
    """Return what a failed step said; of an unexpected error its kind, and where to look: its text may quote data."""
    failed = event.step_failure_data
    if failed.user_failure_data and failed.user_failure_data.description:
        return str(failed.user_failure_data.description)
    step = (event.step_key or "").rpartition(".")[2]
    error = failed.error and (failed.error.cause or failed.error)  # Dagster's own error wraps that of the step
    kind = error.cls_name if error else "unknown"
    return f"An unexpected error in {step} ({kind}). {where}"


def cause_of(events: Iterable[dg.DagsterEvent]) -> str:
    """Return why a run failed, in Dagster's words: the last event about the run that names a cause."""
    cause, begun = "", False
    for event in events:
        begun = begun or event.event_type == DagsterEventType.STEP_START
        if event.event_type in CAUSES:
            error = getattr(event.event_specific_data, "error", None)
            without_cause = event.event_type == DagsterEventType.ENGINE_EVENT or (event.message == _NO_CAUSE and cause)
            if error or not without_cause:
                quoted = error.message if error and not begun else ""  # later it may quote what a step read
                cause = f"{event.message} {quoted}"
    return cause


def _time(entry: dg.EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)
