"""Demonstration users of a newsletter and of a loyalty card: some are customers of the web shop, some are not.

As invented as the customers. Same seed, same bytes.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.demo.files import FIRST_DAY, STORES, Person, faker, invented_people, shop_people

if TYPE_CHECKING:
    from faker import Faker

TIME_ZONE = "Europe/London"
LIST = "Newsletter"
NEWCOMER = {
    "id": "nora.newcomer@example.org",
    "key": "email",
    "vars": {"first_name": "Nora", "topics": ["travel"], "birthday": "1991-09-19"},
    "lists": {LIST: 1},
}
"""Who subscribes in the second act: the body of a call."""

CARDS = "Loyalty cards"
NEW_CARD = {
    "email": "carl.cardless@example.org",
    "dataFields": {"firstName": "Carl", "phone": "020 7946 0404", "favourites": ["films"], "homeStore": "H1"},
}
"""Who gets a loyalty card in the second act: a user as a bulk update has it."""

_ADAS_CARD = {"firstName": "ADA", "phone": "(020) 7946-0171", "favourites": ["travel"], "homeStore": "B1"}
_ADA = {"first_name": "Ada", "topics": ["exhibitions", "travel"], "birthday": "1971-04-02"}
_LEAP = {"first_name": "Lou", "topics": [], "birthday": "1990-02-31"}
_TOPICS = ("exhibitions", "films", "recipes", "travel")
_FIRST_SIGNUP = datetime(2025, 3, 1, 12, tzinfo=UTC)


def write_demo_users(target: Path, *, seed: int = 20260101) -> None:
    """Write who subscribed before the first day, as the sandbox reads users: one JSON object a line."""
    with target.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(user, ensure_ascii=False) + "\n" for user in _users(seed))


def write_demo_card_holders(target: Path, *, seed: int = 20260101) -> None:
    """Write who holds a loyalty card, as Iterable's sandbox reads users: one JSON object a line."""
    with target.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(user, ensure_ascii=False) + "\n" for user in _card_holders(seed))


def _card_holders(seed: int) -> Iterator[Mapping[str, Any]]:
    fake = faker(seed, "en_GB", "loyalty")
    people = (*shop_people(seed, 0)[1::4], *invented_people(seed, "en_IE", "0174", 10))
    known = [(person.email, _card_fields(fake, person, place)) for place, person in enumerate(people)]
    tester = {"firstName": "Test", "phone": "12345", "favourites": []}
    signed_up = int(_FIRST_SIGNUP.timestamp())
    for email, fields in [("ada.quill@example.com", _ADAS_CARD), *known, ("test@example.net", tester)]:
        yield {"email": email, "dataFields": fields, "lists": [CARDS], "created": signed_up}


def _card_fields(fake: "Faker", person: Person, place: int) -> Mapping[str, Any]:
    """Return a card's fields: phone numbers are written in several ways, every third name in capitals."""
    number = f"20 7946 0{fake.random_int(0, 999):03}"  # the regulator keeps these free for drama
    favourites = fake.random_elements(_TOPICS, unique=True, length=1)
    return {
        "firstName": person.first_name if place % 3 else person.first_name.upper(),
        "phone": fake.random_element(("0", "+44 ", "0044 ", "+44 (0)")) + number,
        "favourites": list(favourites),
        "homeStore": STORES[place % len(STORES)][0],
    }


def _users(seed: int) -> Iterator[Mapping[str, Any]]:
    fake = faker(seed, "en_GB", "newsletter")
    customers, others = shop_people(seed, 0)[::4], invented_people(seed, "en_US", "0173", 12)
    known = [(person.email, _fields(fake, person)) for person in (*customers, *others)]
    for place, (email, fields) in enumerate([("ada.quill@example.com", _ADA), *known, ("lou@example.net", _LEAP)]):
        signed_up = int((_FIRST_SIGNUP + timedelta(days=9 * place)).timestamp())
        opened = datetime(FIRST_DAY.year, 1, 1, tzinfo=UTC) + timedelta(seconds=fake.random_int(0, 300_000))
        activity = {"open_time": int(opened.timestamp())} if place % 3 else {}
        yield {
            "email": email,
            "vars": fields,
            "lists": {LIST: signed_up},
            "created": signed_up,
            "activity": activity,
            "engagement": "engaged" if activity else "new",
        }


def _fields(fake: "Faker", person: Person) -> Mapping[str, Any]:
    topics = fake.random_elements(_TOPICS, unique=True, length=fake.random_int(0, 2))
    return {"first_name": person.first_name, "topics": list(topics), "birthday": person.birthday.isoformat()}
