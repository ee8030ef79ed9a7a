"""The next runs of connections, as their schedules tell them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.model.connection import Connection
from cdp_sync.model.occurrences import occurrences
from cdp_sync.model.schedule import Schedule


@dataclass(frozen=True)
class UpcomingRun:
    """A run that is to come."""

    connection: str
    at: datetime
    """When, in the schedule's time zone."""
    why: str
    """What starts it, for people."""

    def to_json(self) -> dict[str, Any]:
        """Return the run as `runs --upcoming --json` shows it."""
        run = {"connection": self.connection, "at": self.at.isoformat(), "why": self.why}
        return {**run, "at_utc": self.at.astimezone(UTC).isoformat()}


def upcoming_runs(connections: Iterable[Connection], after: datetime) -> Iterator[UpcomingRun]:
    """Yield the runs after an instant that schedules will start, in order of time; without end, if there are any."""

    def runs_of(name: str, schedule: Schedule) -> Iterator[UpcomingRun]:
        zone = ZoneInfo(schedule.time_zone)
        return (UpcomingRun(name, at.astimezone(zone), schedule.words) for at in occurrences(schedule, after))

    runs = (runs_of(each.name, each.active_schedule) for each in connections if each.active_schedule)
    return merge(*runs, key=lambda run: (run.at.timestamp(), run.connection))
