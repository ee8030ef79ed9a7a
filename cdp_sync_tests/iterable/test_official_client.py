"""Iterable's official client, the product and the sandbox agree on one state: each reads what the others write."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.event_exporting import TO_PURCHASE, TO_VISIT, WITH_EVENTS, happened, item
from cdp_sync_tests.iterable.exchange import KEY, NOON, Crm, column, users_goal
from cdp_sync_tests.iterable.exporting import audience, exchange, mapped, profile
from cdp_sync_tests.sandbox.iterable.official_client import OfficialClient, why_absent

pytestmark = pytest.mark.skipif(why_absent() is not None, reason=str(why_absent()))

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
NAMES = ("text_one", "number_one", "decimal_one", "date_one", "boolean_one", "text_list")
HELD = {
    "text_one": "Zoë", "number_one": 7, "decimal_one": Decimal("2.5"), "date_one": date(1990, 2, 1),
    "boolean_one": False, "text_list": ["art", "films"],
}  # fmt: skip
SHOWN = {**HELD, "decimal_one": 2.5, "date_one": "1990-02-01 00:00:00 +00:00"}


def test_all_agree_on_one_state(box: IterableSandbox, tmp_path: Path) -> None:
    """The client reads an exported segment with its types, and an import reads the changes of the client."""
    crm = exchange(tmp_path / "crm", box, audience(map=[mapped(name) for name in NAMES], lists=["News"]))
    crm.hold([profile("ann", **HELD), profile("bob", text_one="bob")])
    assert crm.run().counters.profiles_written == 2
    with OfficialClient(box.url, KEY) as client:
        news = next(each for each in client.call("getLists")["lists"] if each["name"] == "News")
        assert client.call("getListUsers", listId=news["id"]) == {"users": [{"email": ANN}, {"email": BOB}]}
        fields = client.call("getUserByEmail", email=ANN)["user"]["dataFields"]
        assert {name: fields[name] for name in NAMES} == SHOWN
        types = client.call("getUserFields")["fields"]
        assert [types[name] for name in NAMES[:5]] == ["string", "long", "double", "date", "boolean"]

        crm.box.clock.advance(60)
        client.call("bulkUpdateUsers", users=[{"email": ANN, "dataFields": {"number_one": 8}}])
        client.call("subscribeUserToList", listId=news["id"], subscribers=[{"email": CAT}])
        client.call("unsubscribeUserFromList", listId=news["id"], subscribers=[{"email": BOB}])
    names = NAMES[:3]
    goal = users_goal(**{"from": {"lists": ["News"]}}, map=[column(name, name) for name in names])
    read = Crm(folder=tmp_path / "read", box=box, goal=goal)
    assert read.run().counters.rows_applied == 2
    assert read.people("email", *names) == [(ANN, "Zoë", 8, Decimal("2.5")), (CAT, None, None, None)]


def test_the_client_reads_exported_events(box: IterableSandbox, tmp_path: Path) -> None:
    """Purchases with items, total and time, and custom events with their fields, the newest first."""
    goal = audience(events=[TO_PURCHASE, TO_VISIT])
    crm = exchange(tmp_path / "crm", box, goal, profiles=WITH_EVENTS)
    crm.hold([profile("ann")])
    order = {
        "event_id": "o1",
        "days": 2,
        "total_revenue": Decimal("12.5"),
        "coupon": "X",
        "products": [item(1), item(2)],
    }
    happened(crm, "order", 1, order)
    happened(crm, "visit", 1, {"event_id": "v1", "store": "Köln", "minutes": 5})
    assert crm.run().counters.events_written == 2
    with OfficialClient(box.url, KEY) as client:
        visit, purchase = client.call("getUserEventsByEmail", email=ANN, limit=10)["events"]
    assert (visit["eventType"], visit["eventName"], visit["dataFields"]) == (
        "customEvent", "Store visit", {"store": "Köln", "minutes": 5},
    )  # fmt: skip
    assert purchase["eventType"] == "purchase"
    assert purchase["createdAt"] == f"{NOON - timedelta(days=2):%Y-%m-%d %H:%M:%S} +00:00"
    fields = purchase["dataFields"]
    assert (fields["total"], fields["coupon"]) == (12.5, "X")
    assert [(each["id"], each["name"], each["price"], each["quantity"]) for each in fields["shoppingCartItems"]] == [
        ("s1", "Cup 1", 2.5, 1), ("s2", "Cup 2", 2.5, 2),
    ]  # fmt: skip
