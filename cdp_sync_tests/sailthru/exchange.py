"""Exchanges users with a Sailthru sandbox by the product's own steps, without Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.connectors.sailthru.audience import SailthruAudience
from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import PROFILE_ID, ListGoal, SailthruAccount, UserExportGoal
from cdp_sync.connectors.sailthru.source import SailthruSource
from cdp_sync.exporting import UserRun, export_users
from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_people
from cdp_sync.model import ExportReport, ImportReport, Profiles
from cdp_sync.sandbox.sailthru import Clock, SailthruSandbox
from cdp_sync_tests.exporting.exporter import EVERYBODY, KEEN, NOON, Exporter

ZONE = "America/New_York"
SECRETS = {"KEY": "crm-key", "SECRET": "crm-secret-93"}  # of a server that lives for one test

TYPES = ("text", "number", "decimal", "date", "datetime", "boolean")
PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": PROFILE_ID, "identifier": True},
    {"name": "customer", "identifier": True},
    {"name": "keen", "type": "boolean"},
    *({"name": f"{kind}_one", "type": kind} for kind in TYPES),
    *({"name": f"{kind}_list", "type": kind, "multiple": True} for kind in TYPES),
]
"""A property of every type, single and `multiple`."""
PROFILES = Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY, KEEN]})


@dataclass(kw_only=True)
class Exchange(Exporter):
    """Runs of goals over one warehouse and one Sailthru sandbox, with a shared clock."""

    box: SailthruSandbox
    goal: UserExportGoal  # type: ignore[assignment]  # another kind of goal
    profiles: Profiles = PROFILES

    def next_run(self) -> UserRun:  # type: ignore[override]  # another kind of run
        """Return a new export run."""
        run_id, own = self._own()
        return UserRun(
            run_id=run_id,
            connection="crm",
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.objectives,
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=datetime.fromtimestamp(self.box.clock(), UTC),
        )

    def run(self, **options: Any) -> ExportReport:  # type: ignore[override]  # of the audience
        """Export."""
        with client_without_pauses(self.box.url, **options) as client:
            report = export_users(self.next_run(), SailthruAudience(client, self.goal))
        assert report.counters.add_up
        return report

    def import_list(self, goal: ListGoal, **options: Any) -> ImportReport:
        """Import lists."""
        run_id, own = self._own()
        run = ImportRun(
            run_id, "crm", goal.as_import(ZONE, self.profiles), self.profiles, self.warehouse, own / "staged",
            objectives=self.objectives,
        )  # fmt: skip
        return import_lists(run, goal, self.box.url, **options)

    def posted(self) -> int:
        """Return the number of posted users and jobs."""
        return self.box.calls.count("user", "POST") + self.box.calls.count("job", "POST")

    def vars(self, email: str) -> dict[str, Any]:
        """Return the custom fields of a user."""
        found = self.box.account.find("email", email)
        assert found
        return found.vars

    def on(self, name: str) -> set[str]:
        """Return the addresses of a list's members."""
        found = self.box.account.lists.get(name)
        return {str(user.email) for user in found.members.values()} if found else set()

    def _own(self) -> tuple[str, Path]:
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        return own.name, own


def client_without_pauses(url: str, **options: Any) -> SailthruClient:
    """Return a client without pauses."""
    account = SailthruAccount(api_key_env="KEY", api_secret_env="SECRET", base_url=url, time_zone=ZONE)
    usual: dict[str, Any] = {"environ": SECRETS, "first_pause": 0.0, "wait": lambda _: None}
    return SailthruClient(account, **usual | options)


def import_lists(run: ImportRun, goal: ListGoal, url: str, **options: Any) -> ImportReport:
    """Execute the steps of an import."""
    with client_without_pauses(url, **options) as client:
        return import_people(run, SailthruSource(client, goal))


@contextmanager
def sailthru() -> Iterator[SailthruSandbox]:
    """Serve a Sailthru sandbox without users, with a simulated clock."""
    clock = Clock(NOON.timestamp())
    with SailthruSandbox(
        api_key=SECRETS["KEY"], api_secret=SECRETS["SECRET"], time_zone=ZONE, clock=clock
    ) as box:  # fmt: skip
        yield box


def users_goal(**declared: Any) -> UserExportGoal:
    """Return a goal that exports all profiles to users, by e-mail, with their text."""
    usual = {
        "name": "audience",
        "segment": "everybody",
        "link": [{"field": "email", "property": "email"}],
        "create_users": True,
        "map": [column("text_one")],
    }
    return UserExportGoal.model_validate(usual | declared)


def lists_goal(**declared: Any) -> ListGoal:
    """Return a goal that imports the list Main by Sailthru's id, with the text."""
    usual = {
        "name": "members",
        "lists": ["Main"],
        "link": [{"field": "sid", "property": PROFILE_ID}],
        "map": [column("text_one")],
    }
    return ListGoal.model_validate(usual | declared)


def column(name: str, field: str = "") -> dict[str, Any]:
    """Return the mapping of a property, by default to a field of its name."""
    return {"field": field or name, "property": name}


def again(run: UserRun, number: int) -> UserRun:
    """Return a retry of a run from a step, under another id."""
    return replace(run, run_id=f"{run.run_id}_{number}")


def person(name: str, **more: Any) -> dict[str, Any]:
    """Return a profile with an address and a text."""
    return {"email": f"{name}@example.com", "text_one": name, "keen": True, **more}
