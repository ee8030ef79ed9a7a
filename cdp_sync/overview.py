"""What `list` shows: connections and their goals, whether they are on, their last run, the next run.

Read from the declarations and from the warehouse, without Dagster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cdp_sync.errors import UnknownName, WarehouseLocked
from cdp_sync.model import Connection
from cdp_sync.model.suggestion import one_of
from cdp_sync.model.upcoming import UpcomingRun, upcoming_runs
from cdp_sync.orchestration.data_folder import data_folder, project_warehouse
from cdp_sync.orchestration.declaration_files import declared_names
from cdp_sync.orchestration.declarations import read_project

_PATIENCE = 1.0
"""Seconds to wait for a warehouse that an import writes to."""

_LAST_RUNS = """
select connection, goal, run_id, state, started_at, ended_at, message
from warehouse.run
qualify row_number() over (partition by connection, goal order by started_at desc) = 1"""

LastRuns = Mapping[tuple[str, str], Mapping[str, Any]]
"""The latest run that found work, by connection and goal."""


@dataclass(frozen=True)
class Line:
    """A goal in the table for people."""

    connection: str
    """Empty but for the first goal of a connection."""
    goal: str
    direction: str
    switch: str
    """yes, or what is off."""
    last: Mapping[str, Any] | None
    next_run: str
    """When and why; empty but for the first goal."""


@dataclass(frozen=True)
class Overview:
    """Connections with their last and next runs."""

    connections: tuple[Connection, ...]
    last: LastRuns
    upcoming: Mapping[str, UpcomingRun]
    """The next run that a schedule starts, by connection."""
    problems: tuple[str, ...] = ()
    """What is wrong with declarations; connections that are not in order are left out."""
    notice: str = ""
    """Why the last runs are not known, where they are not."""

    @property
    def lines(self) -> Iterator[Line]:
        """A line for each goal, those of a connection in running order."""
        for connection in self.connections:
            first = [connection.name, self._next(connection)]
            for goal, direction in _goals(connection):
                switch = "connection is off" if not connection.enabled else "yes" if goal.enabled else "no"
                name, coming = first or ("", "")
                yield Line(name, goal.name, direction, switch, self.last.get((connection.name, goal.name)), coming)
                first = []
            if first:
                yield Line(connection.name, "", "", "has no goal", None, "")

    def _next(self, connection: Connection) -> str:
        run = self.upcoming.get(connection.name)
        parts = [f"{run.at:%a %Y-%m-%d %H:%M %Z}" if run else "", "new files" if _looks_for_files(connection) else ""]
        return ", or ".join(filter(None, parts)) or "by hand"

    def to_json(self) -> dict[str, Any]:
        """Return the overview as `list --json` shows it."""
        connections = [self._json_of(each) for each in self.connections]
        return {"connections": connections, "problems": list(self.problems), "notice": self.notice}

    def _json_of(self, connection: Connection) -> dict[str, Any]:
        run = self.upcoming.get(connection.name)
        goals = [
            {"goal": goal.name, "title": goal.title, "direction": direction, "enabled": goal.enabled}
            | {"last_run": self._last_of(connection.name, goal.name)}
            for goal, direction in _goals(connection)
        ]
        return {
            "connection": connection.name,
            "title": connection.title,
            "enabled": connection.enabled,
            "next_run": run.to_json() if run else None,
            "looks_for_new_files": _looks_for_files(connection),
            "goals": goals,
        }

    def _last_of(self, connection: str, goal: str) -> dict[str, Any] | None:
        run = self.last.get((connection, goal))
        return {name: run[name] for name in ("run_id", "state", "started_at", "ended_at", "message")} if run else None


def overview(name: str | None = None, now: datetime | None = None) -> Overview:
    """Read the declarations and the last runs.

    Args:
        name: One connection only.
        now: The instant after which runs are upcoming.

    Raises:
        UnknownName: No connection of that name is declared.
    """
    reading = read_project()
    found = tuple(each for each in reading.connections if name in (None, each.name))
    if name and not found and name not in (names := declared_names()):
        raise UnknownName(f"There is no connection {name!r}.", needed=one_of(name, names))
    last, notice = _last_runs()
    now = now or datetime.now(UTC)
    coming = {each.name: run for each in found if (run := next(upcoming_runs([each], now), None))}
    return Overview(found, last, coming, reading.problems, notice)


def _last_runs() -> tuple[LastRuns, str]:
    path = data_folder().warehouse
    if not path.exists():
        return {}, ""
    try:
        with project_warehouse(_PATIENCE).open("read") as session:
            return {(row["connection"], row["goal"]): row for row in session.records(_LAST_RUNS)}, ""
    except WarehouseLocked as locked:
        return {}, f"{locked.found} The last runs are not shown."


def _goals(connection: Connection) -> Iterator[tuple[Any, str]]:
    yield from ((goal, "import") for goal in connection.import_profiles)
    yield from ((goal, "export") for goal in connection.export_profiles)


def _looks_for_files(connection: Connection) -> bool:
    return connection.enabled and getattr(connection, "watch", None) is not None
