"""Scores say what comes better than the obvious baseline: the number of events in the last period."""

from datetime import timedelta
from pathlib import Path
from statistics import mean
from uuid import UUID

import pytest

from cdp_sync.scoring import compute_scores
from cdp_sync.warehouse import Session
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.scoring import score_oracle as oracle
from cdp_sync_tests.scoring.figures import HORIZONS, PEOPLE, Figure, figure_of, of_chinook
from cdp_sync_tests.scoring.populations import CHINOOK, MODEL, NOW, Population, generated, stored

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "scores.md").read_text(encoding="utf-8")
DEFAULT_SEED = 20240501
"""The seed of the documented figures."""

PROPENSITIES = {
    "likely_to_unsubscribe": "unsubscribes",
    "likely_to_convert": "converts",
    "sms_affinity": "texts",
    "discount_affinity": "discount",
}
"""The propensity that a score is to find, where it stays the same for all time."""


@pytest.fixture(scope="module", name="people")
def generated_people() -> Population:
    """People whose propensities are known."""
    return generated(SEED, PEOPLE)


@pytest.fixture(scope="module", name="session")
def a_session(people: Population) -> Session:
    """A warehouse with these people."""
    with stored(people) as session:
        yield session


def test_scores_beat_the_count_of_the_last_period(session: Session) -> None:
    """Of every score of the generated people, the rank correlation with what came next is higher than the count's."""
    found = [figure_of(scored) for scored in compute_scores(session, MODEL, MODEL.score, NOW)]
    assert [str(each) for each in found if each.of_score <= each.of_baseline] == []
    if SEED == DEFAULT_SEED:
        assert [str(each) for each in found if str(each) not in DOCUMENTED] == []


@pytest.mark.parametrize("name", PROPENSITIES)
def test_scores_rank_people_by_their_propensity(name: str, session: Session, people: Population) -> None:
    """The score ranks people by the propensity that made their events, better than the count of the last period."""
    rows = session.rows("select profile_id, value from warehouse.score where score = $name", {"name": name})
    truth = [people.propensities[owner][PROPENSITIES[name]] for owner, _ in rows]
    counts = counted(name, people)
    of_score = oracle.rank_correlation([value for _, value in rows], truth)
    of_count = oracle.rank_correlation([float(counts.get(owner, 0)) for owner, _ in rows], truth)
    assert of_score > of_count
    assert of_score > 0.3


def counted(name: str, people: Population) -> dict[UUID, int]:
    """Return how many events that count for a score each profile has in the last period."""
    score, found = MODEL.score[name], dict[UUID, int]()
    since = NOW - timedelta(days=score.horizon_days)
    kinds = score.rate.of if score.rate else (score.share.of,) if score.share else ()
    for kind in kinds:
        for event in (event for event in people.events[kind] if event["happened_at"] > since):
            found[event["profile_id"]] = found.get(event["profile_id"], 0) + bool(score.rate or event["coupon"])
    return found


@pytest.mark.skipif(not CHINOOK.exists(), reason="needs the shared data")
def test_expected_values_beat_the_count_on_chinook() -> None:
    """Over three years of moments in Chinook, for each horizon, an expected value beats the last period's count."""
    first, *others = HORIZONS
    found = [of_chinook(first), *(of_chinook(horizon, every=2) for horizon in others)]
    assert str(found[0]) in DOCUMENTED
    assert [str(each) for each in found if each.of_score <= each.of_baseline] == []
    assert mean(gained(each) for each in found) > 0.1


def gained(figure: Figure) -> float:
    """Return by how much the score's correlation is higher."""
    return figure.of_score - figure.of_baseline
