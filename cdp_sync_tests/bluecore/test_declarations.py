"""Declared exports: what is refused, with its place in the declaration, and which goals they become."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.bluecore.goals import BluecoreExports
from cdp_sync.model import Profiles, kind_of
from cdp_sync.model.consistency import find_clashes, find_problems
from cdp_sync.model.kind import FILLED
from cdp_sync_tests.bluecore.mailing import TYPES, esp, exports, profiles

OUT = {"directory": "/outbox"}
SENT = {"vendor": "Files.com", "directory": "/outbox"}
BIG = {"name": "big", "audience": "everybody"}


def test_the_goals_are_ordinary_ones_with_names_of_their_own() -> None:
    """Each section becomes a goal of its name, after those that are declared beside it."""
    own = {"name": "visits", "events": ["email_opened"], "map": [{"field": "id", "event_id": True}]}
    connection = exports(esp_events=esp(), unsubscribes=OUT, export_events=[own])
    assert [goal.name for goal in connection.goals] == ["visits", "esp_events", "unsubscribes"]
    assert kind_of(connection).name == "BluecoreExports"
    assert find_problems(connection, profiles()) == []
    with pytest.raises(ValidationError, match="export_events: more than one goal is called esp_events"):
        exports(esp_events=esp(), export_events=[own | {"name": "esp_events"}])


def test_a_connection_that_is_read_again_has_the_same_goals() -> None:
    """Dagster validates a declaration twice, the second time with its templates filled."""
    connection = exports(esp_events=esp(), unsubscribes=OUT)
    given = {name: getattr(connection, name) for name in connection.model_fields_set}
    again = BluecoreExports.model_validate(given | {"export_events": connection.export_events}, context=FILLED)
    assert [goal.name for goal in again.goals] == ["esp_events", "unsubscribes"]
    assert again.goals == connection.goals


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"esp_events": esp(events={"Sent": "email_delivered"})}, "Deliver"),
        ({"esp_events": esp(events={})}, "esp_events.events"),
        (
            {"esp_events": esp(events={"Open": "email_opened", "Click": "email_opened"})},
            "events: Click and another event are both email_opened; needed is one, or a property",
        ),
        (
            {
                "esp_events": esp(
                    events={
                        "Hard bounce": TYPES["Hard bounce"],
                        "Soft bounce": {"type": "email_bounced", "property": "reason", "equals": "soft"},
                    }
                )
            },
            "needed are values of one property",
        ),
        (
            {"esp_events": esp(properties={"campaing_id": "x"})},
            "'campaing_id' is no field with a property; did you mean",
        ),
        ({"esp_events": esp(properties={"event_time": "x"})}, "properties: 'event_time' is no field with a property"),
        ({"esp_events": esp(optional=["variant_id"])}, "optional: generation 1 has these fields"),
        ({"unsubscribes": OUT | {"properties": {"click_url": "url"}}}, "'click_url' is no field with a property"),
        ({"namespace": ""}, "namespace"),
        ({"campaigns": [BIG]}, "campaigns: needed beside them is `integration`"),
        (
            {"integration": SENT, "campaigns": [BIG | {"eligible": "known"}]},
            "campaigns[0].eligible: needed is `eligibility` of the integration",
        ),
        (
            {
                "integration": SENT | {"eligibility": {"unsubscribed": "keen"}},
                "campaigns": [BIG, BIG | {"name": "x", "eligible": "opted_in"}],
            },
            "campaigns[1].eligible: needed is `opted_in` of the integration",
        ),
        ({"integration": SENT | {"eligibility": {}}}, "found neither opted_in nor unsubscribed"),
        ({"integration": SENT | {"email": None}}, "email and phone: found neither"),
        ({"integration": SENT | {"file_name": "a/b.csv"}}, "integration.file_name"),
        ({"integration": SENT | {"file_name": "{campagn}.csv"}}, "found '{campagn}'; only `{campaign}` stands for"),
        (
            {"integration": SENT | {"definitions": {"customers": ["name", "email"]}}},
            "definitions.customers[1]: email is the column 'email' as well; leave one out",
        ),
        (
            {
                "integration": SENT,
                "campaigns": [BIG | {"at": "2027-01-01T00:00:00Z", "schedule": {"every_minutes": 9}}],
            },
            "at and schedule are both given; needed is one of them, or none",
        ),
        ({"integration": SENT, "campaigns": [BIG | {"at": "2027-01-01T00:00:00"}]}, "timezone"),
        ({"integration": SENT, "campaigns": [BIG, BIG]}, "export_profiles: more than one goal is called big"),
    ],
)
def test_what_does_not_fit_together_is_refused(declared: dict[str, Any], problem: str) -> None:
    """The message names the key, what was found and what is needed."""
    with pytest.raises(ValidationError, match=re.escape(problem)):
        exports(**declared)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"esp_events": esp(events={"Open": "opened"})}, "esp_events.events: 'opened' is unknown"),
        (
            {"esp_events": esp(events={"Hard bounce": TYPES["Hard bounce"] | {"property": "kinds"}})},
            "esp_events.events.email_bounced.property: 'kinds' is no text; did you mean 'kind'",
        ),
        ({"esp_events": esp(email="mail")}, "esp_events.email: 'mail' is unknown"),
        (
            {"esp_events": esp(properties={"journey_id": "way"})},
            "esp_events.properties.journey_id: 'way' is unknown",
        ),
        ({"unsubscribes": OUT | {"event": "unsubscribed"}}, "unsubscribes.event: 'unsubscribed' is unknown"),
        ({"integration": SENT | {"phone": "tel"}}, "integration.phone.property: 'tel' is unknown"),
        (
            {"integration": SENT | {"definitions": {"customers": ["name", "ful_name"]}}},
            "integration.definitions.customers[1].property: 'ful_name' is unknown",
        ),
        (
            {"integration": SENT | {"definitions": {"scores": ["name"]}}},
            "integration.definitions.scores[0]: 'name' is no score",
        ),
        (
            {"integration": SENT | {"definitions": {"products": [{"group": "stores", "property": "city"}]}}},
            "integration.definitions.products[0].group",
        ),
        (
            {"integration": SENT | {"eligibility": {"opted_in": "readers"}}},
            "integration.eligibility.first_segment: 'readers' is unknown",
        ),
        ({"integration": SENT, "campaigns": [BIG | {"audience": "all"}]}, "campaigns[0].audience: 'all' is unknown"),
    ],
)
def test_what_does_not_fit_the_profile_has_its_place(declared: dict[str, Any], problem: str) -> None:
    """Problems name the keys that the author wrote, not the goal that is made of them."""
    (found,) = find_problems(exports(**declared), profiles())
    assert found.startswith(problem)


def test_a_type_without_the_properties_of_the_ready_made_ones_is_exported() -> None:
    """Fields that no type has are empty; only what `properties` names has to be there."""
    bare = Profiles.model_validate(
        {"properties": [{"name": "email", "type": "email"}], "event_types": [{"name": "seen", "properties": []}]}
    )
    assert find_problems(exports(esp_events=OUT | {"events": {"Open": "seen"}}), bare) == []


def test_names_in_the_catalog_do_not_clash() -> None:
    """A goal of another connection that would have the same key is refused at its place."""
    other = exports(name="bluecore__esp_events", unsubscribes=OUT)
    assert [*find_clashes([exports(esp_events=esp()), other])] == []
    clash = [*find_clashes([exports(esp_events=esp()), exports(unsubscribes=OUT)])]
    assert [place for place, _ in clash] == [1]
