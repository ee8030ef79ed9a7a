"""What the computation of a score reports."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HoldOut:
    """How well a score says what comes: it was computed as of an earlier moment, and compared with what came after."""

    days: int
    """The horizon: as of so many days ago."""
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

    @property
    def words(self) -> str:
        """What was found, for people."""
        beats = "better than" if self.beats_baseline else "no better than"
        baseline = "none" if self.of_baseline is None else f"{self.of_baseline:.3f}"
        return (
            f"Computed as of {self.days:,} days ago and compared with what {self.profiles:,} profiles did since, the "
            f"score ranks them {beats} their number of events in the {self.days:,} days before. Spearman's rank "
            f"correlation: {self.of_score:.3f}; of that number: {baseline}."
        )


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
