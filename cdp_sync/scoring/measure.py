"""What the kinds of scores have in common: the statements that measure profiles, and the moments at which they do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from cdp_sync.model import Profiles, Score
from cdp_sync.segments.questions import Columns
from cdp_sync.warehouse import Step, quote_identifier

SQL = "scoring"
"""Folder of the statements."""


@dataclass(frozen=True)
class Measure(ABC):
    """The statements of one score, made anew for each moment; they leave their results in temporary tables."""

    score: Score
    profiles: Profiles
    columns: Columns
    """The columns that the warehouse has; an event type without a table has no events."""
    one_in: int = 1
    """Measure one of so many profiles, by a digest of their ids."""

    nothing: ClassVar[str]
    """What happened to a profile without events in a period, as SQL; `null`: that is not known."""
    fitted: ClassVar[str]
    """The query for the parameters that were fitted to all profiles, in one row."""

    @abstractmethod
    def values(self, until: datetime) -> Iterator[Step]:
        """Yield the steps that make `score_value`: the value of each profile by its events until a moment."""

    @abstractmethod
    def period(self, yields: str, since: datetime, until: datetime) -> Iterator[Step]:
        """Yield the steps that make a table of what each profile did in a period.

        `happened` counts the events, and `outcome` is what the score says in advance.
        """

    @property
    def horizon(self) -> timedelta:
        """The days that the score is about."""
        return timedelta(days=self.score.horizon_days)

    @property
    def sampled(self) -> str:
        """The condition that a profile is measured; with numbers of this type it costs little."""
        return f"hash(profile_id) % {self.one_in}::ubigint = 0::ubigint" if self.one_in > 1 else "true"

    def table(self, event: str) -> str | None:
        """Return the table of a type of events, as SQL names it; None where there is none."""
        table = self.profiles.event[event].table
        stored = self.columns is None or f"{table}.event_id" in self.columns
        return f"warehouse.{quote_identifier(table)}" if stored else None
