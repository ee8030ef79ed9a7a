"""The runs to kill: an import from files, an export to a file, and an exchange with Sailthru, by `cdp-sync run`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.trail.importer import PROFILES, state_of
from cdp_sync_tests.trail.project import Project

SECRETS = {"SHOP_PASSWORD": "correct horse", "CRM_KEY": "crm-key", "CRM_SECRET": "crm-secret-93"}
"""Of servers that live for one soak."""

PROPERTIES = [
    *(prop.model_dump(exclude_unset=True) for prop in PROFILES.properties),
    {"name": "sailthru_profile_id", "identifier": True},
]
SPENDERS = {"name": "spenders", "when": {"property": "order_total", "at_least": 300}}
PEOPLE = 400


class Exercise(Protocol):
    """A run that can be repeated from the same state."""

    name: str

    def begin(self, folder: Path) -> Project:
        """Return a project in a new folder, in the state before the run."""

    def command(self) -> tuple[str, ...]:
        """Return the arguments of the command that is killed and run again."""

    def outcome(self, project: Project) -> dict[str, Any]:
        """Return the state after the run, for comparison."""


@dataclass(frozen=True)
class Shop:
    """An SFTP server with a project, and a copy of both before the run."""

    name: str
    sandbox: SftpSandbox
    template: Project
    outbox: Path
    goal: str

    def begin(self, folder: Path) -> Project:
        """Return a copy of the project, and restore the server's outbox."""
        shutil.rmtree(self.sandbox.root / "outbox")
        shutil.copytree(self.outbox, self.sandbox.root / "outbox")
        return copied(self.template, folder)

    def command(self) -> tuple[str, ...]:
        """Run the goal."""
        return ("run", "shop", "--goal", self.goal)

    def outcome(self, project: Project) -> dict[str, Any]:
        """Return the content of warehouse and outbox."""
        files = {path.name: path.read_bytes() for path in (self.sandbox.root / "outbox").iterdir()}
        return {**state_of(project.warehouse), **delivered(project), "outbox": files}


@dataclass(frozen=True)
class Newsletter:
    """A Sailthru sandbox with a project, and a copy of both before the run."""

    box: SailthruSandbox
    template: Project
    people: tuple[Any, ...]
    name: str = "sailthru"

    def begin(self, folder: Path) -> Project:
        """Return a copy of the project, and restore the account's users and lists."""
        account = self.box.account
        account.users, account.lists, account._by = deepcopy(self.people)
        return copied(self.template, folder)

    def command(self) -> tuple[str, ...]:
        """Run all goals: the import of a list and two exports of segments."""
        return ("run", "crm")

    def outcome(self, project: Project) -> dict[str, Any]:
        """Return the state on both sides, without the times of runs in the ledger."""
        users = self.box.account.users.values()
        held = {**state_of(project.warehouse), **delivered(project)}
        del held["ledger"]
        return {
            **held,
            "users": sorted((str(each.email), sorted(each.vars.items()), sorted(each.lists)) for each in users),
        }


def copied(template: Project, folder: Path) -> Project:
    """Return a copy of a project."""
    shutil.copytree(template.folder, folder)
    return Project(folder, template.secrets)


def delivered(project: Project) -> dict[str, Any]:
    """Return the delivered users by e-mail address, with the lists that a goal added."""
    with project.warehouse.open("read") as session:
        rows = session.rows(
            """select goal_number, email, row_hash::text from warehouse.exported_profile
            join warehouse.profile using (profile_id) order by all"""
        )
        members = session.rows(
            """select list, email from warehouse.list_member
            join warehouse.profile using (profile_id) order by all"""
        )
    return {"exported": rows, "members": members}


# Before the run


@contextmanager
def exercises(folder: Path) -> Iterator[list[Exercise]]:
    """Yield the three exercises, their servers running inside the block."""
    for root in ("inbox", "outbox"):
        (folder / "root" / root).mkdir(parents=True)
    box = SailthruSandbox(api_key=SECRETS["CRM_KEY"], api_secret=SECRETS["CRM_SECRET"])
    with SftpSandbox(folder / "root", accounts={"shop": SECRETS["SHOP_PASSWORD"]}) as sandbox, box:
        importing, exporting = shop_exercises(folder, sandbox)
        yield [importing, exporting, newsletter(folder, box)]


def shop_exercises(folder: Path, sandbox: SftpSandbox) -> tuple[Shop, Shop]:
    """Import and export once, then deliver a corrected and a new file, to be imported and then exported."""
    project = Project(folder / "shop", SECRETS)
    project.declare(PROPERTIES, shop_connection(sandbox), segments=[SPENDERS])
    deliver(sandbox.root, "people_1.csv", PEOPLE, 0)
    project.answer("run", "shop")
    deliver(sandbox.root, "people_1.csv", PEOPLE, 1)
    deliver(sandbox.root, "people_2.csv", PEOPLE + 50, 2)
    outbox = folder / "outbox"
    shutil.copytree(sandbox.root / "outbox", outbox)
    importing = Shop("import", sandbox, copied(project, folder / "importing"), outbox, "customers")
    project.answer("run", "shop", "--goal", "customers")
    return importing, Shop("export", sandbox, project, outbox, "spenders")


def shop_connection(sandbox: SftpSandbox) -> dict[str, Any]:
    """Return the connection to the server, with sums and lists to import and a segment to export."""
    server = {"host": sandbox.host, "port": sandbox.port, "username": "shop", "password_env": "SHOP_PASSWORD"}
    customers = {
        "name": "customers",
        "directory": "/inbox",
        "complete": {"settle_seconds": 0},
        "link": [{"field": "Email", "property": "email"}, {"field": "Id", "property": "customer_id"}],
        "map": [
            {"field": "Name", "property": "first_name"},
            {"field": "Total", "property": "order_total", "mode": "sum"},
            {"field": "Tags", "property": "interests", "mode": "add"},
        ],
    }
    spenders = {
        "name": "spenders",
        "segment": "spenders",
        "directory": "/outbox",
        "file": {"name": "spenders.csv"},
        "map": [{"field": name, "property": name} for name in ("email", "first_name", "order_total")],
    }
    goals = {"import_profiles": [customers], "export_profiles": [spenders]}
    return {"name": "shop", "server": {**server, "host_key": sandbox.fingerprint}, **goals}


def deliver(root: Path, name: str, people: int, delivery: int) -> None:
    """Put a file with an old modification time on the server; some of its rows cannot land."""
    rows = [f"p{n}@example.com,{n},P{n},{n + delivery * (n % 3)}.5,t{n % 4}" for n in range(people)]
    rows += ["ragged", ",,nobody,1,", f"p{delivery}@example.com,,,no number,"]
    file = root / "inbox" / name
    file.write_text("\n".join(["Email,Id,Name,Total,Tags", *rows, ""]), encoding="utf-8")
    os.utime(file, (1_600_000_000 + delivery, 1_600_000_000 + delivery))


def newsletter(folder: Path, box: SailthruSandbox) -> Newsletter:
    """Exchange once; then users subscribe, spend more, and leave the segment."""
    project = Project(folder / "crm", SECRETS)
    project.declare(PROPERTIES, crm_connection(box), kind="SailthruConnection", segments=[SPENDERS, FANS])
    box.account.add_users(subscriber(number) for number in range(20))
    project.answer("run", "crm")
    box.account.add_users(subscriber(number) for number in range(20, 30))
    for number in range(10):
        user = box.account.find("email", f"p{number}@example.com")
        assert user
        user.vars = {**user.vars, "name": f"Q{number}", "total": 900 - 100 * number}
    account = box.account
    return Newsletter(box, project, deepcopy((account.users, account.lists, account._by)))


FANS = {"name": "fans", "when": {"property": "first_name", "has_value": True}}


def subscriber(number: int) -> dict[str, Any]:
    """Return a user on the list Main."""
    fields = {"name": f"P{number}", "total": 30 * number}
    created = 1_600_000_000 + number
    return {"email": f"p{number}@example.com", "vars": fields, "lists": ["Main"], "created": created}


def crm_connection(box: SailthruSandbox) -> dict[str, Any]:
    """Return the connection to the account: a list to import, and exports individually and as a file."""
    link = [{"field": "email", "property": "email"}]
    account = {"api_key_env": "CRM_KEY", "api_secret_env": "CRM_SECRET", "base_url": box.url}
    members = {
        "name": "members",
        "lists": ["Main"],
        "link": link,
        "map": [{"field": "name", "property": "first_name"}, {"field": "total", "property": "order_total"}],
    }
    spenders = {"name": "spenders", "segment": "spenders", "lists": ["Spenders"], "remove_from_lists": True}
    fans = {"name": "fans", "segment": "fans", "bulk_from": 1, "map": [{"field": "spent", "property": "order_total"}]}
    exports = [{**goal, "link": link} for goal in (spenders, fans)]
    zone = "America/New_York"
    goals = {"import_profiles": [members], "export_profiles": exports}
    return {"name": "crm", **account, "time_zone": zone, **goals}
