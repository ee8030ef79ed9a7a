"""One person on both sides of the demonstration's Sailthru connection: as a profile here, and as a user there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import ListGoal, SailthruConnection, UserExportGoal
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.sandbox.demo.users import NEWCOMER

_MEMBERS = """
select lower(email) as email
from warehouse.profile join warehouse.list_member using (profile_id)
where connection = 'sailthru' and email is not null
order by mailing_lists is null, email"""

_PROFILE = "select * from warehouse.live_profile where lower(email) = $email"


@dataclass(frozen=True)
class Person:
    """A person, with their values on both sides."""

    name: str
    rows: tuple[tuple[str, str, str], ...]
    """The name of a value; the value here; the value at Sailthru."""


class BothSides:
    """Compares the profiles here with the users at Sailthru.

    Args:
        declarations: Of the demonstration.
    """

    def __init__(self, declarations: Declarations) -> None:
        found = declarations.connection("sailthru")
        assert isinstance(found, SailthruConnection)  # noqa: S101 - as the demonstration declares it
        self._account = found.account
        self._lists: ListGoal = found.import_profiles[0]
        self._goal: UserExportGoal = found.export_profiles[0]
        self._seen: list[list[str]] = []

    def subscribe(self) -> None:
        """Subscribe a user to the newsletter, at Sailthru."""
        with SailthruClient(self._account) as client:
            client.update_user(NEWCOMER)

    def look(self) -> None:
        """Note who is on the goal's list now, subscribers first."""
        with project_warehouse().open("read") as session:
            self._seen.append([email for (email,) in session.rows(_MEMBERS)])

    def lists(self) -> list[tuple[str, int | None]]:
        """Return the lists at Sailthru, and how many people are on each."""
        with SailthruClient(self._account) as client:
            return [(each.name, each.count) for each in client.lists()]

    def people(self) -> Iterator[tuple[str, Person]]:
        """Yield a person put on the list, one taken off, and the new subscriber, each with a caption."""
        (put_on,) = self._goal.lists
        first, *_, last = self._seen
        chosen = {
            f"Put on {put_on}": [email for email in last if email in first],
            f"Taken off {put_on} in act 2": [email for email in first if email not in last],
            "Subscribed to the newsletter": [str(NEWCOMER["id"])],
        }
        for what, emails in chosen.items():
            for email in emails[:1]:
                yield what, self._person(email)

    def _person(self, email: str) -> Person:
        with project_warehouse().open("read") as session:
            here = session.records(_PROFILE, {"email": email})[0]
        with SailthruClient(self._account) as client:
            there = client.user(email, "email", {"keys": 1, "vars": 1, "lists": 1}) or {}
        rows = [
            ("sid", _shown(here["sailthru_profile_id"]), _shown(there.get("keys", {}).get("sid"))),
            *((name, _shown(held), _shown(value)) for name, held, value in self._fields(here, there.get("vars") or {})),
            ("lists", _shown(here["mailing_lists"]), _shown(sorted(there.get("lists") or ()))),
        ]
        return Person(email, tuple(rows))

    def _fields(self, here: dict[str, Any], there: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
        exported = {column.field: column.property for column in self._goal.map if column.property}
        imported = {mapping.field: mapping.property for mapping in self._lists.map if mapping.field in there}
        mapped = {field: here[name] for field, name in {**imported, **exported}.items()}
        for name in (*mapped, *(name for name in there if name not in mapped)):
            yield name, mapped.get(name), there.get(name)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "" if value is None else str(value)
