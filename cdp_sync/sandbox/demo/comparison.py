"""One person on both sides of the demonstration's platforms: as a profile here, and as a user there."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, cast

from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableConnection
from cdp_sync.connectors.iterable.protocol import Call, subscribe
from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import SailthruConnection
from cdp_sync.model.connection import Connection
from cdp_sync.model.export import AudienceGoal
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.sandbox.demo.users import NEW_CARD, NEWCOMER

_MEMBERS = """
select lower(email) as email
from warehouse.profile join warehouse.list_member using (profile_id)
where connection = $connection and email is not null
order by mailing_lists is null, email"""

_OF_ITERABLE = {
    "email",
    "emailListIds",
    "signupDate",
    "signupSource",
    "profileUpdatedAt",
    "shoppingCartItems",
    "itblInternal",
}
"""What Iterable adds to a user's fields."""

_PROFILE = "select * from warehouse.live_profile where lower(email) = $email"

_ORDERS = """
select event_id, total_revenue, products
from warehouse.event_order join warehouse.live_profile using (profile_id)
where lower(email) = $email and happened_at is not null
order by happened_at"""


@dataclass(frozen=True)
class User:
    """A user as a platform has it."""

    id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    orders: Mapping[str, str] = field(default_factory=dict)
    """What was bought, by the id of the order."""


@dataclass(frozen=True)
class Person:
    """A person, with their values on both sides."""

    name: str
    rows: tuple[tuple[str, str, str], ...]
    """The name of a value; the value here; the value on the platform."""


class Platform(ABC):
    """A platform of the demonstration, as its own users work with it."""

    name: ClassVar[str]
    connection: ClassVar[str]
    """The name of the demonstration's connection to it."""
    newcomer: ClassVar[str]
    """The address of the user who joins in the second act."""

    @abstractmethod
    def add_newcomer(self) -> None:
        """Add the newcomer to the list that is imported."""

    @abstractmethod
    def lists(self) -> list[tuple[str, int | None]]:
        """Return the lists, and how many people are on each."""

    @abstractmethod
    def user(self, email: str) -> User:
        """Return the user of an address."""


class AtSailthru(Platform):
    """Sailthru, with its newsletter.

    Args:
        connection: As the demonstration declares it.
    """

    name, connection, newcomer = "Sailthru", "sailthru", str(NEWCOMER["id"])

    def __init__(self, connection: Connection) -> None:
        self._account = cast("SailthruConnection", connection).account

    def add_newcomer(self) -> None:
        """Subscribe a user to the newsletter."""
        with SailthruClient(self._account) as client:
            client.update_user(NEWCOMER)

    def lists(self) -> list[tuple[str, int | None]]:
        """Return the lists, and how many people are on each."""
        with SailthruClient(self._account) as client:
            return [(each.name, each.count) for each in client.lists()]

    def user(self, email: str) -> User:
        """Return the user of an address."""
        with SailthruClient(self._account) as client:
            found = client.user(email, "email", {"keys": 1, "vars": 1, "lists": 1}) or {}
        return User(found.get("keys", {}).get("sid"), found.get("vars") or {}, tuple(found.get("lists") or ()))


class AtIterable(Platform):
    """Iterable, with its loyalty cards.

    Args:
        connection: As the demonstration declares it.
    """

    name, connection, newcomer = "Iterable", "iterable", str(NEW_CARD["email"])

    def __init__(self, connection: Connection) -> None:
        self._declared = cast("IterableConnection", connection)

    def add_newcomer(self) -> None:
        """Create a user, and put it on the list of loyalty cards."""
        (cards,) = self._declared.import_profiles[0].lists
        with IterableClient(self._declared.project) as client:
            ids = {each.name: each.id for each in client.lists()}
            client.ask(subscribe(ids[str(cards)], [json.dumps(NEW_CARD).encode()], existing_only=False))

    def lists(self) -> list[tuple[str, int | None]]:
        """Return the lists, and how many people are on each."""
        with IterableClient(self._declared.project) as client:
            return [(each.name, client.list_size(each.id)) for each in client.lists()]

    def user(self, email: str) -> User:
        """Return the user of an address."""
        with IterableClient(self._declared.project) as client:
            names = {each.id: each.name for each in client.lists()}
            fields = client.user("email", email) or {}
            done = client.ask(Call("GET", "events", f"events/{email}"))["events"]
        bought = {each["_id"]: each["dataFields"] for each in done if each["eventType"] == "purchase"}
        orders = {order: _order(each["total"], each["shoppingCartItems"]) for order, each in bought.items()}
        lists = tuple(names[each] for each in fields.get("emailListIds", ()))
        return User(None, {name: held for name, held in fields.items() if name not in _OF_ITERABLE}, lists, orders)


class BothSides:
    """Compares the profiles here with the users on a platform.

    Args:
        platform: The platform.
        connection: To the platform, as the demonstration declares it.
    """

    def __init__(self, platform: Platform, connection: Connection) -> None:
        self.platform = platform
        self._imported = {each.field: each.property for each in connection.import_profiles[0].map}
        self._goal = cast("AudienceGoal", connection.export_profiles[0])
        self._seen: list[list[str]] = []

    def look(self) -> None:
        """Note who is on the goal's list now, people who were imported from lists first."""
        with project_warehouse().open("read") as session:
            members = session.rows(_MEMBERS, {"connection": self.platform.connection})
            self._seen.append([email for (email,) in members])

    def people(self) -> Iterator[tuple[str, Person]]:
        """Yield a person put on the list, one taken off, and the newcomer, each with a caption."""
        (put_on,) = self._goal.memberships
        first, *_, last = self._seen
        chosen = {
            f"Put on {put_on}": [email for email in last if email in first],
            f"Taken off {put_on} in act 2": [email for email in first if email not in last],
            "Joined in act 2": [self.platform.newcomer],
        }
        for what, emails in chosen.items():
            for email in emails[:1]:
                yield what, self._person(email)

    def _person(self, email: str) -> Person:
        with project_warehouse().open("read") as session:
            here = session.records(_PROFILE, {"email": email})[0]
            orders = {order: _order(total, items) for order, total, items in session.rows(_ORDERS, {"email": email})}
        there = self.platform.user(email)
        rows = [
            *([("sid", shown(here["sailthru_profile_id"]), there.id)] if there.id else []),
            *((name, shown(held), shown(value)) for name, held, value in self._fields(here, there.fields)),
            ("lists", shown(here["mailing_lists"]), shown(sorted(there.lists))),
            *((f"order {order}", orders.get(order, ""), bought) for order, bought in there.orders.items()),
        ]
        return Person(email, tuple(rows))

    def _fields(self, here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
        exported = {column.field: column.property for column in self._goal.map if column.property and not column.group}
        imported = {name: held for name, held in self._imported.items() if name in there}
        mapped = {name: here[held] for name, held in {**imported, **exported}.items()}
        for name in (*mapped, *(name for name in there if name not in mapped)):
            yield name, mapped.get(name), there.get(name)


def both_sides(declarations: Declarations) -> list[BothSides]:
    """Return the platforms of the demonstration, each beside the profiles here."""
    declared = ((platform, declarations.connection(platform.connection)) for platform in (AtSailthru, AtIterable))
    return [BothSides(platform(connection), connection) for platform, connection in declared]


def _order(total: float | Decimal, items: Iterable[Mapping[str, Any]] | None) -> str:
    bought = (f"{item['quantity']} {item['name']}" for item in items or ())
    return ": ".join(filter(None, (f"{total:.2f}", ", ".join(bought))))


def shown(value: object) -> str:
    """Return a value as people read it."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "" if value is None else str(value)
