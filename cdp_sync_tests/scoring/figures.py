"""Prints the hold-out figures of docs/scores.md: `python -m cdp_sync_tests.scoring.figures`.

Each figure is the rank correlation of a score, computed as of a moment, with what happened in the horizon after it;
beside it stands that of the number of events in the horizon before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean

from cdp_sync.model import Profiles
from cdp_sync.scoring import HoldOut, Scored, compute_scores, hold_out, measure_of
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.scoring.populations import MODEL, NOW, chinook, generated, stored

PEOPLE = 2_000
HORIZONS = (90, 180, 365)
"""Days over which Chinook is held out."""

_CHINOOK_ENDS = datetime(2025, 12, 22, tzinfo=UTC)
_CHINOOK_RUNS_SINCE = datetime(2022, 1, 1, tzinfo=UTC)
"""A year after the first invoice: the score of a moment looks back further than one horizon."""


@dataclass(frozen=True)
class Figure:
    """What hold-outs found of one score."""

    name: str
    compared: str
    of_score: float
    of_baseline: float

    def __str__(self) -> str:
        """Return it as a row of the table in the documentation."""
        return f"| {self.name} | {self.compared} | {self.of_score:.2f} | {self.of_baseline:.2f} |"


def of_generated_people(seed: int = SEED, people: int = PEOPLE) -> Iterator[Figure]:
    """Yield the figure of each score over generated people."""
    with stored(generated(seed, people)) as session:
        for scored in compute_scores(session, MODEL, MODEL.score, NOW):
            yield figure_of(scored)


def figure_of(scored: Scored) -> Figure:
    """Return the figure of a score."""
    found = scored.held_out
    assert found
    return Figure(f"`{scored.name}`", f"{found.profiles:,} profiles", found.of_score, baseline(found))


def of_chinook(horizon: int, every: int = 1) -> Figure:
    """Return the mean of the hold-outs of an expected value at the first of months that have a horizon after them.

    With `every` of 2 it is every second one of them, and so on.
    """
    score = {"name": "value_score", "expected_value": "order.total_revenue", "horizon_days": horizon}
    profiles = Profiles.model_validate({"properties": [], "event_types": ["order"], "scores": [score]})
    with stored(chinook(), profiles) as session:
        measure = measure_of(profiles.scores[0], profiles)
        found = [each for moment in [*months(horizon)][::every] if (each := hold_out(session, measure, moment))]
    compared = f"{len(found)} moments, {horizon} days"
    return Figure("Chinook", compared, mean(each.of_score for each in found), mean(map(baseline, found)))


def baseline(found: HoldOut) -> float:
    """Return the correlation of the baseline; 0 where it does not differ between profiles."""
    return found.of_baseline or 0.0


def months(horizon: int) -> Iterator[datetime]:
    """Yield the moments that lie one horizon after the first of a month, with a horizon of data on both sides of it."""
    first, days = datetime(2023, 1, 1, tzinfo=UTC), timedelta(days=horizon)
    while first + days <= _CHINOOK_ENDS:
        if first - days >= _CHINOOK_RUNS_SINCE:
            yield first + days
        first = (first + timedelta(days=32)).replace(day=1)


def main() -> None:
    """Print both tables."""
    print("\n".join(map(str, of_generated_people())))
    print("\n".join(str(of_chinook(horizon)) for horizon in HORIZONS))


if __name__ == "__main__":
    main()
