"""Demonstration input: the events of the web shop's letters, one every two weeks of the half year before.

The people are those of the web shop. Each gets, opens and clicks letters with likelihoods of their own, so that scores
rank them, and by more than the number of letters that were opened. The days end the day before the file is written,
because scores and analytics are about the days before now.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_sync.sandbox.demo.files import SHOP, Delivery, Person, Row, faker, shop_people

if TYPE_CHECKING:
    from faker import Faker

HEADER = (
    *("Message", "Email", "Letter", "Name", "SentAt", "DeliveredAt", "BouncedAt", "Bounce", "OpenedAt", "ClickedAt"),
    *("Link", "UnsubscribedAt", "OrderId", "Amount", "OrderedAt"),
)
LETTERS = 12
"""How many there are: the first one was sent before the half of the last 180 days."""
_EVERY = timedelta(days=14)
_BOUNCED, _UNSUBSCRIBED, _ORDERED = 0.03, 0.01, 0.4
"""Of the messages that are sent, opened and clicked."""
_LINKS = ("https://shop.example.com/tea", "https://shop.example.com/sale")


def write_messages(root: Path, *, until: date | None = None, seed: int = 20260101) -> Path | None:
    """Write the events of letters; return the file, or None where there is one: it stays as it is.

    Args:
        root: Where `write_demo_files` writes.
        until: The day after the last event; today, in UTC, unless given.
        seed: The seed that `write_demo_files` is given.
    """
    if any((root / SHOP).glob("messages_*.csv")):
        return None
    until = until or datetime.now(UTC).date()
    at = datetime.combine(until, time(), UTC)
    rows = [row for number in range(LETTERS) for row in _letter(seed, number, at)]
    return Delivery(f"{SHOP}/messages_{until}.csv", HEADER, rows, at).write(root)


def read_messages(root: Path) -> list[dict[str, str]]:
    """Return the rows of the file, by the header.

    Args:
        root: Where `write_messages` wrote.
    """
    (file,) = (root / SHOP).glob("messages_*.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _letter(seed: int, number: int, until: datetime) -> Iterator[Row]:
    """Yield a message to each customer who gets the letter; the last one was sent two days before the end."""
    sent = until - timedelta(days=2) - (LETTERS - 1 - number) * _EVERY + timedelta(hours=8)
    people = shop_people(seed, 0)
    fake = faker(seed, "en_GB", "letter", number)
    for place, (person, (gets, opens, clicks)) in enumerate(zip(people, _likelihoods(seed, people), strict=True)):
        if fake.random.random() >= gets:
            continue
        message = f"M-{sent:%Y%m%d}-{place:02}"
        names = (message, person.email, f"letter_{sent:%Y-%m-%d}", f"Letter of {sent:%Y-%m-%d}", sent.isoformat())
        yield (*names, *_response(fake, sent, opens, clicks, message))


def _likelihoods(seed: int, people: Sequence[Person]) -> list[tuple[float, float, float]]:
    """Return how likely each person gets a letter, opens it, and then clicks in it."""
    chance = faker(seed, "en_GB", "likelihoods").random
    return [(chance.uniform(0.3, 1), chance.betavariate(1, 1.5), chance.betavariate(1.5, 2)) for _ in people]


def _response(fake: "Faker", sent: datetime, opens: float, clicks: float, message: str) -> Row:
    """Return the cells of a message from its delivery on; each moment is after the one before, within a day."""
    chance = fake.random

    def after(moment: datetime) -> datetime:
        return moment + timedelta(seconds=chance.randint(30, 18_000))

    at = after(sent)
    if chance.random() < _BOUNCED:
        return ("", at.isoformat(), chance.choice(("hard", "soft")), *("" for _ in HEADER[8:]))
    cells = [at.isoformat(), "", ""]
    if chance.random() >= opens:
        return (*cells, *("" for _ in HEADER[8:]))
    opened = after(at)
    clicked = after(opened) if chance.random() < clicks else None
    left = after(opened).isoformat() if chance.random() < _UNSUBSCRIBED else ""
    cells += [
        opened.isoformat(),
        clicked.isoformat() if clicked else "",
        chance.choice(_LINKS) if clicked else "",
        left,
    ]
    if clicked is None or chance.random() >= _ORDERED:
        return (*cells, "", "", "")
    return (*cells, message.replace("M", "L", 1), f"{chance.randint(500, 6_000) / 100:.2f}", after(clicked).isoformat())
