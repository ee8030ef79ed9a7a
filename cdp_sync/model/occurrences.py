"""The calendar of a schedule: at which instants it is due, whatever daylight saving does to clocks.

* `every_minutes` is an even grid in real time: no two runs are closer than declared, and none further apart.
* The other kinds go by the clock on the wall. A time that a day's clock leaves out is due once, at the first instant
  after the gap; one that it shows twice is due once, the first time; two times that fall on one instant are one.

Pure: nothing here reads the clock or knows Dagster.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import merge
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.model.connection import Connection
from cdp_sync.model.schedule import Schedule

_A_MINUTE = 60


def occurrences(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield the instants after `after` at which the schedule is due, ascending, in UTC, without end."""
    if schedule.every_minutes is not None:
        step, start = schedule.every_minutes * _A_MINUTE, grid_start(schedule.time_zone)
        passed = int((after.timestamp() - start) // step)
        return (datetime.fromtimestamp(start + number * step, UTC) for number in count(passed + 1))
    return _on_the_wall(schedule, after)


def is_due(schedule: Schedule, since: datetime, until: datetime) -> bool:
    """Return whether an occurrence falls in `(since, until]`."""
    return next(occurrences(schedule, since)) <= until


@cache
def grid_start(time_zone: str) -> int:
    """Return midnight of 1970-01-01 in a time zone, as seconds since that of UTC, to the whole minute."""
    start = int(first_instant(datetime(1970, 1, 1), ZoneInfo(time_zone)).timestamp())  # noqa: DTZ001 - a wall time
    return start - start % _A_MINUTE


def _on_the_wall(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    zone, latest = ZoneInfo(schedule.time_zone), after.astimezone(UTC)
    # An occurrence after an instant has a later wall time than any that clocks have shown by then.
    shown = latest.astimezone(zone).replace(tzinfo=None)
    days = (day for number in count() if schedule.is_on(day := shown.date() + timedelta(days=number)))
    for wall in (datetime.combine(day, at) for day in days for at in schedule.wall_times):
        instant = first_instant(wall, zone) if wall > shown else latest
        if instant > latest:
            yield instant
            latest = instant


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return, in UTC, when clocks of a zone first show a time; the end of the gap for one that they leave out."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # In a gap, fold 0 goes by the offset before it and so points after it; fold 1 points before it.
    before = range(int(wall.replace(tzinfo=zone, fold=1).timestamp()), int(instant.timestamp()) + 1)
    return datetime.fromtimestamp(
        before[bisect_left(before, offset(before[-1], zone), key=lambda t: offset(t, zone))], UTC
    )


def offset(instant: float, zone: ZoneInfo) -> timedelta:
    """Return how far the clocks of a zone are ahead of UTC at an instant, given in seconds since 1970."""
    return datetime.fromtimestamp(instant, zone).utcoffset() or timedelta(0)


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
