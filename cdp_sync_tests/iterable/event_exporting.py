"""Events of a warehouse for exports: they are inserted as an import would have written them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cdp_sync.model import Profiles
from cdp_sync.sandbox.iterable.events import Event
from cdp_sync.warehouse import quote_identifier, sync_events
from cdp_sync_tests.iterable.exchange import NOON
from cdp_sync_tests.iterable.exporting import PROFILES, Exchange

VISIT = {
    "name": "visit",
    "properties": [
        {"name": "store"},
        {"name": "minutes", "type": "number"},
        {"name": "left_at", "type": "datetime"},
        {"name": "day", "type": "date"},
        {"name": "spent", "type": "decimal"},
        {"name": "paid", "type": "boolean"},
        {"name": "tags", "multiple": True},
    ],
}
ORDER = {
    "name": "order",
    "properties": [
        {"name": "order_id"},
        {"name": "total_revenue", "type": "decimal"},
        {"name": "coupon"},
        {
            "name": "products",
            "items": [
                {"name": "id", "identifier": True},
                {"name": "name"},
                {"name": "netprice", "type": "decimal"},
                {"name": "quantity", "type": "number"},
                {"name": "color"},
            ],
        },
    ],
}
VISITORS = {"name": "visitors", "when": {"event": "visit"}}
_WITHOUT = PROFILES.model_dump(exclude_defaults=True)
WITH_EVENTS = Profiles.model_validate(
    {**_WITHOUT, "segments": [*_WITHOUT["segments"], VISITORS], "event_types": [ORDER, VISIT]}
)

TO_PURCHASE, TO_VISIT = {"type": "order", "to": "purchase"}, {"type": "visit", "to": "Store visit"}


def item(number: int, **more: Any) -> dict[str, Any]:
    """Return an item of an order."""
    return {"id": f"s{number}", "name": f"Cup {number}", "netprice": 2.5, "quantity": number, "color": None, **more}


def happened(crm: Exchange, kind: str, person: int, *events: Mapping[str, Any]) -> None:
    """Insert events of the n-th person; each has an `event_id`, may say how many `days` ago, and has properties."""
    with crm.warehouse.open("write") as session:
        sync_events(session, crm.profiles)
        written = datetime.fromtimestamp(crm.box.clock(), UTC)
        for event in events:
            values = {name: value for name, value in event.items() if name != "days"}
            at = NOON - timedelta(days=event.get("days", 1))
            first = {"profile_id": UUID(int=person), "happened_at": at, "_written_at": written}
            row = {**first, "connection": "shop", "goal": "orders", "run_id": "r1", **values}
            names = ", ".join(map(quote_identifier, row))
            session.execute(
                f"""delete from warehouse.event_{kind} where event_id = ?""", [row["event_id"]]
            )  # fmt: skip
            bound = ", ".join(f"${name}" for name in row)
            session.execute(f"insert into warehouse.event_{kind} ({names}) values ({bound})", row)


def stored(crm: Exchange) -> dict[str, Event]:
    """Return the events at Iterable by id."""
    return crm.box.events.by_id


def ids(events: Iterable[Event]) -> list[str]:
    """Return the ids of events, in order."""
    return [event.event_id for event in events]
