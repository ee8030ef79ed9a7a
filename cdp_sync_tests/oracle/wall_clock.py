"""Reference implementation of schedules: a simulated wall clock, read at each minute of a year.

Each local time is recorded with the minute at which it is first shown, including times that the clock skips when it
moves forward. Nothing here computes dates or uses `cdp_sync`.
"""

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

YEAR = 2026
_MINUTE = timedelta(minutes=1)

Shown = tuple[datetime, datetime]
"""A minute in UTC, and a local time that the clocks of a zone show for the first time at it."""


@lru_cache(maxsize=4)
def _year_of(zone: str) -> dict[str, list[Shown]]:
    """Return the minutes at which each local time, HH:MM, is first shown during the year."""
    noted: dict[str, list[Shown]] = {f"{hour:02}:{minute:02}": [] for hour in range(24) for minute in range(60)}
    for minute, shown in _read_clock(
        ZoneInfo(zone), datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)
    ):
        noted[shown.isoformat()[11:16]].append((minute, shown))
    return noted


def _read_clock(zone: ZoneInfo, minute: datetime, until: datetime) -> Iterator[Shown]:
    shown = (minute - timedelta(hours=3)).astimezone(zone).replace(tzinfo=None)
    minute -= timedelta(hours=3)
    while (minute := minute + _MINUTE) < until:
        now = minute.astimezone(zone).replace(tzinfo=None)
        while shown < now:
            shown += _MINUTE
            if minute.year == YEAR:
                yield minute, shown


def instants(zone: str, times: str, is_selected: Callable[[datetime], bool]) -> list[datetime]:
    """Return the minutes at which one of these times, HH:MM, is first shown on a selected day."""
    noted = _year_of(zone)
    return sorted({minute for at in times.split() for minute, shown in noted[at] if is_selected(shown)})


def weekdays_in_month(day: datetime, weekday: int) -> list[int]:
    """Return the days of a day's month that fall on a weekday; Monday is 0."""
    return [week[weekday] for week in calendar.monthcalendar(day.year, day.month) if week[weekday]]
