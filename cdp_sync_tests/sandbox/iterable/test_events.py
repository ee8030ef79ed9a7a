"""Events and purchases of Iterable's sandbox."""

import json
from typing import Any

import pytest

from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.sandbox.iterable.conftest import KEY, NOON, Api, refused

ANN = "ann@example.com"
ITEM = {"id": "s1", "name": "Cup", "price": 2, "quantity": 3}


def exported(api: Api, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return the lines of an export."""
    return [json.loads(line) for line in api.get(f"export/{path}", **query).text.splitlines()]


def test_an_event_with_an_id_is_replaced(api: Api) -> None:
    """An event with a known id is replaced. Events are listed newest first, up to a maximum."""
    for body in ({"id": "e1", "dataFields": {"n": 1}}, {"id": "e1", "dataFields": {"n": 2}}, {"createdAt": NOON + 60}):
        assert api.post("events/track", email=ANN, eventName="visit", **body).json()["code"] == "Success"
    found = api.get(f"events/{ANN}").json()["events"]
    assert [(each.get("dataFields"), each["createdAt"]) for each in found] == [
        ({}, "2024-05-01 12:01:00 +00:00"), ({"n": 2}, "2024-05-01 12:00:00 +00:00"),
    ]  # fmt: skip
    assert len(api.get(f"events/{ANN}", limit=1).json()["events"]) == 1
    assert refused(api.get(f"events/{ANN}", limit=201)) == (400, "BadParams")
    assert api.get("events/bob@example.com").json() == {"events": []}


@pytest.mark.parametrize("moment", [NOON, NOON * 1000])
def test_times_are_seconds_or_milliseconds(moment: float, api: Api) -> None:
    """Seconds and milliseconds yield the same time."""
    api.post("events/track", email=ANN, eventName="visit", createdAt=int(moment))
    assert api.get(f"events/{ANN}").json()["events"][0]["createdAt"] == "2024-05-01 12:00:00 +00:00"


def test_fields_of_events_have_types_by_name(api: Api) -> None:
    """A field's type belongs to the event name, and a value of another type is refused."""
    for name, value in (("one", 1), ("two", "x")):
        assert api.post("events/track", email=ANN, eventName=name, dataFields={"n": value}).ok
    answer = api.post("events/track", email=ANN, eventName="one", dataFields={"n": "x"})
    assert refused(answer) == (400, "RequestFieldsTypesMismatched")
    assert refused(api.post("events/track", email=ANN, eventName="one", id="x" * 513)) == (400, "BadParams")
    assert refused(api.post("events/track", email=ANN)) == (400, "BadParams")


def test_many_events(api: Api) -> None:
    """Events of unknown or invalid users are listed as failures; the others are stored."""
    events = [
        {"email": ANN, "eventName": "visit"},
        {"email": "bad", "eventName": "x"},
        {"userId": "u", "eventName": "x"},
    ]
    answer = api.post("events/trackBulk", events=events).json()
    assert (answer["successCount"], answer["failCount"], answer["disallowedEventNames"]) == (1, 2, [])
    assert answer["failedUpdates"] == {
        "invalidEmails": ["bad"], "invalidUserIds": [], "notFoundEmails": [], "notFoundUserIds": ["u"],
        "forgottenEmails": [], "forgottenUserIds": [],
    }  # fmt: skip


def test_a_purchase_writes_its_user_and_empties_the_cart(api: Api) -> None:
    """The purchased items are `shoppingCartItems` of the event, and a cart update is an event of its own."""
    api.post("commerce/updateCart", user={"email": ANN}, items=[ITEM])
    assert api.user(ANN)["shoppingCartItems"] == [{**ITEM, "price": 2.0}]
    purchase = {"user": {"email": ANN, "dataFields": {"vip": True}}, "items": [ITEM], "total": 6}
    assert api.post("commerce/trackPurchase", id="o1", dataFields={"coupon": "X"}, **purchase).ok
    fields = api.user(ANN)
    assert (fields["vip"], "shoppingCartItems" in fields) == (True, False)
    line = exported(api, "data.json", dataTypeName="purchase", range="All")[0]
    assert (line["total"], line["shoppingCartItems.price"], line["coupon"]) == (6.0, [2.0], "X")
    cart = exported(api, "data.json", dataTypeName="customEvent", range="All")[0]
    assert (cart["eventName"], cart["updatedShoppingCartItems.quantity"]) == ("updateCart", [3])
    for bad in ({"total": None}, {"items": [{"id": "s1"}]}, {"items": None}):
        assert api.post("commerce/trackPurchase", **purchase | bad).status_code == 400


def test_all_events_of_a_user(api: Api) -> None:
    """An export has one flat line per event with its type, and custom events on request."""
    purchase = {"user": {"email": ANN}, "items": [ITEM], "total": 6}
    api.post("commerce/trackPurchase", **purchase)
    api.post("events/track", email=ANN, eventName="visit", dataFields={"page": {"title": "Home"}})
    assert [line["_type"] for line in exported(api, "userEvents", email=ANN)] == ["purchase"]
    found = exported(api, "userEvents", email=ANN, includeCustomEvents="true")
    assert [line["_type"] for line in found] == ["purchase", "customEvent"]
    assert found[1]["page.title"] == "Home"


def test_events_are_kept_with_their_users() -> None:
    """A sandbox that loads what another one held has its events, and gives new ones other ids."""
    with IterableSandbox(api_key=KEY) as first:
        ask = Api(first)
        ask.post("commerce/trackPurchase", id="o1", user={"email": ANN}, items=[ITEM], total=6, createdAt=NOON)
        ask.post("events/track", email=ANN, eventName="visit", createdAt=NOON - 60, dataFields={"n": 1})
        before = ask.get(f"events/{ANN}").json()["events"]
        held = json.loads(json.dumps([*first.dump()]))
    second = IterableSandbox(api_key=KEY)
    second.load(held)
    with second:
        ask = Api(second)
        kept = ask.get(f"events/{ANN}").json()["events"]
        ask.post("events/track", email=ANN, eventName="visit", createdAt=NOON - 120)
        ids = [each["_id"] for each in ask.get(f"events/{ANN}").json()["events"]]
    same = ("_id", "eventType", "eventName", "createdAt", "dataFields")
    assert [[each.get(name) for name in same] for each in kept] == [
        [each.get(name) for name in same] for each in before
    ]
    assert len(ids) == len(set(ids)) == 3
