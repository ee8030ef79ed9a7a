"""A schedule as cron strings: a grid of ticks on which every instant that it is due lies, and few others.

Where cron tells the truth, the grid is exactly the schedule, in its own time zone. It does not tell it about

* intervals that do not divide a day: the grid has the interval's largest divisor that does;
* times that daylight saving leaves out or repeats: Dagster runs the second of two equal times, sorts ticks by the wall
  clock, and moves gaps at midnight elsewhere. The grid then is in UTC, where the wall shows every time once: it has the
  time as each offset of the zone puts it, in the months in which that offset occurs, and the ends of the gaps.

What on the grid is not due, the calendar in `cdp_sync.model.occurrences` sorts out when it ticks.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from math import gcd
from zoneinfo import ZoneInfo

from cdp_sync.model import Schedule
from cdp_sync.model.occurrences import grid_start, offset
from cdp_sync.model.schedule import MINUTES_A_DAY, ORDINALS, WEEKDAYS

_FIRST_YEAR, _LAST_YEAR = 2025, 2060
"""The years whose clock changes count; later ones follow the same rules."""

_A_MINUTE, _A_DAY = 60, 86_400


@dataclass(frozen=True)
class CronGrid:
    """Cron strings, and the time zone they are read in."""

    crons: tuple[str, ...]
    time_zone: str


@dataclass(frozen=True)
class _ClockChange:
    """An instant at which the clocks of a zone are put forward or back, in seconds since 1970; offsets in minutes."""

    instant: int
    before: int
    after: int

    def puts_in_doubt(self, minute: int) -> bool:
        """Tell whether it leaves out or repeats a time of the day."""
        return (minute - self._minute - min(self.before, self.after)) % MINUTES_A_DAY < abs(self.after - self.before)

    @property
    def _minute(self) -> int:
        return self.instant // _A_MINUTE

    @property
    def in_utc(self) -> tuple[int, int, int]:
        """The minute of the day, the day and the month, in UTC."""
        at = datetime.fromtimestamp(self.instant, UTC)
        return at.hour * 60 + at.minute, at.day, at.month


def cron_grid(schedule: Schedule) -> CronGrid:
    """Return the grid of a schedule."""
    if schedule.every_minutes is not None:
        step = gcd(schedule.every_minutes, MINUTES_A_DAY)
        start = grid_start(schedule.time_zone) // _A_MINUTE
        return CronGrid(tuple(_crons((start + at) % MINUTES_A_DAY for at in range(0, MINUTES_A_DAY, step))), "UTC")
    minutes = {at.hour * 60 + at.minute for at in schedule.wall_times}
    changes = _clock_changes(schedule.time_zone)
    in_doubt = [change for change in changes if any(map(change.puts_in_doubt, minutes))]
    if not in_doubt:
        return CronGrid(tuple(_crons(minutes, days=_days(schedule))), schedule.time_zone)
    ordinary = _in_utc(schedule, minutes)
    gaps = _at_gaps(change for change in in_doubt if change.after > change.before)
    return CronGrid(tuple(dict.fromkeys((*ordinary, *gaps))), "UTC")


def _crons(times: Iterable[int], *, months: str = "*", days: tuple[str, str] = ("*", "*")) -> Iterator[str]:
    """Yield as few cron strings as have these minutes of the day."""
    hours_of = defaultdict(list)
    for hour, minute in (divmod(minute, 60) for minute in sorted(times)):
        hours_of[minute].append(hour)
    minutes_of = defaultdict(list)
    for minute, hours in sorted(hours_of.items()):
        minutes_of[tuple(hours)].append(minute)
    of_month, of_week = days
    for same_hours, each in minutes_of.items():
        yield f"{_among(each, 60)} {_among(same_hours, 24)} {of_month} {months} {of_week}"


def _among(numbers: Iterable[int], every: int, first: int = 0) -> str:
    numbers = sorted(set(numbers))
    return "*" if numbers == list(range(first, first + every)) else ",".join(map(str, numbers))


def _days(schedule: Schedule) -> tuple[str, str]:
    """Return the days of the month and of the week, as cron writes them."""
    if schedule.days_of_month is not None:
        return ",".join("L" if day == "last" else str(day) for day in sorted(set(schedule.days_of_month), key=str)), "*"
    if schedule.weekday_of_month is not None:
        ordinal, day = schedule.weekday_of_month.ordinal, _of_week(schedule.weekday_of_month.weekday)
        return "*", f"L{day}" if ordinal == "last" else f"{day}#{ORDINALS.index(ordinal) + 1}"
    return "*", _weekdays(schedule)


def _weekdays(schedule: Schedule, shift: int = 0) -> str:
    """Return the days of the week, so many days later, on which it may run."""
    names = [schedule.weekday_of_month.weekday] if schedule.weekday_of_month else schedule.days_of_week or WEEKDAYS
    return _among(((_of_week(name) + shift) % 7 for name in names), 7)


def _of_week(name: str) -> int:
    """Return a weekday's number in cron, where Sunday is 0."""
    return (WEEKDAYS.index(name) + 1) % 7


def _in_utc(schedule: Schedule, minutes: Iterable[int]) -> Iterator[str]:
    """Yield the times as each offset of the zone puts them, in the months in which it occurs."""
    for ahead, months in _months_of_offsets(schedule.time_zone).items():
        times_on = defaultdict(set)
        for minute in minutes:
            shift, at = divmod(minute - ahead, MINUTES_A_DAY)
            times_on[_days_of_month(schedule, shift), _weekdays(schedule, shift)].add(at)
        for days, times in times_on.items():
            yield from _crons(times, months=_among(months, 12, first=1), days=days)


def _days_of_month(schedule: Schedule, shift: int) -> str:
    """Return the days of the month, so many days later, on which it may run, in months of any length."""
    if schedule.days_of_month is None:
        return "*"
    days = {each for day in schedule.days_of_month for each in ((28, 29, 30, 31) if day == "last" else (day,))}
    return _among({later for day in days for later in _later(day, shift)}, 31, first=1)


def _later(day: int, shift: int) -> set[int]:
    """Return the days of the month that a day's neighbour may be, in months of any length."""
    later = {day + shift}
    if shift < 0 and day == 1:
        later = {28, 29, 30, 31}
    elif shift > 0 and day >= 28:
        later |= {1}
    return later - {32}


def _at_gaps(gaps: Iterable[_ClockChange]) -> Iterator[str]:
    """Yield the ends of gaps, on the days on which they may be."""
    days_of = defaultdict(set)
    for minute, day, month in (gap.in_utc for gap in gaps):
        days_of[minute, month].add(day)
    for (minute, month), days in days_of.items():
        yield from _crons([minute], months=str(month), days=(_among(days, 31, first=1), "*"))


@lru_cache(maxsize=64)
def _clock_changes(time_zone: str) -> tuple[_ClockChange, ...]:
    """Return when the clocks of a zone are changed, in the years that count."""
    zone = ZoneInfo(time_zone)
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (_FIRST_YEAR, _LAST_YEAR + 1))
    midnights = [(instant, offset(instant, zone)) for instant in range(first, last, _A_DAY)]
    return tuple(
        _change(range(earlier, later + 1), zone)
        for (earlier, before), (later, after) in pairwise(midnights)
        if before != after
    )


def _change(day: range, zone: ZoneInfo) -> _ClockChange:
    """Find the clock change of a day."""
    before, after = (offset(instant, zone) for instant in (day[0], day[-1]))
    instant = day[bisect_left(day, 1, key=lambda at: offset(at, zone) != before)]
    return _ClockChange(instant, _minutes(before), _minutes(after))


@lru_cache(maxsize=64)
def _months_of_offsets(time_zone: str) -> Mapping[int, frozenset[int]]:
    """Return the offsets of a zone, in minutes, each with the months, in UTC, in which it occurs."""
    zone, found = ZoneInfo(time_zone), defaultdict(set)
    for change in _clock_changes(time_zone):
        month = change.in_utc[2]
        found[change.before].add(month)
        found[change.after].add(month)
    for year in range(_FIRST_YEAR, _LAST_YEAR + 1):
        for month in range(1, 13):
            found[_minutes(offset(datetime(year, month, 1, tzinfo=UTC).timestamp(), zone))].add(month)
    return {ahead: frozenset(months) for ahead, months in found.items()}


def _minutes(ahead: timedelta) -> int:
    return int(ahead.total_seconds()) // _A_MINUTE
