"""Reference implementation of caps: loops over lists of touches, without SQL and without the product's periods.

A rolling period is a length. Two moments are in the same calendar period if a clock of the zone shows the same day,
week, month or quarter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LENGTHS = {"day": 24, "week": 7 * 24, "month": 30 * 24, "quarter": 90 * 24}
"""Hours of a rolling period."""
_LONGER_THAN_ANY = 100 * 24 * 3600


@dataclass
class CapOracle:
    """People with their stages, and all touches so far."""

    stages: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    """By person: the stage, and since when."""
    exports: list[tuple[int, str, datetime]] = field(default_factory=list)
    """Exports that count: person, stage and moment."""
    events: list[tuple[int, str, datetime]] = field(default_factory=list)
    """Person, type and moment."""
    goals: list[Mapping[str, Any]] = field(default_factory=list)
    """What all goals declare as `lifecycle`."""

    def run(self, declared: Mapping[str, Any], now: datetime, people: int) -> tuple[set[int], dict[int, datetime]]:
        """Return who is exported by a goal that exports everybody, and who is capped until when; touch the former."""
        wanted = declared.get("stages") or ["unassigned", "fresh", "buyer"]
        here = [person for person in range(1, people + 1) if self.stages.get(person, ("",))[0] in wanted]
        capped = {person: until for person in here if (until := self.capped_until(person, declared, now))}
        exported = {person for person in here if person not in capped}
        if declared.get("counts") == "export":
            self.exports += [(person, self.stages[person][0], now) for person in exported]
        return exported, capped

    def capped_until(self, person: int, declared: Mapping[str, Any], now: datetime) -> datetime | None:
        """Return when a person's cap ends; None for one who is not capped."""
        threshold = declared.get("threshold")
        if not threshold:
            return None
        stage, since = self.stages[person]
        moments = [at for who, where, at in self.exports if (who, where) == (person, stage)]
        types = {goal.get("counts") for goal in self.goals if stage in (goal.get("stages") or [stage])}
        moments += [at for who, kind, at in self.events if who == person and kind in types and at <= now]
        moments = [at for at in moments if at >= since]

        def counts(at: datetime, moment: datetime) -> bool:
            if threshold.get("window") == "calendar":
                zone = ZoneInfo(threshold.get("time_zone", "UTC"))
                return period(at, threshold["per"], zone) == period(moment, threshold["per"], zone)
            return moment - at < timedelta(hours=LENGTHS[threshold["per"]])

        def is_capped(moment: datetime) -> bool:
            return sum(counts(at, moment) for at in moments) >= threshold["times"]

        if not is_capped(now):
            return None
        # A cap ends once, as no touch is added meanwhile: look for the second by halves.
        low, high = 0, _LONGER_THAN_ANY
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_capped(now + timedelta(seconds=middle)) else (low, middle)
        return now + timedelta(seconds=high)


def period(moment: datetime, per: str, zone: ZoneInfo) -> tuple[int, ...]:
    """Return what names the calendar period of a moment on a clock of the zone."""
    shown = moment.astimezone(UTC).astimezone(zone)
    return {
        "day": (shown.year, shown.month, shown.day),
        "week": tuple(shown.isocalendar()[:2]),
        "month": (shown.year, shown.month),
        "quarter": (shown.year, (shown.month - 1) // 3),
    }[per]
