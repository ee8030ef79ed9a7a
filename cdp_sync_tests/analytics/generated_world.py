"""Generated profiles and events, in a warehouse and as plain Python."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from cdp_sync.model import Profiles
from cdp_sync.warehouse import Warehouse, quote_identifier, sync_events
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.analytics.figures_oracle import World

MAILS = (
    "email_sent", "email_delivered", "email_bounced", "email_opened", "email_link_clicked", "email_unsubscribed",
    "email_spam_reported",
)  # fmt: skip
FIRST = datetime(2026, 2, 20, tzinfo=UTC)
DAYS = 50
"""Days from the first on which something happens; two changes of the clock in Europe and America are among them."""
PROPERTIES = [{"name": "email", "type": "email", "identifier": True}, {"name": "number", "identifier": True}]


def profiles(**more: Any) -> Profiles:
    """Return a profile model with the ready-made types that figures are counted from."""
    return Profiles.model_validate({"properties": PROPERTIES, "event_types": [*MAILS, "order"]} | more)


def generated(seed: int, *, people: int = 25, count: int = 500, days: int = DAYS) -> World:
    """Return a world of a seed; two of its people are seen more often than others."""
    chance = Random(seed)
    persons = [
        {
            "profile_id": UUID(int=number + 1),
            "created_at": FIRST + timedelta(hours=chance.randrange(24 * days)),
            "email": f"p{number}@example.com" if chance.random() < 0.6 else None,
            "number": str(number),
        }
        for number in range(people)
    ]
    return World(persons, [_event(chance, number, persons, days) for number in range(count)])


def _event(chance: Random, number: int, persons: list[dict[str, Any]], days: int) -> dict[str, Any]:
    kind = chance.choice((*MAILS, "email_opened", "email_link_clicked", "order", "order"))
    # Whole days, hours and seconds: midnights, and several events at one moment.
    at = FIRST + timedelta(days=chance.randrange(days))
    at += chance.choice(
        [timedelta(0), timedelta(hours=chance.randrange(24)), timedelta(seconds=chance.randrange(86400))]
    )
    person = chance.choice([*persons, *persons[:2] * 5])
    event = {"type": kind, "event_id": f"e{number}", "profile_id": person["profile_id"], "happened_at": at}
    if kind == "order":
        amount = Decimal(chance.randrange(10**6)).scaleb(-4)
        return event | {"total_revenue": chance.choice([amount, amount, None])}
    campaign = chance.choice([None, "spring", "sale", "100%|'"])
    event |= {"campaign_id": campaign, "campaign_name": campaign and campaign.title()}
    event["message_id"] = chance.choice([None, "m1", "m2"])
    return event | ({"kind": chance.choice(["hard", "soft", None])} if kind == "email_bounced" else {})


def stored(world: World, folder: Path, declared: Profiles) -> Warehouse:
    """Return a warehouse with a world, and with events that wait for a profile or a time."""
    warehouse = Warehouse(folder / "warehouse.duckdb", lock_timeout=20)
    waiting = [
        {**world.events[0], "event_id": "w1", "profile_id": None},
        {**world.events[0], "event_id": "w2", "happened_at": None},
    ]
    with warehouse.open("write") as session:
        sync_properties(session, declared)
        sync_events(session, declared)
        session.execute("begin")
        for person in world.profiles:
            _insert(session, "profile", person)
        for event in (*world.events, *waiting):
            values = {name: value for name, value in event.items() if name != "type"}
            _insert(session, f"event_{event['type']}", values)
        session.execute("commit")
    return warehouse


def _insert(session: Any, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(map(quote_identifier, values))
    bound = ", ".join(f"${name}" for name in values)
    session.execute(f"insert into warehouse.{table} ({names}) values ({bound})", values)


def day(number: int) -> date:
    """Return a day, counted from the first."""
    return (FIRST + timedelta(days=number)).date()


def only(world: World, kinds: Iterable[str]) -> World:
    """Return a world with the events of some types only."""
    return World(world.profiles, [event for event in world.events if event["type"] in set(kinds)])
