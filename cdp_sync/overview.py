"""What `list` shows: connections and their goals, whether they are on, their last run, the next run.

Read from the declarations and from the warehouse, without Dagster.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cdp_sync.errors import WarehouseLocked
from cdp_sync.model import Connection
from cdp_sync.model.occurrences import upcoming_runs
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declaration_files import refuse_unknown
from cdp_sync.orchestration.declarations import read_project

_PATIENCE = 1.0
"""Seconds to wait for a warehouse that an import writes to."""

_LAST_RUNS = """
select connection, goal, run_id, state, started_at, ended_at, message
from warehouse.run
qualify row_number() over (partition by connection, goal order by started_at desc) = 1"""

LastRuns = Mapping[tuple[str, str], Mapping[str, Any]]
"""The latest run that found work, by connection and goal."""


def overview(name: str | None = None, now: datetime | None = None) -> dict[str, Any]:
    """Read the declarations and the last runs, of one connection or of all; runs after `now` are upcoming.

    Returns:
        `connections`, each with its `goals`; the `problems` of declarations, whose connections are left out; a `notice`
        where the last runs could not be read.

    Raises:
        UnknownName: No connection of that name is declared.
    """
    reading = read_project()
    found = [each for each in reading.connections if name in (None, each.name)]
    if not found:
        refuse_unknown(name)
    last, notice = _last_runs()
    connections = [_described(each, last, now or datetime.now(UTC)) for each in found]
    return {"connections": connections, "problems": list(reading.problems), "notice": notice}


def _last_runs() -> tuple[LastRuns, str]:
    warehouse = project_warehouse(_PATIENCE)
    try:
        if not warehouse.exists():
            return {}, ""
        with warehouse.open("read") as session:
            return {(row.pop("connection"), row.pop("goal")): row for row in session.records(_LAST_RUNS)}, ""
    except WarehouseLocked as locked:
        return {}, f"{locked.found} The last runs are not shown."


def _described(connection: Connection, last: LastRuns, now: datetime) -> dict[str, Any]:
    upcoming = next(upcoming_runs([connection], now), None)
    directions = {"import": connection.imports, "export": connection.exports}
    return {
        "connection": connection.name,
        "title": connection.title,
        "enabled": connection.enabled,
        "next_run": upcoming.to_json() if upcoming else None,
        "looks_for_new_files": connection.enabled and getattr(connection, "watch", None) is not None,
        "goals": [
            {"goal": goal.name, "title": goal.title, "direction": direction, "enabled": goal.enabled}
            | {"last_run": last.get((connection.name, goal.name))}
            for direction, goals in directions.items()
            for goal in goals
        ],
    }
