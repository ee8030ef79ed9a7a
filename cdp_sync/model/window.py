"""Windows: the moments at which events count."""

from typing import Any, Literal

from pydantic import model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.operators import Count, Value
from cdp_sync.model.property import Property

HAPPENED_AT = Property(name="happened_at", type="datetime")
"""The time of an event, as a property that declared times are compared with."""

Days = Literal["calendar", "exact"]


class EventWindow(Declared):
    """The moments at which events count: those that meet all of this. In the future there are no last days or hours."""

    in_last_days: Count | None = None
    """Happened within so many days before now; see `days`."""
    days: Days | None = None
    """How days count. `calendar`, the default: an event leaves at midnight in UTC, as soon as it is so many days old;
    `exact`: days of 24 hours."""
    in_last_hours: Count | None = None
    """Happened within so many hours before now."""
    after: Value | None = None
    """Happened after this time, which is in UTC where it has no offset."""
    before: Value | None = None
    """Happened before this time."""

    @model_validator(mode="after")
    def _check_window(self) -> Any:  # noqa: ANN401 - a subclass, too
        if problem := self.contradiction():
            raise ValueError(problem)
        return self

    def contradiction(self) -> str:
        """Return which keys do not go together; empty where all do."""
        if self.in_last_days and self.in_last_hours:
            return "found in_last_days and in_last_hours; a window has one of them"
        if self.days and not self.in_last_days:
            return "days says how in_last_days counts, and in_last_days is missing"
        return ""
