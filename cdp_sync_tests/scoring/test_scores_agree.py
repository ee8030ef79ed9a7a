"""Scores agree with a plain reading of their formulas, over generated people; ties, merges and gaps included."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.model import Profiles, Rate
from cdp_sync.scoring import compute_scores, hold_out, measure_of
from cdp_sync.scoring.held_out import FEWEST
from cdp_sync.scoring.stored import StoredScore
from cdp_sync.scoring.stored import stored_scores as stored_in
from cdp_sync.warehouse import Session, warehouse_columns
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.scoring import score_oracle as oracle
from cdp_sync_tests.scoring.populations import MODEL, NOW, Population, generated, stored

NAMES = tuple(MODEL.score)


def with_gaps() -> Population:
    """Return sixty people, with events that wait for a person or a time, that lie ahead, and that lack a value."""
    found = generated(SEED, 60)
    first, second, *_ = found.propensities
    for kind in ("order", "email_delivered"):
        found.add(kind, first, NOW + timedelta(days=1))
        found.add(kind, second, NOW - timedelta(days=2000))
    found.add("order", first, NOW - timedelta(days=3))
    found.add("email_opened", UUID(int=7), NOW - timedelta(days=3))
    return found


@pytest.fixture(scope="module", name="population")
def the_population() -> Population:
    """The people."""
    return with_gaps()


@pytest.fixture(scope="module", name="session")
def a_session(population: Population) -> Iterator[Session]:
    """A warehouse with these people, and all scores."""
    with stored(population) as opened:
        opened.execute("update warehouse.event_order set happened_at = null where event_id = 'order5'")
        opened.execute("update warehouse.event_order set profile_id = null where event_id = 'order9'")
        compute_scores(opened, MODEL, NAMES, NOW)
        yield opened


def stored_scores(session: Session, name: str) -> dict[UUID, tuple[float, int]]:
    """Return the value and the percentile of each profile."""
    rows = session.rows("select profile_id, value, percentile from warehouse.score where score = $name", {"name": name})
    return {owner: (value, percentile) for owner, value, percentile in rows}


def known(session: Session) -> list[StoredScore]:
    """Return the scores as `cdp-sync scores` shows them."""
    return stored_in(session, MODEL)


def events_of(session: Session, population: Population) -> dict[str, list[dict[str, Any]]]:
    """Return the events as they stand in the warehouse, of live profiles."""
    query = "from warehouse.event_{} where profile_id in (select profile_id from warehouse.live_profile)"
    return {kind: session.records(query.format(kind)) for kind in population.events}


@pytest.mark.parametrize("name", NAMES)
def test_values_agree_with_the_formulas(name: str, session: Session, population: Population) -> None:
    """Every profile with the events that a score needs has the value of the formula, and nobody else has one."""
    found = stored_scores(session, name)
    expected = oracle.values_of(MODEL.score[name], events_of(session, population), MODEL, NOW)
    assert found.keys() == expected.keys()
    assert {owner: value for owner, (value, _) in found.items()} == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_percentiles_agree_with_counting(name: str, session: Session) -> None:
    """A percentile is the percentage of the others that have a lower value, rounded down; equal values share it."""
    found = stored_scores(session, name)
    values = {owner: value for owner, (value, _) in found.items()}
    assert {owner: percentile for owner, (_, percentile) in found.items()} == oracle.percentiles(values)


@pytest.mark.parametrize("name", NAMES)
def test_the_hold_out_agrees_with_the_formulas(name: str, session: Session, population: Population) -> None:
    """The score as of one horizon ago, from the events until then, is compared with what came; so is the count."""
    score, events = MODEL.score[name], events_of(session, population)
    then = NOW - timedelta(days=score.horizon_days)
    values = oracle.values_of(score, events, MODEL, then)
    before, after = (period(name, events, moment) for moment in (then, NOW))
    owners = [owner for owner in values if score.expected_value or (owner in after and after[owner][1] is not None)]
    outcomes = [after.get(owner, (0, 0.0))[1] or 0.0 for owner in owners]
    found = hold_out(session, measure_of(score, MODEL), NOW)
    assert (found is None) == (len(owners) < FEWEST)
    if found is None:
        return
    assert found.profiles == len(owners)
    compared = [round(values[owner], 6 if score.expected_value else 9) for owner in owners]
    assert found.of_score == pytest.approx(oracle.rank_correlation(compared, outcomes))
    counts = [float(before.get(owner, (0, 0.0))[0]) for owner in owners]
    assert found.of_baseline == pytest.approx(oracle.rank_correlation(counts, outcomes))


def period(name: str, events: oracle.Events, until: Any) -> dict[UUID, tuple[int, float | None]]:
    """Return for each profile how many events happened in the horizon before a moment, and what they come to."""
    score, found = MODEL.score[name], dict[UUID, tuple[int, float | None]]()
    since = until - timedelta(days=score.horizon_days)
    if score.expected_value:
        for event in oracle.dated(events, "order"):
            if since < event["happened_at"] <= until:
                count, total = found.get(event["profile_id"], (0, 0.0))
                found[event["profile_id"]] = count + 1, (total or 0) + float(event["total_revenue"] or 0)
        return found
    for owner, trials in oracle.trials_of(score, events, MODEL, until).items():
        counted = [(message, response) for at, message, response in trials if since < at <= until]
        sent, done = sum(message for message, _ in counted), sum(response for _, response in counted)
        found[owner] = done, min(done, sent) / sent if sent else None
    return found


def test_scores_are_the_same_again(session: Session) -> None:
    """Computed again at the same moment, every profile has the same percentiles."""
    before = {name: stored_scores(session, name) for name in NAMES}
    compute_scores(session, MODEL, NAMES, NOW)
    assert {name: stored_scores(session, name) for name in NAMES} == before


def test_only_live_profiles_have_scores() -> None:
    """A merged profile has no score of its own: its events are the live one's, and so are its scores."""
    population = generated(SEED, 12)
    gone, stays, *_ = population.propensities
    with stored(population) as session:
        values = {"gone": gone, "stays": stays}
        session.execute("update warehouse.profile set merged_into = $stays where profile_id = $gone", values)
        for kind in population.events:
            session.execute(
                f"update warehouse.event_{kind} set profile_id = $stays where profile_id = $gone",
                values,
            )
        compute_scores(session, MODEL, NAMES, NOW)
        owners = [event["profile_id"] for event in population.events["order"]]
        found = stored_scores(session, "value_score")
        assert gone in owners
        assert found.keys() == {*owners} - {gone} | {stays}
        events = events_of(session, population)
        expected = oracle.values_of(MODEL.score["value_score"], events, MODEL, NOW)
        assert found[stays][0] == pytest.approx(expected[stays], rel=1e-6)


def test_there_are_no_scores_without_events() -> None:
    """Without events, and without their tables, nobody has a score, and nothing fails."""
    empty = Population(propensities={UUID(int=1): {}})
    with stored(empty, MODEL.model_copy(update={"event_types": ()})) as session:
        found = compute_scores(session, MODEL, NAMES, NOW)
    assert [(scored.profiles, scored.tenths, scored.held_out) for scored in found] == [(0, (), None)] * len(NAMES)


@pytest.mark.parametrize("days", [300, 3000])
def test_who_was_written_to_long_ago_has_a_score(days: int) -> None:
    """Where messages weigh nothing any more, all who received one have a score, and all the same."""
    population = generated(SEED, 0)
    for number in (1, 2):
        population.propensities[UUID(int=number)] = {}
        population.add("email_delivered", UUID(int=number), NOW - timedelta(days=number * days))
    population.add("email_opened", UUID(int=1), NOW - timedelta(days=days))
    score = MODEL.score["likely_to_open"].model_copy(update={"half_life_days": 7})
    short = Profiles(**{**{field: getattr(MODEL, field) for field in Profiles.model_fields}, "scores": (score,)})
    with stored(population) as session:
        compute_scores(session, short, [score.name], NOW)
        assert {percentile for _, percentile in stored_scores(session, score.name).values()} == {0}
        assert len(stored_scores(session, score.name)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_one_profile_has_the_lowest_percentile(name: str) -> None:
    """A single profile has percentile 0: nobody has a lower value."""
    population = generated(SEED, 1)
    with stored(population) as session:
        compute_scores(session, MODEL, [name], NOW)
        found = stored_scores(session, name)
        expected = oracle.values_of(MODEL.score[name], events_of(session, population), MODEL, NOW)
        assert {owner: value for owner, (value, _) in found.items()} == pytest.approx(expected, rel=1e-6)
        assert [percentile for _, percentile in found.values()] == [0] * len(expected)


def test_the_warehouse_has_the_latest_hold_outs(session: Session) -> None:
    """Of each score with enough to compare, the warehouse has the hold-out that was found when it was computed."""
    computed = compute_scores(session, MODEL, NAMES, NOW)
    assert [each.held_out for each in known(session)] == [each.held_out for each in computed]
    assert any(each.held_out for each in computed)
    compute_scores(session, MODEL, NAMES, NOW - timedelta(days=5000))
    assert [each.held_out for each in known(session)] == [None] * len(NAMES)
    compute_scores(session, MODEL, NAMES, NOW)


def test_scores_that_are_not_declared_any_more_go(session: Session) -> None:
    """A score that left the profile model leaves the warehouse when scores are computed next."""
    declared = {field: getattr(MODEL, field) for field in Profiles.model_fields}
    fewer = Profiles(**{**declared, "scores": MODEL.scores[:2]})
    compute_scores(session, fewer, NAMES[:1], NOW)
    for table in ("score", "score_hold_out"):
        assert session.rows(f"select distinct score from warehouse.{table} order by 1") == [
            (name,) for name in sorted(NAMES[:2])
        ]
    compute_scores(session, MODEL, NAMES, NOW)


def test_a_sample_measures_the_same_profiles_everywhere(session: Session) -> None:
    """With `one_in`, a part of the profiles is measured, the same in values and periods; their events are all there."""
    measure = measure_of(MODEL.score["sms_affinity"], MODEL)
    owners = []
    for one_in in (1, 3):
        sampled = replace(measure, one_in=one_in)
        session.run(sampled.values(NOW))
        values = {owner for (owner,) in session.rows("select profile_id from temp.score_value")}
        session.run(sampled.period("happened_after", NOW - sampled.horizon, NOW))
        counts = dict(session.rows("select profile_id, happened from temp.happened_after"))
        owners.append((values, counts))
    (everybody, counts), (some, some_counts) = owners
    assert some < everybody
    assert len(everybody) / 6 < len(some) < len(everybody) / 1.5
    assert some_counts.keys() <= some
    assert some_counts == {owner: counts[owner] for owner in some_counts}


@pytest.mark.parametrize("name", NAMES)
def test_steps_read_what_earlier_ones_made(name: str) -> None:
    """Each step of a score reads only tables that an earlier step yields, and the warehouse."""
    measure = measure_of(MODEL.score[name], MODEL)
    made: set[str] = set()
    for each in measure.values(NOW):
        assert each.reads <= made, str(each)
        made.add(each.yields)
    assert "score_value" in made


def test_a_property_without_a_column_is_empty(session: Session, population: Population) -> None:
    """Before an import has made the column of a new property, each response counts, and nothing is expected."""
    known = set(warehouse_columns(session)) - {"event_email_opened.message_id", "event_order.total_revenue"}
    opens = MODEL.score["likely_to_open"]
    session.run(measure_of(opens, MODEL, known).values(NOW))
    found = dict(session.rows("select profile_id, value from temp.score_value"))
    each = opens.model_copy(update={"rate": Rate(of=("email_opened",), among=("email_delivered",))})
    expected = oracle.values_of(each, events_of(session, population), MODEL, NOW)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    session.run(measure_of(MODEL.score["value_score"], MODEL, known).values(NOW))
    assert session.rows("select distinct value from temp.score_value") == [(0.0,)]
