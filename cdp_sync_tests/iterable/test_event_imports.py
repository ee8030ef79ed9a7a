"""Events of Iterable as an import's rows: windows with a watermark for each type, and both shapes of a purchase."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.iterable.goals import UserImportGoal
from cdp_sync.model import Profiles
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    PROFILES,
    Crm,
    bring,
    column,
    iterable,
    users_goal,
)

ANN, BOB = "ann@example.com", "bob@example.com"
ITEMS = [
    {"id": "s1", "name": "Cup", "price": 2.5, "quantity": 2},
    {"id": "s2", "name": "Pot", "price": 4.0, "quantity": 1},
]
ORDER = {
    "type": "order",
    "id": "_id",
    "time": "createdAt",
    "map": [{"field": "total", "property": "total_revenue"}, {"field": "coupon", "property": "coupon"}],
    "items": {
        "products": {
            "field": "shoppingCartItems",
            "id": "id",
            "map": [
                {"field": "name", "property": "name"},
                {"field": "price", "property": "netprice"},
                {"field": "quantity", "property": "quantity"},
            ],
        }
    },
}
OPENED = {"type": "email_opened", "time": "createdAt", "map": [{"field": "messageId", "property": "message_id"}]}
WITH_EVENTS = Profiles.model_validate(
    {**PROFILES.model_dump(exclude_defaults=True), "event_types": ["order", "email_opened"]}
)


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path) -> Crm:
    """A goal that imports purchases into an empty warehouse, with the last total and items of each person."""
    return Crm(folder=tmp_path / "crm", box=box, goal=purchases(), profiles=WITH_EVENTS)


LISTED = {"json_lists": False, "multi_value": "|"}


def purchases(**declared: Any) -> UserImportGoal:
    """Return a goal over purchases."""
    maps = [
        column("total", "decimal_list", "add"),
        column("shoppingCartItems", "text_one"),
        column("coupon", "text_list", "add"),
    ]
    return users_goal(
        **{"name": "orders", "events_from": ["purchase"], "events": [ORDER], "map": maps, "format": LISTED} | declared
    )


def opens(**declared: Any) -> UserImportGoal:
    """Return a goal over opened and clicked e-mails."""
    usual = {
        "events_from": ["emailOpen", "emailClick"],
        "events": [OPENED],
        "map": [column("messageId", "text_list", "add")],
    }
    return users_goal(**{"name": "mail", "format": LISTED} | usual | declared)


def bought(box: IterableSandbox, number: int, email: str = ANN, at: float | None = None, **more: Any) -> None:
    """Store a purchase at a moment, or now."""
    user = box.project.find("email", email) or box.project.add_user({"email": email, "user_id": None}, "API")
    values = {"total": float(number), "shoppingCartItems": ITEMS, **more}
    created = box.clock() if at is None else at
    box.events.save("purchase", user, {"id": f"o{number}", "createdAt": created}, values, create=True)


def opened(box: IterableSandbox, message: str, kind: str = "emailOpen", at: float | None = None) -> None:
    """Store that an e-mail was opened, or another thing that a call cannot store."""
    user = box.project.find("email", ANN) or box.project.add_user({"email": ANN, "user_id": None}, "API")
    box.events.record(kind, user, box.clock() if at is None else at, messageId=message)


def totals(crm: Crm) -> list[Decimal]:
    """Return the totals of all purchases that landed."""
    found = crm.rows("select unnest(decimal_list) from warehouse.profile order by 1")
    return [total for (total,) in found]


@pytest.fixture(
    params=[(True, False), (False, False), (True, True), (False, True)],
    ids=["arrays", "objects", "arrays apart", "objects apart"],
)
def shaped(request: pytest.FixtureRequest, crm: Crm) -> Iterator[Crm]:
    """Items as parallel arrays or as objects, and own fields beside the standard ones or in `dataFields`."""
    crm.box.flat_exports, crm.box.data_fields_apart = request.param
    return crm


def test_items_are_one_list_of_objects(shaped: Crm) -> None:
    """Whatever shape a line has; an item without a value has none, and fields of the event are found in both places."""
    bought(shaped.box, 7, at=NOON.timestamp() - HOUR, coupon="X")
    bought(
        shaped.box,
        8,
        BOB,
        at=NOON.timestamp() - HOUR,
        shoppingCartItems=[{"id": "s3", "name": "Jar"}, {"id": "s4", "price": 1.0}],
    )
    assert shaped.run().counters.rows_applied == 2
    (ann, coupon), (bob, none) = shaped.rows("select text_one, text_list from warehouse.profile order by email")
    assert (json.loads(ann), coupon, none) == (ITEMS, ["X"], None)
    given = [{name: value for name, value in item.items() if value is not None} for item in json.loads(bob)]
    assert given == [{"id": "s3", "name": "Jar"}, {"id": "s4", "price": 1.0}]


def test_windows_follow_the_watermark(crm: Crm) -> None:
    """A run reads from the watermark less the overlap to five minutes before now; what is read twice lands once."""
    bought(crm.box, 1, at=NOON.timestamp() - HOUR)
    assert crm.run().counters.rows_applied == 1
    crm.box.clock.advance(HOUR)
    bought(crm.box, 2, at=crm.box.clock() - 6 * MINUTE)
    bought(crm.box, 3, at=crm.box.clock() - 4 * MINUTE)  # exports do not show the latest yet
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_unchanged, totals(crm)) == (1, 1, [1, 2])
    bought(crm.box, 4, at=crm.box.clock() - 10 * MINUTE)  # late, within the overlap
    crm.box.clock.advance(10 * MINUTE)
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_unchanged, totals(crm)) == (2, 1, [1, 2, 3, 4])
    assert (crm.counted()["export/start"], crm.counted()["export/data.json"]) == (1, 2)


def test_clocks_that_are_off_lose_and_double_nothing(crm: Crm) -> None:
    """Runs on machines whose clocks are ahead and slow in turn bring every purchase once."""
    for number, off in enumerate([0, 20, -20, 15, -15, 6, -6, 20, 20, 0]):
        bought(crm.box, number, at=crm.box.clock() - 30)
        report = bring(crm.next_run(), crm.goal, crm.project, crm.box.clock() + off * MINUTE)
        assert report.counters.add_up
        crm.box.clock.advance(3 * MINUTE)
    crm.box.clock.advance(30 * MINUTE)
    crm.run()
    assert totals(crm) == [Decimal(number) for number in range(10)]
    assert crm.rows("select count(*), count(distinct event_id) from warehouse.event_order") == [(10, 10)]


def test_borders_of_windows(crm: Crm) -> None:
    """An event at either border of a window is read by one run or by two, and lands once."""
    crm.run()
    start = crm.box.clock()
    for step in range(1, 5):
        crm.box.clock.advance(20 * MINUTE)
        border = crm.box.clock() - 5 * MINUTE
        for offset in (-1, 0, 1):
            bought(crm.box, 10 * step + offset, at=border + offset)
        crm.run()
    crm.box.clock.advance(20 * MINUTE)
    crm.run()
    assert crm.box.clock() > start
    assert totals(crm) == [10 * step + offset for step in range(1, 5) for offset in (-1, 0, 1)]


def test_a_purchase_that_changes_replaces_its_former_self(crm: Crm) -> None:
    """Its line has the same id: a sum takes the former amount back, and another id adds."""
    crm.goal = purchases(map=[column("total", "decimal_one", "sum")])
    at = NOON.timestamp() - 10 * MINUTE
    bought(crm.box, 1, at=at)
    crm.run()
    bought(crm.box, 1, at=at, total=5.0)
    bought(crm.box, 2, at=at)
    counters = crm.run().counters
    assert (counters.rows_applied, crm.people("decimal_one")) == (2, [(Decimal(7),)])


def test_each_type_has_a_watermark(crm: Crm) -> None:
    """Types are read one after the other; lines without an id are known by all that is read of them."""
    crm.goal = opens()
    for moment in (2 * DAY, HOUR):
        opened(crm.box, "m1", at=NOON.timestamp() - moment)
        opened(crm.box, "m1", "emailClick", at=NOON.timestamp() - moment - 60)
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_unchanged) == (4, 0)
    marks = crm.watermarks()
    assert set(marks) == {"emailOpen", "emailOpen read until", "emailClick", "emailClick read until"}
    assert marks["emailOpen"] == "2026-05-01T11:00:00.000000Z"
    assert marks["emailClick"] == "2026-05-01T10:59:00.000000Z"
    crm.box.clock.advance(MINUTE)
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_unchanged) == (0, 2)


def test_a_type_without_events_is_read_once_as_a_whole(crm: Crm) -> None:
    """Later runs read windows of it as well; those are short answers, and no jobs."""
    opened(crm.box, "m1", at=NOON.timestamp() - HOUR)
    crm.goal = opens()
    crm.run()
    crm.box.clock.advance(HOUR)
    opened(crm.box, "m2", "emailClick", at=crm.box.clock() - 10 * MINUTE)
    assert crm.run().counters.rows_applied == 1
    assert crm.counted()["export/start"] == 2


def test_a_stream_that_is_cut_is_read_again(crm: Crm) -> None:
    """By a job, whose parts are fetched one by one; nothing is lost, and nothing lands twice."""
    crm.run()
    crm.box.clock.advance(HOUR)
    for number in range(1, 40):
        bought(crm.box, number, at=crm.box.clock() - 30 * MINUTE)
    crm.box.fail("export/data.json", "GET", cut=True, times=3)
    crm.run()
    assert totals(crm) == list(range(1, 40))


def test_a_line_that_is_cut_is_accounted_for(crm: Crm) -> None:
    """It goes to the quarantine by its number, and the others land."""
    for number in (1, 2, 3):
        bought(crm.box, number, at=NOON.timestamp() - HOUR)
    crm.box.bad_lines = {2: None}
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_rejected) == (2, 1)
    assert crm.rows("select path, line, reason from warehouse.quarantine") == [("purchase", 2, "not JSON")]


def test_a_missing_field_is_reported(crm: Crm) -> None:
    """A field that no line has is named in a warning, and the rows land."""
    crm.goal = purchases(map=[column("totall", "decimal_one")])
    bought(crm.box, 1, at=NOON.timestamp() - HOUR)
    report = crm.run()
    assert (report.counters.rows_applied, report.counters.rows_read) == (1, 1)
    assert "Column 'totall' is not in the file." in report.warnings


def test_types_are_those_of_iterable() -> None:
    """In any case; an unknown one is refused with what is likely meant, and lists do not go with events."""
    assert opens(events_from=["EMAILOPEN", "emailUnsubscribe", "emailOpen"]).events_from == (
        "emailOpen",
        "emailUnSubscribe",
    )
    with pytest.raises(ValidationError, match="did you mean 'purchase'"):
        purchases(events_from=["purchases"])
    with pytest.raises(ValidationError, match="from and events_from are both given"):
        purchases(**{"from": {"lists": ["News"]}})


@pytest.mark.parametrize("kind", ["user_id", "hybrid"])
def test_users_without_address(kind: Any, tmp_path: Path) -> None:
    """Events of users of projects of userIds are linked by that."""
    with iterable(kind) as box:
        user = box.project.add_user({"email": None, "user_id": "u1"}, "API")
        box.events.save("purchase", user, {"createdAt": box.clock() - HOUR}, {"total": 3.0}, create=True)
        goal = purchases(link=[{"field": "userId", "property": "customer"}])
        crm = Crm(folder=tmp_path / "crm", box=box, goal=goal, profiles=WITH_EVENTS, project_type=kind)
        crm.run()
        assert crm.people("customer", "decimal_list") == [("u1", [Decimal(3)])]


def test_scan_shows_events_of_the_last_day(crm: Crm) -> None:
    """Some lines of each type, with the names of their fields; older ones are left out."""
    bought(crm.box, 1, at=NOON.timestamp() - HOUR)
    bought(crm.box, 2, at=NOON.timestamp() - 2 * DAY)
    shown = crm.look()
    assert [(kind, moment) for kind, moment, _ in shown.rows] == [("purchase", "2026-05-01 11:00:00 +00:00")]
    assert "total" in shown.rows[0][2]
    assert shown.summary == "1 event of the last day"


def test_purchases_become_events(shaped: Crm) -> None:
    """With items, whatever shape a line has; a changed purchase updates its event."""
    shaped.goal = purchases(map=[])
    at = NOON.timestamp() - 10 * MINUTE
    bought(shaped.box, 7, at=at, coupon="X")
    assert shaped.run().counters.events_created == 1
    held = [
        {"id": i["id"], "name": i["name"], "netprice": Decimal(i["price"]), "quantity": i["quantity"]} for i in ITEMS
    ]
    query = "select event_id, happened_at, total_revenue, coupon, products from warehouse.event_order"
    ((event_id, happened_at, total, coupon, products),) = shaped.rows(query)
    assert (event_id, happened_at.timestamp(), total, coupon) == ("o7", at, 7, "X")
    assert [{name: item[name] for name in held[0]} for item in products] == held
    bought(shaped.box, 7, at=at, total=9.0)
    counters = shaped.run().counters
    assert (counters.events_created, counters.events_updated) == (0, 1)
    assert shaped.rows("select total_revenue from warehouse.event_order") == [(Decimal(9),)]


def visited(box: IterableSandbox, number: int, name: str, **fields: Any) -> None:
    """Store a custom event an hour before noon."""
    user = box.project.find("email", ANN) or box.project.add_user({"email": ANN, "user_id": None}, "API")
    asked = {"eventName": name, "id": f"e{number}", "createdAt": NOON.timestamp() - HOUR}
    box.events.save("customEvent", user, asked, fields, create=True)


def declare_types(crm: Crm, *types: dict[str, Any]) -> None:
    """Declare types of events beside the ready-made ones."""
    declared = WITH_EVENTS.model_dump(exclude_defaults=True)
    crm.profiles = Profiles.model_validate({**declared, "event_types": ["order", "email_opened", *types]})


def test_custom_events_become_events_of_a_declared_type(crm: Crm) -> None:
    """A type of one's own takes the custom events of one name, with id, time and mapped fields."""
    declare_types(crm, {"name": "visit", "properties": [{"name": "store"}, {"name": "minutes", "type": "number"}]})
    maps = [{"field": name, "property": name} for name in ("store", "minutes")]
    events = [{"type": "visit", "id": "_id", "time": "createdAt", "map": maps}]
    visits = [{"filter": {"field": "eventName", "keep": "^Visit$"}}]
    crm.goal = users_goal(name="visits", events_from=["customEvent"], map=[], processors=visits, events=events)
    visited(crm.box, 1, "Visit", store="Bonn", minutes=7)
    visited(crm.box, 2, "Call", store="Köln", minutes=1)
    assert crm.run().counters.events_created == 1
    found = crm.rows("select event_id, epoch(happened_at), store, minutes from warehouse.event_visit")
    assert found == [("e1", NOON.timestamp() - HOUR, "Bonn", 7)]


def test_a_line_becomes_events_of_several_types(crm: Crm) -> None:
    """A purchase is an order, and an event of a further type that the goal declares."""
    declare_types(crm, {"name": "points", "properties": [{"name": "earned", "type": "decimal"}]})
    points = {"type": "points", "id": "_id", "time": "createdAt", "map": [{"field": "total", "property": "earned"}]}
    crm.goal = purchases(map=[], events=[ORDER, points])
    bought(crm.box, 7, at=NOON.timestamp() - HOUR)
    assert crm.run().counters.events_created == 2
    assert crm.rows("select event_id, earned from warehouse.event_points") == [("o7", Decimal(7))]
    assert crm.rows("select event_id, total_revenue from warehouse.event_order") == [("o7", Decimal(7))]


def test_events_without_id_land_once(crm: Crm) -> None:
    """Windows overlap and runs repeat: the content of an event is its identity."""
    crm.goal = opens(map=[])
    for minutes in (90, 60, 8, 7):
        opened(crm.box, f"m{minutes}", at=NOON.timestamp() - minutes * MINUTE)
    for _ in range(4):
        crm.run()
        crm.box.clock.advance(3 * MINUTE)
        opened(crm.box, f"n{crm.runs}", at=crm.box.clock() - MINUTE)
    crm.box.clock.advance(HOUR)
    crm.run()
    found = crm.rows("select message_id from warehouse.event_email_opened order by happened_at")
    assert [name for (name,) in found] == ["m90", "m60", "m8", "m7", "n1", "n2", "n3", "n4"]
