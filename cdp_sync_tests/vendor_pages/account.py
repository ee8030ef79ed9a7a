"""An account of either platform, whose sandbox runs on loopback, and a warehouse that exchanges people with it.

Imports and exports take the engine's own steps, without Dagster.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.model import ExportReport, ImportReport, Profiles
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.iterable import exchange as iterable_import
from cdp_sync_tests.iterable import exporting as iterable_export
from cdp_sync_tests.sailthru import exchange as sailthru
from cdp_sync_tests.trail.importer import Importer
from cdp_sync_tests.trail.importer import goal as file_goal

PLATFORMS = ("sailthru", "iterable")
BY_EMAIL = [{"field": "email", "property": "email"}]
ADS = [{"name": name, "zones": ["GDPR"]} for name in ("news", "ads", "survey")]
CONSENT: dict[str, Any] = {"zones": {"GDPR": "opt_in"}, "objectives": ADS}


class Account(ABC):
    """An account, and the warehouse. Properties are `email`, `keen`, `text_one` and so on, as in `PROPERTIES`."""

    exchange: sailthru.Exchange | iterable_export.Exchange
    key: str
    secret: str = ""

    @abstractmethod
    def change(self, name: str, **fields: object) -> None:
        """Change fields of a user."""

    @abstractmethod
    def add(self, name: str, **fields: object) -> None:
        """Add a user with an address and fields to the list Main."""

    @abstractmethod
    def users(self) -> dict[str, dict[str, Any]]:
        """Return the fields of all users by the name in their address, without those that have no value."""

    @abstractmethod
    def bring(self, **declared: Any) -> ImportReport:
        """Import the list Main by e-mail; what is declared of the goal replaces the usual."""

    @abstractmethod
    def send(self, **declared: Any) -> ExportReport:
        """Export everybody's text by e-mail, and create users; what is declared of the goal replaces the usual."""

    def declare(self, **more: Any) -> None:
        """Declare more of the profile."""
        declared = self.exchange.profiles.model_dump(exclude_defaults=True)
        self.exchange.profiles = Profiles.model_validate({**declared, **more})

    def hold(self, text: str) -> None:
        """Import a file of another source, whose columns are properties; several values have a semicolon between."""
        names = text.partition("\n")[0].split(",")
        self._import(text, map=[mapped(name, name) for name in names if name != "email"])

    def _import(self, text: str, **declared: Any) -> None:
        goal = file_goal(link=BY_EMAIL, format={"multi_value": ";"}, **declared)
        held = self.exchange
        importer = Importer(held.folder / "shop", goal, profiles=held.profiles, warehouse=held.warehouse)
        importer.runs = held.runs = held.runs + 1
        importer.deliver({f"/inbox/{importer.runs}.csv": text})

    def happen(self, kind: str, *names: str) -> None:
        """Import events of a type, one of each of these people, that happen now."""
        rows = "".join(f"{name}@example.com,{self.now.isoformat()}\n" for name in names)
        self._import(f"email,time\n{rows}", map=[], events=[{"type": kind, "time": "time"}])

    def show(self, name: str, day: str, dialogue: str) -> None:
        """Import that a person has seen a dialogue on a day."""
        event = {"type": "dialogue_seen", "time": "time", "map": [{"field": "dialogue", "property": "dialogue"}]}
        self._import(f"email,time,dialogue\n{name}@example.com,{day},{dialogue}\n", map=[], events=[event])

    @property
    def now(self) -> datetime:
        """The moment on the platform's clock."""
        return datetime.fromtimestamp(self.exchange.box.clock(), UTC)

    def pass_days(self, days: float) -> None:
        """Let time pass."""
        self.exchange.box.clock.advance(days * 86_400)

    def on(self, list_name: str) -> set[str]:
        """Return the names in the addresses of a list's members."""
        return {name_of(email) for email in self.exchange.on(list_name)}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        return self.exchange.rows(query)


class SailthruAccount(Account):
    """An account of Sailthru, whose lists have addresses."""

    exchange: sailthru.Exchange

    def __init__(self, folder: Path, box: SailthruSandbox) -> None:
        box.clear_emails = True
        self.exchange = sailthru.Exchange(folder, goal=sailthru.users_goal(), box=box)
        self.key, self.secret = sailthru.SECRETS["KEY"], sailthru.SECRETS["SECRET"]

    def change(self, name: str, **fields: object) -> None:
        """Change fields of a user."""
        user = self.exchange.box.account.find("email", f"{name}@example.com")
        assert user
        user.vars = user.vars | fields

    def add(self, name: str, **fields: object) -> None:
        """Add a user with an address and fields to the list Main."""
        self.exchange.box.account.add_users([{"email": f"{name}@example.com", "vars": fields, "lists": ["Main"]}])

    def users(self) -> dict[str, dict[str, Any]]:
        """Return the fields of all users by the name in their address, without those that have no value."""
        users = self.exchange.box.account.users.values()
        return {name_of(user.email): {k: v for k, v in user.vars.items() if v is not None} for user in users}

    def bring(self, **declared: Any) -> ImportReport:
        """Import the list Main by e-mail; what is declared of the goal replaces the usual."""
        return self.exchange.import_list(sailthru.lists_goal(**{"link": BY_EMAIL, **declared}))

    def send(self, **declared: Any) -> ExportReport:
        """Export everybody's text by e-mail, and create users; what is declared of the goal replaces the usual."""
        self.exchange.goal = sailthru.users_goal(**declared)
        return self.exchange.run()


class IterableAccount(Account):
    """A project of Iterable."""

    exchange: iterable_export.Exchange

    def __init__(self, folder: Path, box: IterableSandbox) -> None:
        self.exchange = iterable_export.exchange(folder, box, iterable_export.audience())
        self.key = iterable_import.KEY

    def change(self, name: str, **fields: object) -> None:
        """Change fields of a user."""
        user = self.exchange.user(f"{name}@example.com")
        user.fields = user.fields | fields

    def add(self, name: str, **fields: object) -> None:
        """Add a user with an address and fields to the list Main."""
        self.exchange.box.load([{"email": f"{name}@example.com", "dataFields": fields, "lists": ["Main"]}])

    def users(self) -> dict[str, dict[str, Any]]:
        """Return the fields of all users by the name in their address."""
        return {name_of(user.email): user.fields for user in self.exchange.box.project.users.values()}

    def bring(self, **declared: Any) -> ImportReport:
        """Import the list Main by e-mail; what is declared of the goal replaces the usual."""
        return self.exchange.bring(iterable_import.users_goal(**{"from": {"lists": ["Main"]}, **declared}))

    def send(self, **declared: Any) -> ExportReport:
        """Export everybody's text by e-mail, and create users; what is declared of the goal replaces the usual."""
        self.exchange.goal = iterable_export.audience(**declared)
        return self.exchange.run()


@contextmanager
def open_account(platform: str, folder: Path) -> Iterator[Account]:
    """Serve an account without users."""
    if platform == "sailthru":
        with sailthru.sailthru() as box:
            yield SailthruAccount(folder / "crm", box)
    else:
        with iterable_import.iterable() as project:
            yield IterableAccount(folder / "crm", project)


def mapped(field: str, name: str, mode: str = "set") -> dict[str, Any]:
    """Return the mapping of a field to a property in an import."""
    return {"field": field, "property": name, "mode": mode}


def name_of(email: str | None) -> str:
    """Return the name in an address."""
    return str(email).partition("@")[0]
