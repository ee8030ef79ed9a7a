"""The whole days in UTC that figures are about, and the periods of the calendar in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args

from cdp_sync.model.analytics import Period

_DAY = timedelta(days=1)
LAST = date(9998, 12, 31)
"""The last day that a timeframe can have: the calendar has room for a period after it."""


@dataclass(frozen=True)
class Timeframe:
    """Days from `since` to `until`, both included.

    Raises:
        ValueError: The last day is before the first, or after `LAST`; or there is no such period.
    """

    since: date
    until: date
    by: Period = "total"
    """What a row is about: the whole timeframe, or a day, week or month in it."""

    def __post_init__(self) -> None:
        """Check the order of the days, and the kind of period."""
        if self.by not in (periods := get_args(Period)):
            raise ValueError(f"found {self.by!r}; needed is {', '.join(periods[:-1])} or {periods[-1]}")
        if self.until > LAST:
            raise ValueError(f"found {self.until}; needed is a day up to {LAST}")
        if self.since > self.until:
            raise ValueError(f"found {self.since} to {self.until}; needed is a last day that is not before the first")

    @property
    def start(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.since, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.until + _DAY, time(), UTC)

    @property
    def words(self) -> str:
        """The two days, as an interval of ISO 8601."""
        return f"{self.since}/{self.until}"

    def periods(self) -> Iterator[date]:
        """Yield the first day of each period that has a day of the timeframe; none of a total."""
        day = _first_of(self.since, self.by)
        while self.by != "total" and day <= self.until:
            yield day
            day = _first_of(day + timedelta(days={"day": 1, "week": 7, "month": 31}[self.by]), self.by)


def _first_of(day: date, by: Period) -> date:
    match by:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return day


def last_days(count: int, now: datetime, by: Period) -> Timeframe:
    """Return the timeframe of so many whole days that have passed."""
    until = now.astimezone(UTC).date() - _DAY
    return Timeframe(first_day(count, until), until, by)


def first_day(count: int, until: date) -> date:
    """Return the first of so many days that end with one, or the first of the calendar."""
    return until - min(timedelta(days=count - 1), until - date.min)
