"""Demonstration users of a newsletter: some are customers of the web shop, some are not, and one has no real birthday.

As invented as the customers. Same seed, same bytes.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.demo.files import FIRST_DAY, Person, faker, invented_people, shop_people

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

_ADA = {"first_name": "Ada", "topics": ["exhibitions", "travel"], "birthday": "1971-04-02"}
_LEAP = {"first_name": "Lou", "topics": [], "birthday": "1990-02-31"}
_TOPICS = ("exhibitions", "films", "recipes", "travel")
_FIRST_SIGNUP = datetime(2025, 3, 1, 12, tzinfo=UTC)


def write_demo_users(target: Path, *, seed: int = 20260101) -> None:
    """Write who subscribed before the first day, as the sandbox reads users: one JSON object a line."""
    with target.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(user, ensure_ascii=False) + "\n" for user in _users(seed))


def write_demo_profiles(target: Path, *, seed: int = 20260101) -> None:
    """Write the same people as Iterable's sandbox reads them, without the one whose birthday is no date.

    Iterable's fields have types.
    """
    with target.open("w", encoding="utf-8") as lines:
        for user in (user for user in _users(seed) if user["vars"] is not _LEAP):
            profile = {"email": user["email"], "dataFields": user["vars"], "lists": [LIST], "created": user["created"]}
            lines.write(json.dumps(profile, ensure_ascii=False) + "\n")


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
