"""When a connection runs by itself: one of five kinds of schedules, in the words of the vendor's pages."""

import difflib
import re
from collections.abc import Sequence
from datetime import date, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cdp_sync.model.declared import Declared

MINUTES_A_DAY = 24 * 60

KINDS = ("every_minutes", "times_per_day", "days_of_week", "days_of_month", "weekday_of_month")
"""What a schedule can say; exactly one of them."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Ordinal = Literal["first", "second", "third", "fourth", "last"]

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
ORDINALS: tuple[Ordinal, ...] = get_args(Ordinal)

_BESIDE = {"starting_at": KINDS[1:2], "at": KINDS[2:]}
_HH_MM = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_A_WEEK = timedelta(days=7)


def _up_to_a_day(value: object) -> object:
    if type(value) is not int or not 1 <= value <= MINUTES_A_DAY:
        raise ValueError(f"found {value!r}; allowed are whole numbers from 1 to {MINUTES_A_DAY}")
    return value


def _day_of_month(value: object) -> object:
    if value != "last" and (type(value) is not int or not 1 <= value <= 31):
        raise ValueError(f"found {value!r}; allowed are the numbers 1 to 31, and last")
    return value


def _wall_time(value: object) -> object:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _HH_MM.fullmatch(value):
        # Without quotes, 12:30 is a number to base 60 to YAML.
        minutes = value if type(value) is int and 0 <= value < MINUTES_A_DAY else 90
        meant = f"{minutes // 60:02}:{minutes % 60:02}"
        raise ValueError(f'found {value!r}; needed is HH:MM in quotes, such as "{meant}"')
    return time.fromisoformat(value)


UpToADay = Annotated[int, Field(ge=1, le=MINUTES_A_DAY), BeforeValidator(_up_to_a_day)]
DayOfMonth = Annotated[int | Literal["last"], BeforeValidator(_day_of_month)]
WallTime = Annotated[time, BeforeValidator(_wall_time)]


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)  # reads one file, where `available_timezones` reads hundreds
        known = value.partition("/")[0] not in ("posix", "right", "posixrules")
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        close = difflib.get_close_matches(value, available_timezones(), n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"found {value!r}; {meant}allowed are IANA names such as Europe/Amsterdam")
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class WeekdayOfMonth(Declared):
    """A weekday that comes once a month, such as its second Monday."""

    ordinal: Ordinal
    """Which of them: `first`, `second`, `third`, `fourth`, or `last`."""
    weekday: Weekday
    """The day of the week."""

    def is_on(self, day: date) -> bool:
        """Tell whether it is this day."""
        if WEEKDAYS[day.weekday()] != self.weekday:
            return False
        if self.ordinal == "last":
            return (day + _A_WEEK).month != day.month
        return (day.day - 1) // 7 == ORDINALS.index(self.ordinal)


class Schedule(Declared):
    """When a connection runs by itself: exactly one of the five kinds, on the clock of a time zone."""

    every_minutes: UpToADay | None = None
    """Every so many minutes, 1 to 1440, whatever clocks do; counted from midnight of 1970-01-01 in the time zone."""
    times_per_day: UpToADay | None = None
    """So many times a day, 1 to 1440, evenly on the wall clock."""
    starting_at: WallTime = time(0)
    """Of `times_per_day`: one of the times, HH:MM."""
    days_of_week: tuple[Weekday, ...] | None = None
    """On these days of the week, at a time."""
    days_of_month: tuple[DayOfMonth, ...] | None = None
    """On these days of the month, 1 to 31 and `last`, at a time; a month without the day is passed over."""
    weekday_of_month: WeekdayOfMonth | None = None
    """On a weekday that comes once a month, at a time."""
    at: WallTime | None = None
    """Of the kinds that name days: the time, HH:MM."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone whose clock counts."""

    @field_validator("days_of_week", "days_of_month")
    @classmethod
    def _some_day(cls, value: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if value == ():
            raise ValueError("found an empty list; needed is at least one day")
        return value

    @model_validator(mode="after")
    def _check(self) -> "Schedule":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; a schedule has exactly one of {', '.join(KINDS)}")
        for name, beside in _BESIDE.items():
            given = name in self.model_fields_set and getattr(self, name) is not None
            if given and kinds[0] not in beside:
                raise ValueError(f"{name}: found beside {kinds[0]}; it goes with {_listed(beside, 'or')}")
        if self.at is None and kinds[0] in _BESIDE["at"]:
            raise ValueError(f'at: is missing; {kinds[0]} needs it: HH:MM in quotes, such as "01:30"')
        return self

    @cached_property
    def wall_times(self) -> tuple[time, ...]:
        """When it runs on a day that it runs on, by the clock on the wall, ascending. Not of `every_minutes`."""
        if self.times_per_day is None:
            return (self.at,) if self.at else ()
        start = self.starting_at.hour * 60 + self.starting_at.minute
        steps = (number * MINUTES_A_DAY // self.times_per_day for number in range(self.times_per_day))
        return tuple(time(*divmod(minute, 60)) for minute in sorted((start + step) % MINUTES_A_DAY for step in steps))

    def is_on(self, day: date) -> bool:
        """Tell whether it runs on a day of the time zone's calendar. Not of `every_minutes`."""
        if self.days_of_week is not None:
            return WEEKDAYS[day.weekday()] in self.days_of_week
        if self.days_of_month is not None:
            last = (day + timedelta(days=1)).day == 1
            return day.day in self.days_of_month or (last and "last" in self.days_of_month)
        return self.weekday_of_month is None or self.weekday_of_month.is_on(day)

    @property
    def words(self) -> str:
        """The schedule for people: `on Monday and Friday at 01:30 (Europe/Amsterdam)`."""
        if self.every_minutes is not None:
            return "every minute" if self.every_minutes == 1 else f"every {self.every_minutes:,} minutes"
        if self.times_per_day is not None:
            times = {1: "once", 2: "twice"}.get(self.times_per_day, f"{self.times_per_day:,} times")
            return f"{times} a day, counted from {self.starting_at:%H:%M} ({self.time_zone})"
        return f"on {self._days} at {self.at:%H:%M} ({self.time_zone})"

    @property
    def _days(self) -> str:
        if self.days_of_week is not None:
            return _listed([day.title() for day in WEEKDAYS if day in self.days_of_week])
        if self.weekday_of_month is not None:
            return f"the {self.weekday_of_month.ordinal} {self.weekday_of_month.weekday.title()} of the month"
        days: Sequence[Any] = self.days_of_month or ()
        numbers = [f"day {_listed(sorted({day for day in days if day != 'last'}))}"] if set(days) - {"last"} else []
        return _listed([*numbers, *(["the last day"] if "last" in days else [])]) + " of the month"


_Days = Annotated[int, Field(ge=1, le=3650, strict=True)]


class Maintenance(Declared):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. The warehouse's own history stays."""

    keep_runs_days: _Days = 90
    """Days that a run is kept after its end."""
    keep_idle_runs_days: _Days = 3
    """Days that a run is kept which succeeded and found nothing to do; those of any run where they are fewer."""
    keep_states_days: _Days = 7
    """Days that a lake keeps its former states, with the files that they need."""
    at: Annotated[WallTime, Field(examples=["03:30"])] = time(3, 30)
    """When, every day: HH:MM."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone whose clock counts."""


def _listed(parts: Sequence[object], word: str = "and") -> str:
    *first, last = map(str, parts)
    return f"{', '.join(first)} {word} {last}" if first else last
