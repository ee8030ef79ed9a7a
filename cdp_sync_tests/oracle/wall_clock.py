"""Schedules as somebody would keep them who sits in front of a clock all year, and writes down what it shows.

Every minute it shows one time. What it shows for the first time is noted with the minute; when it is put forward, the
times that it leaves out are noted as well. Nothing here computes a date of a schedule or knows how `cdp_sync` does.
"""

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

YEAR = 2026
_MINUTE = timedelta(minutes=1)

Shown = tuple[datetime, datetime]
"""A minute, in UTC, and a time that clocks of a zone show for the first time at it."""


@lru_cache(maxsize=4)
def _year_of(zone: str) -> dict[str, list[Shown]]:
    """Return the year's days by what clocks show, HH:MM, each with the minute at which they show it first."""
    noted: dict[str, list[Shown]] = {f"{hour:02}:{minute:02}": [] for hour in range(24) for minute in range(60)}
    for minute, shown in _watch(ZoneInfo(zone), datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)):
        noted[shown.isoformat()[11:16]].append((minute, shown))
    return noted


def _watch(zone: ZoneInfo, minute: datetime, until: datetime) -> Iterator[Shown]:
    shown = (minute - timedelta(hours=3)).astimezone(zone).replace(tzinfo=None)
    minute -= timedelta(hours=3)
    while (minute := minute + _MINUTE) < until:
        now = minute.astimezone(zone).replace(tzinfo=None)
        while shown < now:
            shown += _MINUTE
            if minute.year == YEAR:
                yield minute, shown


def instants(zone: str, times: str, is_meant: Callable[[datetime], bool]) -> list[datetime]:
    """Return the minutes of the year at which one of these times, HH:MM, is shown first on a day that is meant."""
    noted = _year_of(zone)
    return sorted({minute for at in times.split() for minute, shown in noted[at] if is_meant(shown)})


def weekdays_in_month(day: datetime, weekday: int) -> list[int]:
    """Return the days of a day's month that are a weekday, Monday being 0, as a wall calendar's column has them."""
    return [week[weekday] for week in calendar.monthcalendar(day.year, day.month) if week[weekday]]
