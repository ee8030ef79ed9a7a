"""What an export goal takes from a lifecycle: the stages whose profiles it exports, the cap on touches, what counts.

A touch is an export of a profile by a goal that counts exports, or an event of a type that a goal counts. Touches count
for the stage that the profile is in, since it entered that stage; those of all goals of the stage together.

The rules are BlueConic's, articles 360053189754 (a day is the last 24 hours), 247916 and 360050098154.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from cdp_sync.model.counting import counted
from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.lifecycle import COMPLETED
from cdp_sync.model.profile import Profiles
from cdp_sync.model.schedule import TimeZone
from cdp_sync.model.suggestion import allowed

Period = Literal["day", "week", "month", "quarter"]

ROLLING: dict[Period, timedelta] = {
    "day": timedelta(hours=24),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "quarter": timedelta(days=90),
}
"""The length of a rolling period."""

LONGEST = timedelta(days=93)
"""No period is longer: a quarter has 92 days, and an hour more where clocks are set back."""

_CALENDAR_DAYS: dict[Period, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92}
"""The days of the longest period of the calendar."""

EXPORT = "export"
"""What `counts` says where exports are touches."""


class Threshold(Declared):
    """How often a profile may be touched within a period."""

    times: Annotated[int, Field(ge=1, le=1000)]
    """So many touches at most."""
    per: Period
    """The length of the period."""
    window: Literal["rolling", "calendar"] = "rolling"
    """`rolling`: the last 24 hours, 7, 30 or 90 days, always up to now. `calendar`: since midnight, Monday, the first
    of the month or of the quarter."""
    time_zone: TimeZone | None = None
    """IANA name of the time zone whose calendar counts; absent: UTC."""

    @model_validator(mode="after")
    def _check(self) -> "Threshold":
        if self.time_zone and self.window == "rolling":
            raise ValueError("time_zone: a rolling period has no calendar; needed is `window: calendar`")
        return self

    def calendar(self, now: datetime) -> tuple[datetime, datetime]:
        """Return when the calendar period of a moment begins, and when the next one does, in UTC.

        A midnight that clocks skip is the moment at which they are set forward; of two midnights the first counts.
        """
        zone = ZoneInfo(self.time_zone or "UTC")
        today = now.astimezone(zone).date()
        first, following = _period_of(today, self.per)
        begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, following))
        return begin, end

    @property
    def longest(self) -> timedelta:
        """The length that a period has at most: of the calendar an hour more, where clocks are set back."""
        if self.window == "rolling":
            return ROLLING[self.per]
        return timedelta(days=_CALENDAR_DAYS[self.per], hours=1)

    @property
    def words(self) -> str:
        """The threshold in words."""
        how = f"calendar, {self.time_zone or 'UTC'}" if self.window == "calendar" else "rolling"
        return f"{counted(self.times, 'touch', 'touches')} per {self.per} at most ({how})"


def _period_of(today: date, per: Period) -> tuple[date, date]:
    """Return the first day of a day's period, and the first day of the next one."""
    if per == "day":
        return today, today + timedelta(days=1)
    if per == "week":
        monday = today - timedelta(days=today.weekday())
        return monday, monday + timedelta(days=7)
    months = 3 if per == "quarter" else 1
    first = (today.month - 1) // months * months
    year, month = divmod(first + months, 12)
    return date(today.year, first + 1, 1), date(today.year + year, month + 1, 1)


class GoalLifecycle(Declared):
    """The lifecycle that a goal is part of. Only profiles in one of its stages are exported."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """The lifecycle."""
    stages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The stages whose profiles are exported, `unassigned` among them if it is named; absent: every stage."""
    threshold: Threshold | None = None
    """How often a profile may be touched; absent: without limit."""
    counts: Annotated[str, Field(pattern=NAME_PATTERN)] | None = None
    """What counts as a touch of this goal: `export`, or a type of events, such as `email_opened`. Absent: nothing."""

    @property
    def counts_exports(self) -> bool:
        """Whether each export of a profile is a touch."""
        return self.counts == EXPORT

    @property
    def counted_event(self) -> str | None:
        """The type of the events that are touches, if there is one."""
        return None if self.counts_exports else self.counts

    @property
    def words(self) -> str:
        """The lifecycle in words."""
        stages = f", {'stage' if len(self.stages) == 1 else 'stages'} {', '.join(self.stages)}" if self.stages else ""
        cap = f"; {self.threshold.words}" if self.threshold else ""
        return f"lifecycle: {self.name}{stages}{cap}; {f'counts {self.counts}' if self.counts else 'counts nothing'}"

    def stages_of(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the stages whose profiles are exported now: none where the lifecycle is off, or is not declared."""
        lifecycle = profiles.lifecycle.get(self.name)
        if lifecycle is None or not lifecycle.enabled:
            return ()
        return self.stages or lifecycle.every_stage

    def holds(self, profiles: Profiles) -> str:
        """Return why nobody is exported whatever stage they are in; empty where that is not so."""
        if self.stages_of(profiles):
            return ""
        what = "is off" if self.name in profiles.lifecycle else "is not declared"
        return f"The lifecycle {self.name} {what}: its goals export nobody."

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the project, each as `path: what was found; what is allowed`."""
        yield from profiles.lifecycle_problem("name", self.name)
        lifecycle = profiles.lifecycle.get(self.name)
        for index, stage in enumerate(self.stages or ()):
            if stage == COMPLETED:
                yield f"stages[{index}]: {stage!r} is no stage: who has completed a lifecycle is not in it any more"
            elif lifecycle and stage not in lifecycle.every_stage:
                yield f"stages[{index}]: {stage!r} is unknown; {allowed(stage, lifecycle.every_stage)}"
        if (counted_event := self.counted_event) and counted_event not in profiles.event:
            yield f"counts: {counted_event!r} is unknown; {allowed(counted_event, (EXPORT, *profiles.event))}"
        if self.threshold:
            yield from self._forgotten(self.threshold, profiles)

    def _forgotten(self, threshold: Threshold, profiles: Profiles) -> Iterator[str]:
        """Yield which events that are touches are removed before the threshold's period is over."""
        lifecycle = profiles.lifecycle.get(self.name)
        touching = {name for stage, name in lifecycle.counted if stage in self.stages_of(profiles)} if lifecycle else ()
        for event in (profiles.event[name] for name in sorted({*touching, self.counted_event} & profiles.event.keys())):
            if event.keep_days and timedelta(days=event.keep_days) < threshold.longest:
                kept = f"events {event.name} count as touches, and are kept for {counted(event.keep_days, 'day')} only"
                yield f"threshold.per: {kept}; needed are `keep_days` of a {threshold.per} or longer"
