"""Schedules of every kind, each with an independent computation of its occurrences."""

import calendar
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cdp_sync_tests.oracle.wall_clock import YEAR, weekdays_in_month

ZONES = {"UTC": 0, "Europe/Amsterdam": 60, "Australia/Lord_Howe": 600, "America/New_York": -300}
"""Time zones, with the offset from UTC in minutes in January 1970."""

IN_DOUBT = {"Europe/Amsterdam": "02:30", "Australia/Lord_Howe": "02:10", "America/New_York": "02:30", "UTC": "02:30"}
"""By zone, a local time that does not exist on one day of the year."""

TWICE = {"Europe/Amsterdam": "02:10", "Australia/Lord_Howe": "01:40", "America/New_York": "01:30", "UTC": "01:30"}
"""By zone, a local time that occurs twice on one day of the year."""


Declared = dict[str, Any]
OnDay = Callable[[datetime], bool]
Case = tuple[Declared, str, OnDay]
"""The declaration, its times of day, and its days."""


def every(_day: datetime) -> bool:
    """Return True for every day."""
    return True


def last_day(day: datetime) -> int:
    """Return the number of the last day of a day's month."""
    return calendar.monthrange(day.year, day.month)[1]


def _clock(*minutes: int) -> str:
    return " ".join(f"{hour:02}:{minute:02}" for hour in range(24) for minute in minutes)


def _weekday(ordinal: str, weekday: str, at: str) -> Declared:
    return {"weekday_of_month": {"ordinal": ordinal, "weekday": weekday}, "at": at}


WALL: tuple[Case, ...] = (
    ({"times_per_day": 1}, "00:00", every),
    ({"times_per_day": 5, "starting_at": "02:10"}, "02:10 06:58 11:46 16:34 21:22", every),
    ({"times_per_day": 7, "starting_at": "23:00"}, "23:00 02:25 05:51 09:17 12:42 16:08 19:34", every),
    ({"times_per_day": 24}, _clock(0), every),
    ({"days_of_week": ["friday", "monday"], "at": "06:15"}, "06:15", lambda day: f"{day:%a}" in "Mon Fri"),
    ({"days_of_month": [15, 1], "at": "13:00"}, "13:00", lambda day: day.day in (1, 15)),
    ({"days_of_month": [29, 30, "last"], "at": "23:59"}, "23:59", lambda day: day.day in (29, 30, last_day(day))),
    ({"days_of_month": [31], "at": "08:00"}, "08:00", lambda day: day.day == 31),
    (_weekday("second", "tuesday", "05:00"), "05:00", lambda day: day.day == weekdays_in_month(day, 1)[1]),
    (_weekday("last", "sunday", "04:00"), "04:00", lambda day: day.day == weekdays_in_month(day, 6)[-1]),
)
"""Schedules in local time."""


def _around(when: str) -> tuple[Case, ...]:
    """Return schedules at local times that are skipped or repeated."""
    other = f"{(int(when[:2]) + 12) % 24:02}{when[2:]}"
    days = (1, 8, 29)
    return (
        ({"times_per_day": 1, "starting_at": when}, when, every),
        ({"times_per_day": 2, "starting_at": when}, f"{when} {other}", every),
        ({"days_of_week": ["sunday"], "at": when}, when, lambda day: day.isoweekday() == 7),
        ({"days_of_month": [*days, "last"], "at": when}, when, lambda day: day.day in (*days, last_day(day))),
        (_weekday("first", "sunday", when), when, lambda day: day.day == weekdays_in_month(day, 6)[0]),
        (_weekday("last", "sunday", when), when, lambda day: day.day == weekdays_in_month(day, 6)[-1]),
    )


def cases() -> list[tuple[str, Declared, str, OnDay]]:
    """Return schedules in local time for all zones: zone, declaration, times, days."""
    return [
        (zone, {**declared, "time_zone": zone}, times, on_day)
        for zone in ZONES
        for declared, times, on_day in (*WALL, *_around(IN_DOUBT[zone]), *_around(TWICE[zone]))
    ]


ODD_ZONES = ("America/Havana", "Africa/Casablanca", "Asia/Kolkata")
"""Zones with clock changes at midnight, around Ramadan, and with offsets of half an hour."""


def odd_cases() -> list[tuple[str, Declared, str, OnDay]]:
    """Return schedules around midnight and early in the morning, in zones with unusual rules."""
    return [
        (zone, {**declared, "time_zone": zone}, times, on_day)
        for zone in ODD_ZONES
        for declared, times, on_day in (({"times_per_day": 24}, _clock(0), every), *_around("00:20"))
    ]


def even(minutes: int, zone: str) -> list[datetime]:
    """Return the minutes of the year that are a multiple of `minutes` after 1970-01-01 00:00 local time."""
    start = int(datetime(YEAR, 1, 1, tzinfo=UTC).timestamp()) // 60 + ZONES[zone]
    end = int(datetime(YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) // 60 + ZONES[zone]
    found = (minute for minute in range(start, end) if minute % minutes == 0)
    return [datetime.fromtimestamp((minute - ZONES[zone]) * 60, UTC) for minute in found]


def name_of(value: object) -> str | None:
    """Return a test id from the declaration."""
    if isinstance(value, dict):
        return "-".join(str(part) for key, part in value.items() if key != "time_zone").replace(" ", "")
    return None
