"""People whose propensities are known, and what they do over two years; and the buyers of Chinook."""

import csv
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pandas as pd

from cdp_sync.model import Profiles
from cdp_sync.warehouse import Session, Warehouse, quote_identifier, sync_events, sync_properties

CHINOOK = Path(__file__).parents[3] / "shared" / "data" / "chinook"

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
_WEEKS = 60
_QUARTER = 13
_YEARS = 2

OPENED, CLICKED, DELIVERED = "email_opened", "email_link_clicked", "email_delivered"
_SMS = [{"name": "message_id"}]

MODEL = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email", "identifier": True}],
        "event_types": [
            *("order", DELIVERED, OPENED, CLICKED, "email_unsubscribed"),
            {"name": "visit"},
            {"name": "sms_delivered", "properties": _SMS},
            {"name": "sms_clicked", "properties": _SMS},
        ],
        "scores": [
            {"name": "likely_to_open", "rate": {"of": OPENED, "among": DELIVERED, "once_per": "message_id"}},
            {"name": "likely_to_click", "rate": {"of": CLICKED, "among": DELIVERED, "once_per": "message_id"}},
            {
                "name": "likely_to_unsubscribe",
                "rate": {"of": "email_unsubscribed", "among": DELIVERED},
                "half_life_days": 365,
            },
            {"name": "likely_to_convert", "rate": {"of": "order", "among": "visit"}},
            {
                "name": "email_affinity",
                "rate": {"of": [OPENED, CLICKED], "among": [DELIVERED], "once_per": "message_id"},
            },
            {"name": "sms_affinity", "rate": {"of": "sms_clicked", "among": "sms_delivered"}},
            {
                "name": "discount_affinity",
                "share": {"of": "order", "where": {"property": "coupon", "has_value": True}},
                "half_life_days": 365,
            },
            {"name": "value_score", "expected_value": "order.total_revenue"},
        ],
    }
)
"""All kinds of scores that the vendor's page names."""


@dataclass
class Population:
    """Events by type, and the propensities of the people who they are of."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    propensities: dict[UUID, dict[str, float]] = field(default_factory=dict)

    def add(self, kind: str, owner: UUID, at: datetime, **values: Any) -> None:
        """Add an event."""
        listed = self.events.setdefault(kind, [])
        listed.append({"event_id": f"{kind}{len(listed)}", "profile_id": owner, "happened_at": at, **values})


def generated(seed: int, people: int) -> Population:
    """Return people with mailings of sixty weeks and orders of two years before `NOW`.

    The probability that a person opens wanders from week to week; those that it clicks and unsubscribes stay. How much
    mail a person receives, and how often it visits, differs from quarter to quarter. A visit leads to an order with a
    probability of the person's own, until the person stops for good after an order.
    """
    dice, found = random.Random(seed), Population()
    for number in range(people):
        owner = UUID(int=dice.getrandbits(128))
        own = {
            "opens": dice.betavariate(1.2, 3),
            "clicks": dice.betavariate(1, 4),
            "unsubscribes": dice.betavariate(0.3, 15),
            "texts": dice.betavariate(1, 6),
            "discount": dice.betavariate(0.7, 1),
            "visits": max(dice.gammavariate(0.9, 1 / 20), 1e-6),
            "converts": dice.betavariate(1.5, 4.5),
            "amount": dice.lognormvariate(3.5, 0.6),
        }
        found.propensities[owner] = own
        _write_to(found, owner, own, dice, number)
        _let_buy(found, owner, own, dice)
    return found


def _write_to(found: Population, owner: UUID, own: dict[str, float], dice: random.Random, number: int) -> None:
    """Add the messages to a person, and the responses."""
    mood, mailed, texted = _logit(own["opens"]), 0.0, 0.0
    for week in range(_WEEKS):
        at = NOW - timedelta(days=7 * (_WEEKS - week) - dice.uniform(0, 6.5))
        mood += dice.gauss(0, 0.15)
        if week % _QUARTER == _WEEKS % _QUARTER or not week:
            mailed, texted = dice.uniform(0.2, 1), dice.uniform(0.1, 0.9)
        message = {"message_id": f"m{number}_{week}"}
        if dice.random() < mailed:
            _mail(found, owner, at, message, {**own, "opens": 1 / (1 + math.exp(-mood))}, dice)
        if dice.random() < texted:
            found.add("sms_delivered", owner, at, **message)
            if dice.random() < own["texts"]:
                found.add("sms_clicked", owner, at + timedelta(minutes=5), **message)


def _mail(
    found: Population,
    owner: UUID,
    at: datetime,
    message: dict[str, str],
    own: dict[str, float],
    dice: random.Random,
) -> None:
    """Add a message by e-mail and the responses to it; some people open it several times."""
    found.add(DELIVERED, owner, at, **message)
    for again in range(dice.choice((1, 1, 2, 3)) if dice.random() < own["opens"] else 0):
        found.add(OPENED, owner, at + timedelta(minutes=9 + again), **message)
        if again == 0 and dice.random() < own["clicks"]:
            found.add(CLICKED, owner, at + timedelta(minutes=30), **message)
    if dice.random() < own["unsubscribes"]:
        found.add("email_unsubscribed", owner, at + timedelta(minutes=45), **message)


def _let_buy(found: Population, owner: UUID, own: dict[str, float], dice: random.Random) -> None:
    """Add a person's visits and orders: after each order the person stops for good with a probability of 0.12."""
    seasons = [dice.uniform(0.3, 1.7) for _ in range(365 * _YEARS // 90 + 1)]
    at, buys = NOW - timedelta(days=dice.uniform(30, 365 * _YEARS)), True
    while at < NOW:
        found.add("visit", owner, at)
        if buys:
            total = round(dice.gammavariate(4, own["amount"] / 4), 2)
            coupon = "SAVE" if dice.random() < own["discount"] else None
            found.add("order", owner, at, total_revenue=total, coupon=coupon)
            if dice.random() < 0.12:
                return
        at += timedelta(days=dice.expovariate(own["visits"] * seasons[(NOW - at).days // 90]))
        buys = dice.random() < own["converts"]


def _logit(probability: float) -> float:
    return math.log(max(probability, 1e-9) / max(1 - probability, 1e-9))


def chinook() -> Population:
    """Return the invoices of Chinook as orders."""
    found = Population()
    with (CHINOOK / "Invoice.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            owner, at = UUID(int=int(row["CustomerId"])), datetime.fromisoformat(row["InvoiceDate"])
            found.propensities[owner] = {}
            found.add("order", owner, at.replace(tzinfo=UTC), total_revenue=float(row["Total"]))
    return found


@contextmanager
def stored(population: Population, profiles: Profiles = MODEL) -> Iterator[Session]:
    """Yield a session on a warehouse that has these people and events."""
    with TemporaryDirectory() as folder, Warehouse(Path(folder) / "warehouse.duckdb").open("write") as session:
        sync_properties(session, profiles)
        sync_events(session, profiles)
        insert(session, "profile", [{"profile_id": owner, "created_at": NOW} for owner in population.propensities])
        for kind, events in population.events.items():
            insert(session, f"event_{kind}", events)
        yield session


def insert(session: Session, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows into a table of the warehouse."""
    frame = pd.DataFrame([{**row, "profile_id": str(row["profile_id"])} for row in rows])
    names = ", ".join(map(quote_identifier, frame.columns))
    with session.lent(frame, "new_rows"):
        session.execute(f"insert into warehouse.{table} ({names}) select {names} from new_rows")
