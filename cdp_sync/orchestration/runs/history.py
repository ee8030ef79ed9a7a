"""Past and present runs: what Dagster has recorded of each, and what the warehouse has recorded of its goals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.errors import UnknownName, WarehouseLocked
from cdp_sync.model import COUNTERS, EVENT_COUNTERS, EXPORT_COUNTERS, GoalState
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.run_events import Events, materializations, trouble_of, under_way
from cdp_sync.orchestration.runs.run_tags import connections_of, reason_of
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.history import changed_profiles, data_exchange, goals_of_runs

_PATIENCE = 1.0
"""Seconds to wait for a warehouse that an import writes to."""


class RunState(StrEnum):
    """The state of a past or present run, or of a goal of it."""

    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


STATES = {
    **dict.fromkeys(("QUEUED", "NOT_STARTED", "MANAGED", "STARTING"), RunState.STARTING),
    **dict.fromkeys(("STARTED", "SUSPENDED"), RunState.RUNNING),
    "SUCCESS": RunState.FINISHED,
    "FAILURE": RunState.FAILED,
    **dict.fromkeys(("CANCELING", "CANCELED"), RunState.STOPPED),
}
"""What people call Dagster's states of a run."""

_SHORTEST_ID = 8
"""Characters of a run's id that the UI shows, and that suffice to ask for it."""

_UI_JOB = "__ASSET_JOB"
"""The job of runs that were started on an asset's page; they have no tag of a connection."""


@dataclass(frozen=True)
class PastGoal:
    """What a run did for a goal."""

    goal: str
    direction: str | None
    """import or export; None where it is not known."""
    state: RunState
    message: str
    """The sentence with the counters, or what went wrong."""
    ended_at: datetime
    seconds: float | None = None
    counters: Mapping[str, int] | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    profiles: tuple[Mapping[str, Any], ...] = ()
    """The last profiles created and updated, with property, before and after; only where they were asked for."""

    @property
    def consent_skipped(self) -> int:
        """Rows or profiles that were left out for lack of consent."""
        counters = self.counters or {}
        return counters.get("rows_without_consent", 0) + counters.get("profiles_without_consent", 0)

    def to_json(self) -> dict[str, Any]:
        """Return the goal as `runs --json` shows it: the counters beside the rest."""
        shown = asdict(self)
        counters = shown.pop("counters") or {}
        return {**shown, "consent_skipped": self.consent_skipped, **counters}


@dataclass(frozen=True)
class PastRun:
    """A run of a connection: what Dagster knows of it, with its goals."""

    run_id: str
    connection: str
    state: RunState
    reason: str
    """schedule, new files, mailings due, by hand or backfill."""
    started_at: datetime | None
    ended_at: datetime | None
    phase: Mapping[str, str] | None = None
    """While it runs: the goal and the step under way."""
    message: str = ""
    """What went wrong with the run as a whole, where no goal says it."""
    goals: tuple[PastGoal, ...] = ()

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken until now."""
        if self.started_at is None:
            return None
        return round(((self.ended_at or datetime.now(UTC)) - self.started_at).total_seconds(), 1)

    def to_json(self) -> dict[str, Any]:
        """Return the run as `runs --json` shows it."""
        shown = asdict(replace(self, goals=()))
        return {**shown, "seconds": self.seconds, "goals": [goal.to_json() for goal in self.goals]}


@dataclass(frozen=True)
class History:
    """Runs, newest first, and how many profiles connections have ever exchanged."""

    runs: tuple[PastRun, ...]
    data_exchange: tuple[Mapping[str, Any], ...] = ()
    """connection, profiles_ever_imported, profiles_ever_exported."""
    notice: str = ""
    """Why the warehouse was not read, where it was not."""

    def to_json(self) -> dict[str, Any]:
        """Return the history as `runs --json` shows it."""
        runs = [run.to_json() for run in self.runs]
        return {"runs": runs, "data_exchange": list(self.data_exchange), "notice": self.notice}


Changed = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""The last profiles of a goal's run, by run id and goal."""


def past_runs(
    warehouse: Warehouse, connection: str | None, limit: int, *, run_id: str | None = None, profiles: bool = False
) -> History:
    """Return the latest runs, newest first.

    Dagster is asked once for the runs and once for what they materialized, the warehouse once for its rows. The log of
    a single run is read only while it is under way, or where it failed or was stopped.

    Args:
        warehouse: Waited for a second at most; a locked one is left out, and `notice` says so.
        connection: One connection's runs; all where there is none.
        limit: How many.
        run_id: This run only: its id, or at least the first eight characters of it.
        profiles: Whether to return the last profiles that each goal created and updated, with values.

    Raises:
        UnknownName: There is no run of that id, or several begin with it, or it is another connection's.
    """
    with open_instance() as instance:
        records = _latest(instance, connection, limit) if run_id is None else [_record(instance, connection, run_id)]
        runs = [
            PastRun(
                run_id=record.dagster_run.run_id,
                connection=connections_of(record.dagster_run)[0],
                state=STATES[record.dagster_run.status.value],
                reason=reason_of(record.dagster_run),
                started_at=datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None,
                ended_at=datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
            )
            for record in records
        ]
        run_ids = [run.run_id for run in runs]
        rows: Mapping[str, Sequence[Mapping[str, Any]]] = {}
        changed: Changed = {}
        exchange: tuple[Mapping[str, Any], ...] = ()
        notice = ""
        try:
            with replace(warehouse, lock_timeout=_PATIENCE).open("read") as session:
                changed = changed_profiles(session, run_ids) if profiles else {}
                exchange = tuple(data_exchange(session, connection))
                rows = goals_of_runs(session, run_ids)
        except WarehouseLocked as locked:
            notice = f"{locked.found} What it has noted of these runs is not shown."
        began = [run.started_at for run in runs if run.started_at]
        events = materializations(instance, min(began), connection, run_id) if began else {}
        of_goals = {run.run_id: [_from_row(row, run, changed) for row in rows.get(run.run_id, ())] for run in runs}
        found = tuple(_with_goals(instance, run, of_goals[run.run_id], events) for run in runs)
    return History(found, exchange, notice)


def _latest(instance: dg.DagsterInstance, connection: str | None, limit: int) -> list[dg.RunRecord]:
    if connection is None:
        records = list(instance.get_run_records(limit=limit * 2))
    else:
        tagged = instance.get_run_records(dg.RunsFilter(tags={"connection": connection}), limit=limit)
        by_asset = instance.get_run_records(dg.RunsFilter(job_name=_UI_JOB), limit=limit * 5)
        records = list({record.dagster_run.run_id: record for record in (*tagged, *by_asset)}.values())
        records.sort(key=lambda record: record.create_timestamp, reverse=True)
    return [each for each in records if _is_of(each.dagster_run, connection)][:limit]


def _record(instance: dg.DagsterInstance, connection: str | None, wanted: str) -> dg.RunRecord:
    """Return the run of an id, or of the beginning of one that no other run has."""
    ids = [wanted]
    if _SHORTEST_ID <= len(wanted) < len(str(UUID(int=0))):
        ids = [each for each in instance.get_run_ids() if each.startswith(wanted.lower())]
    if len(ids) > 1:
        raise UnknownName(f"The ids of {len(ids):,} runs begin with {wanted!r}.", needed="More of the id is needed.")
    found = instance.get_run_records(dg.RunsFilter(run_ids=ids)) if ids else []
    if not found or not _is_of(found[0].dagster_run, connection):
        of = f" of connection {connection}" if connection else ""
        raise UnknownName(
            f"There is no run {wanted!r}{of}.",
            needed=f"Needed is the id of one that `{call('runs')}` lists, or its first {_SHORTEST_ID} characters.",
        )
    return found[0]


def _is_of(run: dg.DagsterRun, connection: str | None) -> bool:
    """Return whether a run is of a connection, or of any; one that was started on asset pages is of its first."""
    return any(connection in (None, found) for found in connections_of(run)[:1])


def _with_goals(instance: dg.DagsterInstance, run: PastRun, recorded: list[PastGoal], events: Events) -> PastRun:
    goals = {goal.goal: goal for goal in (*_from_events(run, events), *recorded)}
    if run.state is RunState.RUNNING:
        run = replace(run, phase=under_way(instance, run.run_id, run.connection))
    elif run.state in (RunState.FAILED, RunState.STOPPED):
        trouble = trouble_of(instance, run.run_id, run.connection)
        for name, (at, message) in trouble.goals.items():  # of some only the event log says that they failed
            failed = PastGoal(name, None, RunState.FAILED, message, at, errors=(message,))
            goal = goals.get(name, failed)
            if goal is failed or goal.state is not RunState.FAILED:
                goals[name] = replace(goal, state=failed.state, message=message, ended_at=at, errors=failed.errors)
        is_said = any(goal.state is RunState.FAILED for goal in goals.values())
        run = replace(run, message="" if is_said else trouble.message)
    return replace(run, goals=tuple(sorted(goals.values(), key=lambda goal: goal.ended_at)))


def _from_row(row: Mapping[str, Any], run: PastRun, changed: Changed) -> PastGoal:
    seconds = row["seconds"] or (row["ended_at"] - row["started_at"]).total_seconds()
    names = COUNTERS
    if row["direction"] == "export":
        names = EXPORT_COUNTERS if row["events_in_window"] is None else EVENT_COUNTERS
    return PastGoal(
        goal=row["goal"],
        direction=row["direction"],
        state=RunState.FINISHED if row["state"] == GoalState.SUCCESS else RunState.FAILED,
        message=row["message"],
        ended_at=row["ended_at"],
        seconds=round(seconds, 1),
        counters={name: row[name] or 0 for name in names},
        warnings=tuple(row["warnings"] or ()),
        errors=tuple(row["errors"] or ()),
        profiles=tuple(changed.get((run.run_id, row["goal"]), ())),
    )


def _from_events(run: PastRun, events: Events) -> Iterator[PastGoal]:
    """Yield the goals by what they materialized or observed: the warehouse has no row of those with nothing to do."""
    for goal, (ended_at, metadata) in events.get(run.run_id, {}).items():
        every = (COUNTERS, EVENT_COUNTERS, EXPORT_COUNTERS)
        names = next((names for names in every if names[0] in metadata), EXPORT_COUNTERS)
        yield PastGoal(
            goal=goal,
            direction="import" if names == COUNTERS else "export",
            state=RunState.FINISHED,
            message=metadata.get("summary", ""),
            ended_at=ended_at,
            seconds=round(metadata.get("seconds", 0.0), 1),
            counters={name: metadata.get(name, 0) for name in names},
        )
