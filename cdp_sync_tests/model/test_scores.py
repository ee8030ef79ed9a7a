"""Declared scores: what they are read as, and the messages of those that are refused."""

from typing import Any

import pytest

from cdp_sync.model import Lifecycle, Profiles, Score, Segment
from cdp_sync.model.asked import asked_scores
from cdp_sync.model.consistency import find_lifecycle_problems, find_profile_problems
from cdp_sync.model.reading import read_text

MAIL = {"rate": {"of": "email_opened", "among": "email_delivered"}}


def profiles(**declared: Any) -> Profiles:
    """Return a profile model with ready-made types of events and further declarations."""
    events = ["order", "email_opened", "email_delivered", {"name": "visit", "properties": [{"name": "page"}]}]
    return Profiles.model_validate({"properties": [{"name": "email"}], "event_types": events, **declared})


def problems_of(**declared: Any) -> list[str]:
    """Return the problems of one score, without their place."""
    found = find_profile_problems(profiles(scores=[{"name": "scored", **declared}]))
    return [problem.removeprefix("scores[0].") for problem in found]


@pytest.mark.parametrize(
    "declared",
    [
        MAIL,
        {"rate": {"of": ["email_opened", "visit"], "among": ["email_delivered"]}, "half_life_days": 7},
        {"rate": {"of": "email_opened", "among": "email_delivered", "once_per": "message_id"}},
        {"share": {"of": "order", "where": {"property": "coupon", "has_value": True}}},
        {"share": {"of": "order", "where": {"items": "products", "property": "netprice", "at_least": 9}}},
        {"expected_value": "order.total_revenue", "horizon_days": 365},
        {"expected_value": "order.quantity"},
    ],
)
def test_a_score_is_read_as_a_number(declared: dict[str, Any]) -> None:
    """Each kind of score is in order, and is read as a number of its name and title."""
    scored = {"name": "scored", "title": "Scored", **declared}
    found = profiles(scores=[scored])
    assert find_profile_problems(found) == []
    read = found.readable["scored"]
    assert (read.name, read.title, read.sql_type) == ("scored", "Scored", "BIGINT")
    assert found.unknown("scored").startswith("'scored' is a score, computed of events and never imported; allowed: ")
    assert "scored" in found.reserved


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"rate": {"of": "opened", "among": "visit"}}, "rate.of: 'opened' is unknown; "),
        ({"rate": {"of": ["visit", "x"], "among": "visit"}}, "rate.of: 'x' is unknown; "),
        ({"rate": {"of": "visit", "among": "delivered"}}, "rate.among: 'delivered' is unknown; "),
        (
            {"rate": {"of": ["email_opened", "visit"], "among": "email_delivered", "once_per": "message_id"}},
            "rate.once_per: 'visit' has no property 'message_id' with one value; allowed: page",
        ),
        (
            {"rate": {"of": "order", "among": "visit", "once_per": "products"}},
            "rate.once_per: 'order' has no property 'products' with one value; ",
        ),
        ({"share": {"of": "ordr", "where": {"property": "x", "is_empty": True}}}, "share.of: 'ordr' is unknown; "),
        (
            {"share": {"of": "order", "where": {"property": "cupon", "has_value": True}}},
            "share.where.property: 'cupon' is unknown; did you mean 'coupon'?",
        ),
        ({"expected_value": "ordr.total_revenue"}, "expected_value: 'ordr' is unknown; did you mean 'order'?"),
        (
            {"expected_value": "order.coupon"},
            "expected_value: 'order' has no property 'coupon' that is one number or decimal; allowed: total_revenue",
        ),
        (
            {"expected_value": "order.products"},
            "expected_value: 'order' has no property 'products' that is one number or decimal; ",
        ),
    ],
)
def test_scores_that_do_not_fit_their_events_are_refused(declared: dict[str, Any], expected: str) -> None:
    """A message says what was found, and what is allowed."""
    (problem,) = problems_of(**declared)
    assert problem.startswith(expected)


HEAD = """\
type: cdp_sync.components.ProfileModel
attributes:
  properties: [{name: email, type: email}]
  event_types: [order]
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scores: [{name: a}]", "scores[0]: found none of them; needed is one of rate, share, expected_value"),
        (
            "scores: [{name: a, expected_value: order.tax, share: {of: order, where: {property: tax, at_least: 1}}}]",
            "scores[0]: found share and expected_value; needed is one of rate, share, expected_value",
        ),
        (
            "scores: [{name: a, expected_value: order.tax, half_life_days: 3}]",
            "scores[0].half_life_days: goes with rate and share; expected_value weighs all events alike",
        ),
        ("scores: [{name: a, expected_value: order}]", "scores[0].expected_value: found 'order'; needed is"),
        ("scores: [{name: a, rate: {of: [], among: order}}]", "scores[0].rate.of: "),
        ("scores: [{name: email, expected_value: order.tax}]", "scores: email: a property or a rollup has this name; "),
        (
            "scores: [{name: a, expected_value: order.tax}, {name: a, expected_value: order.tax}]",
            "scores: declared more than once: a",
        ),
        (
            "rollups: [{name: a, event: order, count: true}]\n  scores: [{name: a, expected_value: order.tax}]",
            "scores: a: a property or a rollup has this name; choose another name",
        ),
        ("scores_schedule: {every_minutes: 0}", "scores_schedule.every_minutes: found 0; allowed are whole numbers"),
    ],
)
def test_contradictory_declarations_are_refused(text: str, expected: str) -> None:
    """What does not go together is one problem with its place."""
    (problem,) = read_text(f"{HEAD}  {text}\n").problems
    assert problem.startswith(f"attributes.{expected}"), problem


def test_segments_ask_for_scores() -> None:
    """The scores that a segment's own condition reads are known, each once."""
    both = {"any": [{"property": "opens", "at_least": 90}, {"not": {"property": "opens", "has_value": True}}]}
    found = profiles(scores=[{"name": "opens", **MAIL}], segments=[{"name": "keen", "when": both}])
    assert find_profile_problems(found) == []
    assert found.asked_scores("keen") == ("opens",)
    assert isinstance(found.segment("keen"), Segment)


def test_lifecycles_ask_for_scores() -> None:
    """The scores that a lifecycle reads are known, also by a segment; one that is made of its stages is refused."""
    keen = {"name": "keen", "when": {"property": "opens", "at_least": 90}}
    moves = {"name": "moves", "rate": {"of": "stage_changed", "among": "visit"}}
    enter = {"property": "email", "has_value": True}
    declared = {"name": "welcome", "enter": enter, "stages": [{"name": "first", "when": {"segment": "keen"}}]}
    welcome = Lifecycle.model_validate(declared)
    found = profiles(scores=[{"name": "opens", **MAIL}, moves], segments=[keen]).with_lifecycles([welcome])
    assert asked_scores([welcome.stages[0].when], found) == ("opens",)
    assert find_lifecycle_problems(welcome, found) == []
    looping = Lifecycle.model_validate({**declared, "complete": {"property": "moves", "at_least": 1}})
    (problem,) = find_lifecycle_problems(looping, found)
    assert problem.startswith("complete: it asks for stage_changed")


def test_a_score_says_what_it_is() -> None:
    """Its words have the events, and how they count."""
    of_mail = Score.model_validate({"name": "opens", **MAIL, "half_life_days": 30})
    assert of_mail.words == (
        "Responses (email_opened) to messages (email_delivered); an event counts half after 30 days."
    )
    worth = Score(name="worth", expected_value="order.total_revenue")
    assert worth.words == "The expected sum of order.total_revenue in the next 90 days."
    assert worth.events == ("order",)
