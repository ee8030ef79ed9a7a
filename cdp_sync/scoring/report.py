"""What the computation of a score reports."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HoldOut:
    """How well a score says what comes: it was computed as of an earlier moment, and compared with what came after."""

    profiles: int
    """How many profiles were compared."""
    of_score: float
    """Spearman's rank correlation of the score with what came."""
    of_baseline: float | None
    """The same of the number of events in the period before; None where that does not differ."""

    @property
    def beats_baseline(self) -> bool:
        """Whether the score ranks profiles better than the number of events in the period before."""
        return self.of_score > (self.of_baseline or 0)


@dataclass(frozen=True)
class Tenth:
    """The profiles whose percentiles lie in one tenth."""

    tenth: int
    """0 for the percentiles 0 to 9, up to 9 for 90 to 100."""
    profiles: int
    lowest: float
    """The lowest value of these profiles."""
    highest: float
    """The highest."""

    @property
    def words(self) -> str:
        """The percentiles, for people."""
        return f"{self.tenth * 10} to {self.tenth * 10 + (10 if self.tenth == 9 else 9)}"


@dataclass(frozen=True)
class Scored:
    """One score after it was computed."""

    name: str
    profiles: int
    """How many live profiles have the events that it needs."""
    tenths: tuple[Tenth, ...]
    fitted: Mapping[str, float]
    """The parameters that were fitted to all profiles, by their names in words; none without profiles."""
    held_out: HoldOut | None
    """None where there is too little to compare."""
