"""The sensor that exports responses when mailings are due: after their hours have passed, and again when they grew.

It reads the warehouse, and only when that has changed or the next mailing is due. Nothing waits for it: where another
process holds the warehouse, the next tick looks again.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from cdp_sync.errors import WarehouseLocked
from cdp_sync.exporting import ResponseRun, look_at_mailings
from cdp_sync.model import Connection, Profiles, ResponseExportGoal
from cdp_sync.orchestration.dagster_internals import AssetJob
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.runs.run_tags import UNFINISHED, runs_in
from cdp_sync.warehouse import Warehouse

_EVERY = 60
"""Seconds between two ticks."""
_PATIENCE = 1.0
"""Seconds to wait for a warehouse that another process holds."""

Due = dict[str, tuple[tuple[str, datetime], ...]]
"""The mailings that are due, by goal."""


@dataclass(frozen=True)
class _Memory:
    """What the last look found."""

    warehouse: str = ""
    """The state of the file."""
    next_due: float = 0.0
    """When the next mailing is due; 0: something was due then."""

    @classmethod
    def read(cls, cursor: str | None) -> "_Memory":
        return cls(**json.loads(cursor)) if cursor else cls()

    def write(self) -> str:
        return json.dumps(asdict(self))


def build_mailing_sensors(
    connection: Connection, profiles: Profiles, jobs: Iterable[AssetJob]
) -> list[dg.SensorDefinition]:
    """Return the sensor of a connection that exports responses; none where it or those goals are off."""
    goals = [goal for goal in connection.response_exports if goal.enabled]
    return [_sensor(connection, goals, profiles, job) for job in jobs] if connection.enabled and goals else []


def _sensor(
    connection: Connection, goals: Sequence[ResponseExportGoal], profiles: Profiles, job: AssetJob
) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{connection.name}_mailings",
        job=job,
        minimum_interval_seconds=_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Exports the responses to mailings to {connection.label} when they are due, or have grown.",
        tags={"connection": connection.name},
    )
    def mailings(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory, now = _Memory.read(context.cursor), datetime.now(UTC)
        state = project_warehouse(_PATIENCE).state()
        if state == memory.warehouse and now.timestamp() < memory.next_due:
            return dg.SensorResult(skip_reason="No event has come, and no mailing is due yet.")
        if any(runs_in(context.instance, connection.name, UNFINISHED)):
            return dg.SensorResult(
                skip_reason="A run of this connection has not ended; mailings are looked at after it."
            )
        try:
            due, next_due = _look(connection, goals, profiles, now)
        except WarehouseLocked as locked:
            return dg.SensorResult(skip_reason=f"{locked.found} The next tick looks again.")
        noted = _Memory(state, 0.0 if due else next_due)
        if not due:
            return dg.SensorResult(skip_reason="No mailing is due.", cursor=noted.write())
        return dg.SensorResult(run_requests=[_request(connection, due, now)], cursor=noted.write())

    return mailings


def _look(
    connection: Connection, goals: Sequence[ResponseExportGoal], profiles: Profiles, now: datetime
) -> tuple[Due, float]:
    """Return the mailings that are due, and when the next one is: in seconds, or never.

    Raises:
        WarehouseLocked: Another process holds the warehouse.
    """
    warehouse = project_warehouse(_PATIENCE)
    due: Due = {}
    coming: list[float] = []
    with warehouse.open("read") as session:
        for goal in goals:
            found = look_at_mailings(session, _run(connection, goal, profiles, warehouse, now))
            due |= {goal.name: found.due} if found.due else {}
            coming += [found.next_due.timestamp()] if found.next_due else []
    return due, min(coming, default=float("inf"))


def _run(
    connection: Connection, goal: ResponseExportGoal, profiles: Profiles, warehouse: Warehouse, now: datetime
) -> ResponseRun:
    """Return a run that only looks: it stages nothing."""
    return ResponseRun(
        run_id="look",
        connection=connection.name,
        goal=goal,
        profiles=profiles,
        objectives=connection.objectives,
        warehouse=warehouse,
        staging=Path(),
        folder=Path(),
        now=now,
    )


def _request(connection: Connection, due: Due, now: datetime) -> dg.RunRequest:
    """Return the request to run the goals with mailings that are due; one that fails is tried again after an hour."""
    text = json.dumps([due, f"{now:%Y%m%d%H}"], default=str, sort_keys=True)
    return dg.RunRequest(
        run_key=f"{connection.name}:mailings:{hashlib.sha256(text.encode()).hexdigest()[:16]}",
        asset_selection=[dg.AssetKey([connection.name, goal]) for goal in due],
        tags={"reason": "mailings due"},
    )
