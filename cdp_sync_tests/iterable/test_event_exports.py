"""Events go to Iterable with the profiles of an export goal: each content once, in order, with every refusal named."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.iterable import batches, event_delivery
from cdp_sync.connectors.iterable.goals import IterableConnection, UserExportGoal
from cdp_sync.errors import ServerRefused
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.event_exporting import (
    TO_PURCHASE,
    TO_VISIT,
    WITH_EVENTS,
    happened,
    ids,
    item,
    stored,
)
from cdp_sync_tests.iterable.exchange import HOUR, NOON
from cdp_sync_tests.iterable.exporting import Exchange, audience, exchange, profile

ANN, BOB = "ann@example.com", "bob@example.com"


def goal(**declared: Any) -> UserExportGoal:
    """Return a goal with purchases and visits."""
    return audience(**{"events": [TO_PURCHASE, TO_VISIT]} | declared)


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path) -> Exchange:
    """Ann, who ordered and visited, and Bob, who visited."""
    crm = exchange(tmp_path / "crm", box, goal(), profiles=WITH_EVENTS)
    crm.hold([profile("ann"), profile("bob")])
    order = {"order_id": "o1", "total_revenue": 7.5, "coupon": "X", "products": [item(1), item(2, color="red")]}
    happened(crm, "order", 1, {"event_id": "o1", "days": 2, **order})
    happened(crm, "visit", 1, {"event_id": "v1", "days": 1, "store": "Köln", "minutes": 12})
    happened(crm, "visit", 2, {"event_id": "v2", "days": 3, "store": "Bonn"})
    return crm


def sent(crm: Exchange) -> int:
    """Return how many calls with events there were."""
    return sum(crm.box.calls.count(name, "POST") for name in ("events/trackBulk", "commerce/trackPurchase"))


def test_purchases_and_custom_events_arrive(crm: Exchange) -> None:
    """With ids, times and typed fields; further properties of items and of the event are data fields."""
    counters = crm.run().counters
    assert (counters.profiles_written, counters.events_written, counters.events_not_deliverable) == (2, 3, 0)
    found = stored(crm)
    assert sorted(found) == ["o1", "visit:v1", "visit:v2"]
    order = found["o1"]
    assert (order.type, order.user.email, order.created) == (
        "purchase", ANN, (NOON - timedelta(days=2)).timestamp(),
    )  # fmt: skip
    assert order.fields == {
        "order_id": "o1",
        "coupon": "X",
        "total": 7.5,
        "shoppingCartItems": [
            {"id": "s1", "name": "Cup 1", "price": 2.5, "quantity": 1, "dataFields": {}},
            {"id": "s2", "name": "Cup 2", "price": 2.5, "quantity": 2, "dataFields": {"color": "red"}},
        ],
    }
    visit = found["visit:v1"]
    assert (visit.type, visit.name, visit.fields) == (
        "customEvent", "Store visit", {"store": "Köln", "minutes": 12},
    )  # fmt: skip


def test_a_segment_over_events_chooses_whose_events_are_sent(crm: Exchange) -> None:
    """Only the events of those who meet the segment's condition on events are sent."""
    buyers = {"name": "buyers", "when": {"event": "order", "at_least": 1}}
    found = crm.profiles.model_dump(exclude={"segments"}, exclude_defaults=True)
    crm.profiles = type(crm.profiles).model_validate({**found, "segments": [buyers]})
    crm.goal = goal(segment="buyers")
    assert crm.run().counters.events_written == 2
    assert sorted(stored(crm)) == ["o1", "visit:v1"]


def test_values_of_every_type(crm: Exchange) -> None:
    """Numbers, decimals and truth values as such; dates and times as Iterable writes them; several as an array."""
    values = {
        "minutes": 3, "left_at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "day": "2026-03-29", "spent": 3,
        "paid": False, "tags": ["a", "b"], "store": 'quoted "and" \\ ✓',
    }  # fmt: skip
    happened(crm, "visit", 2, {"event_id": "v3", **values})
    crm.run()
    assert stored(crm)["visit:v3"].fields == {
        "minutes": 3, "left_at": "2026-03-29 01:30:00 +00:00", "day": "2026-03-29 00:00:00 +00:00", "spent": 3.0,
        "paid": False, "tags": ["a", "b"], "store": 'quoted "and" \\ ✓',
    }  # fmt: skip


def test_each_content_is_sent_once(crm: Exchange) -> None:
    """A run without anything new makes no call; a changed event replaces itself, and a new one is added."""
    crm.run()
    before = sent(crm)
    assert crm.run().counters.events_written == 0
    assert sent(crm) == before
    crm.box.clock.advance(HOUR)
    happened(crm, "visit", 1, {"event_id": "v1", "store": "Essen"}, {"event_id": "v4"})
    assert crm.run().counters.events_written == 2
    assert (stored(crm)["visit:v1"].fields, len(stored(crm))) == ({"store": "Essen"}, 4)
    assert crm.run().counters.events_written == 0
    assert crm.rows("select count(*), count(distinct event_hash) from warehouse.exported_event") == [(4, 4)]


def test_events_that_wait_are_not_sent(crm: Exchange) -> None:
    """An event without person or time is sent when it has both."""
    happened(crm, "visit", 1, {"event_id": "w1", "profile_id": None}, {"event_id": "w2", "happened_at": None})
    assert crm.run().counters.events_written == 3
    crm.box.clock.advance(HOUR)
    happened(crm, "visit", 1, {"event_id": "w1"}, {"event_id": "w2"})
    assert crm.run().counters.events_written == 2


def test_people_who_enter_the_segment_bring_all_their_events(crm: Exchange) -> None:
    """Also what happened while they were out of it; what they have sent before is not sent again."""
    crm.goal = goal(segment="keen")
    crm.change("update warehouse.profile set keen = email = 'ann@example.com'")
    assert crm.run().counters.events_written == 2
    crm.change("update warehouse.profile set keen = email <> 'ann@example.com'")
    crm.box.clock.advance(HOUR)
    happened(crm, "visit", 1, {"event_id": "v5"})
    happened(crm, "visit", 2, {"event_id": "v6"})
    assert crm.run().counters.events_written == 2  # both of Bob
    crm.change("update warehouse.profile set keen = true")
    assert crm.run().counters.events_written == 1
    assert sorted(stored(crm)) == ["o1", "visit:v1", "visit:v2", "visit:v5", "visit:v6"]


def test_a_segment_may_ask_for_events(crm: Exchange) -> None:
    """New events of people go along whose values are the same, also where events put them into the segment."""
    crm.goal = goal(segment="visitors")
    assert crm.run().counters.events_written == 3
    crm.box.clock.advance(HOUR)
    happened(crm, "visit", 1, {"event_id": "v5"})
    counters = crm.run().counters
    assert (counters.profiles_same, counters.events_written) == (2, 1)


def test_users_who_do_not_exist_get_no_events(crm: Exchange) -> None:
    """Without `create_users`: an event would create the user. They come with the user."""
    crm.goal = goal(create_users=False)
    crm.box.load([{"email": ANN}])
    counters = crm.run().counters
    assert (counters.profiles_unmatched, counters.events_written) == (1, 2)
    assert crm.emails() == {ANN}
    crm.box.load([{"email": BOB}])
    assert crm.run().counters.events_written == 1


def test_an_event_of_another_person_moves(crm: Exchange) -> None:
    """Whose event it is belongs to what is sent; so does the address."""
    crm.run()
    crm.box.clock.advance(HOUR)
    happened(crm, "visit", 2, {"event_id": "v1", "store": "Köln", "minutes": 12})
    assert crm.run().counters.events_written == 1
    crm.change("update warehouse.profile set email = 'new@example.com' where email = 'bob@example.com'")
    assert crm.run().counters.events_written == 2


@pytest.mark.parametrize(("period", "expected"), [
    ({"after": "2026-04-29"}, ["v1", "v3"]),
    ({"after": "2026-04-29T12:00:01+00:00"}, ["v1"]),
    ({"in_last_days": 2}, ["v1", "v3"]),
    ({"in_last_days": 1}, ["v1"]),
    ({"before": "2026-04-29"}, ["v2"]),
    ({"before": "2026-04-29T12:00:00"}, ["v2"]),
    ({"before": "2026-04-29T12:00:01Z"}, ["v2", "v3"]),
    ({"after": "2026-04-28T12:00:00Z", "before": "2026-04-30"}, ["v2", "v3"]),
    ({"after": "2026-04-29", "before": "2026-04-30"}, ["v3"]),
    ({}, ["v1", "v2", "v3"]),
])  # fmt: skip
def test_periods(period: dict[str, Any], expected: list[str], crm: Exchange) -> None:
    """Between two moments, or the last days: an event leaves at the midnight UTC after so many days. Noon is 1 May."""
    happened(crm, "visit", 1, {"event_id": "v3", "days": 2})
    crm.goal = goal(events=[{**TO_VISIT, **period}])
    crm.run()
    assert sorted(stored(crm)) == [f"visit:{name}" for name in expected]


def test_events_go_in_order_for_each_person(crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest first, whatever the batches and portions."""
    monkeypatch.setattr(event_delivery, "MOST_EVENTS", 20)
    monkeypatch.setattr(batches, "MOST_USERS", 3)
    for person in (1, 2):
        events = [{"event_id": f"p{person}n{number}", "days": 100 - number} for number in range(30)]
        happened(crm, "visit", person, *events)
    assert crm.run().counters.events_written == 63
    assert crm.box.calls.count("events/trackBulk", "POST") >= 62 / 3
    for person in (1, 2):
        of_person = [name for name in ids(stored(crm).values()) if name.startswith(f"visit:p{person}n")]
        assert of_person == [f"visit:p{person}n{number}" for number in range(30)]


def test_refusals_are_named_and_others_arrive(crm: Exchange) -> None:
    """An event with a value of another type, and a purchase that cannot be one; both are sent again until they fit."""
    crm.run()
    crm.box.clock.advance(HOUR)
    crm.box.events.save("customEvent", crm.user(ANN), {"eventName": "Store visit"}, {"spent": "text"}, create=True)
    happened(crm, "visit", 1, {"event_id": "bad", "spent": 2}, {"event_id": "good", "store": "Ulm"})
    lacking = [item(1, netprice=None)]
    happened(crm, "order", 1, {"event_id": "o2", "total_revenue": 1, "products": lacking}, {"event_id": "o3"})
    happened(crm, "visit", 2, {"event_id": "nul", "store": "a\0b"})
    counters = crm.run().counters
    assert (counters.events_written, counters.events_not_deliverable) == (1, 4)
    found = dict(crm.rows("select raw, reason from warehouse.quarantine where kind = 'events_not_deliverable'"))
    assert "spent is string" in found.pop("visit bad")
    assert found == {
        "order o2": "an item of the purchase lacks one of id, netprice, quantity",
        "order o3": "the purchase has no total_revenue",
        "visit nul": "a value holds a NUL byte",
    }
    crm.box.clock.advance(HOUR)
    happened(crm, "order", 1, {"event_id": "o3", "total_revenue": 3})
    counters = crm.run().counters
    assert (counters.events_written, counters.events_not_deliverable) == (1, 3)
    assert stored(crm)["o3"].fields["shoppingCartItems"] == []


def test_long_ids_are_digests(crm: Exchange) -> None:
    """An id may have 512 bytes; the digest of a longer one stays the same."""
    happened(crm, "visit", 1, {"event_id": "é" * 300})
    assert crm.run().counters.events_written == 4
    assert sorted(len(name) for name in stored(crm)) == [2, 8, 8, 64]


def test_a_name_that_is_not_allowed_fails_the_goal(crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which."""
    from cdp_sync.connectors.iterable.client import IterableClient

    ask = IterableClient.ask

    def disallowing(*given: Any, **more: Any) -> Any:
        answer = ask(*given, **more)
        return answer | {"disallowedEventNames": ["Store visit"]} if given[1].endpoint == "events/trackBulk" else answer

    monkeypatch.setattr(IterableClient, "ask", disallowing)
    with pytest.raises(ServerRefused, match="called Store visit"):
        crm.run()


def test_a_changed_declaration_sends_what_differs(crm: Exchange) -> None:
    """Events whose content is another one under the new declaration, and no others."""
    crm.run()
    crm.goal = goal(events=[TO_PURCHASE, {**TO_VISIT, "map": [{"field": "shop", "property": "store"}]}])
    assert crm.run().counters.events_written == 2
    assert stored(crm)["visit:v1"].fields == {"shop": "Köln"}


def test_declared_events_are_checked() -> None:
    """Unknown types, properties and items are named with what is allowed."""
    wrong = goal(
        events=[
            {"type": "ordr", "to": "purchase"},
            {"type": "visit", "to": "x", "map": [{"field": "a", "property": "stoer"}], "total": "spent"},
        ]
    )
    problems = list(wrong.problems(WITH_EVENTS))
    assert problems[0].startswith("events[0].type: 'ordr' is unknown; did you mean 'order'?")
    assert problems[1].startswith("events[1].map[0].property: 'stoer' is unknown; did you mean 'store'?")
    assert problems[2] == "events[1].total: is for purchases only"
    purchase = goal(events=[{"type": "visit", "to": "purchase"}])
    total, items = purchase.problems(WITH_EVENTS)
    assert total.startswith("events[0].total: no property is called so; allowed: store")
    assert items.startswith("events[0].items.list: 0 nested lists")
    named = goal(events=[{**TO_PURCHASE, "items": {"price": "prize"}}])
    assert "items.price: 'prize' is no property of the items; did you mean 'netprice'?" in next(
        iter(named.problems(WITH_EVENTS))
    )
    for border in ("after", "before"):
        with pytest.raises(ValidationError, match=f"{border} and in_last_days are both given"):
            goal(events=[{**TO_VISIT, border: "2026-01-01", "in_last_days": 3}])
    with pytest.raises(ValidationError, match="before: found 2026-01-01, which is not later than after: 2026-01-01"):
        goal(events=[{**TO_VISIT, "after": "2026-01-01T00:00:00Z", "before": "2026-01-01"}])


BASKET = {"type": "basket", "to": "purchase"}


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (
            [TO_PURCHASE],
            [TO_VISIT, BASKET],
            r"export_profiles\[1\].events\[1\]: basket of the goal b and order of the goal a are both purchases",
        ),
        (
            [TO_PURCHASE, BASKET],
            [],
            r"export_profiles\[0\].events\[1\]: basket of the goal a and order of the goal a are both purchases",
        ),
        (
            [TO_VISIT],
            [{**TO_VISIT, "to": "Visit"}],
            r"export_profiles\[1\].events\[0\]: visit goes to 'Visit' by the goal b and to 'Store visit' by the goal a",
        ),
        ([TO_PURCHASE, TO_VISIT], [TO_VISIT, {"type": "order", "to": "Order"}, TO_PURCHASE], ""),
    ],
)
def test_events_of_a_connection_have_ids_of_their_own(
    first: list[dict[str, str]], second: list[dict[str, str]], problem: str
) -> None:
    """Iterable replaces an event whose id it knows: types and names that share ids are refused, in whatever goals."""
    goals = [
        audience(name=name, events=events).model_dump(mode="json", exclude_unset=True)
        for name, events in (("a", first), ("b", second))
    ]
    declared = {"name": "crm", "api_key_env": "KEY", "export_profiles": goals}
    with pytest.raises(ValidationError, match=problem) if problem else nullcontext():
        IterableConnection.model_validate(declared)


def test_without_a_table_there_is_nothing_to_send(box: IterableSandbox, tmp_path: Path) -> None:
    """A type that nothing was imported of has no table yet."""
    crm = exchange(tmp_path / "crm", box, goal(), profiles=WITH_EVENTS)
    crm.hold([profile("ann")])
    counters = crm.run().counters
    assert (counters.profiles_written, counters.events_written) == (1, 0)
