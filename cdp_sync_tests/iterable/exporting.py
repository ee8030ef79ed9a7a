"""Exchanges people with an Iterable on loopback by the product's own steps, without Dagster."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.connectors.iterable.audience import IterableAudience
from cdp_sync.connectors.iterable.goals import IterableProject, ProjectType, UserExportGoal, UserImportGoal
from cdp_sync.exporting import UserRun, export_users
from cdp_sync.model import ExportReport, ImportReport, Profiles
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync.sandbox.iterable.project import User
from cdp_sync_tests.exporting.exporter import EVERYBODY, KEEN, Exporter
from cdp_sync_tests.iterable.exchange import TYPES, Crm, client

PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "customer", "identifier": True},
    {"name": "keen", "type": "boolean"},
    *({"name": f"{kind}_one", "type": kind} for kind in TYPES),
    *({"name": f"{kind}_list", "type": kind, "multiple": True} for kind in TYPES),
]
"""A property of every type, single and `multiple`."""
PROFILES = Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY, KEEN]})


@dataclass(kw_only=True)
class Exchange(Exporter):
    """Runs of goals over one warehouse and one Iterable, whose clock is everybody's."""

    box: IterableSandbox
    goal: UserExportGoal  # type: ignore[assignment]  # another kind of goal
    profiles: Profiles = PROFILES
    project_type: ProjectType = "email"
    log: list[str] = field(default_factory=list)

    @property
    def project(self) -> IterableProject:
        """The declared project."""
        return IterableProject(api_key_env="KEY", project_type=self.project_type, base_url=self.box.url)

    def next_run(self) -> UserRun:  # type: ignore[override]  # another kind of run
        """Return an export that is to begin."""
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        return UserRun(
            run_id=own.name,
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
        """Export; what is waited for passes on the clock of Iterable."""
        report = deliver(self.next_run(), self.project, **{"wait": self.box.clock.advance, **options})
        assert report.counters.add_up
        return report

    def bring(self, goal: UserImportGoal) -> ImportReport:
        """Import users into the same warehouse."""
        crm = Crm(
            folder=self.folder / f"import{self.runs}", box=self.box, goal=goal, project_type=self.project_type,
            profiles=self.profiles, shared=self.warehouse, objectives=self.objectives,
        )  # fmt: skip
        self.runs += 1
        return crm.run()

    def user(self, email: str) -> User:
        """Return a user."""
        found = self.box.project.find("email", email)
        assert found
        return found

    def fields(self, email: str) -> dict[str, Any]:
        """Return the fields of a user that callers set."""
        return self.user(email).fields

    def on(self, name: str) -> set[str]:
        """Return the addresses, or else userIds, of those who are on a list."""
        found = next((each for each in self.box.project.lists.values() if each.name == name), None)
        return {str(user.email or user.user_id) for user in found.members.values()} if found else set()

    def emails(self) -> set[str]:
        """Return the addresses of all users."""
        return {str(user.email) for user in self.box.project.users.values()}

    def written(self) -> int:
        """Return how many calls that change users there were so far."""
        kinds = ("users/bulkUpdate", "lists/subscribe", "lists/unsubscribe")
        return sum(self.box.calls.count(endpoint, "POST") for endpoint in kinds)

    def reasons(self) -> list[tuple[str, int]]:
        """Return why profiles could not be delivered by the last run, with how many each."""
        query = f"""select reason, count(*) from warehouse.quarantine
            where run_id = 'run{self.runs}' group by reason order by reason"""
        return [(str(reason), int(count)) for reason, count in self.rows(query)]


def deliver(run: UserRun, project: IterableProject, **options: Any) -> ExportReport:
    """Take the steps of an export."""
    assert isinstance(run.goal, UserExportGoal)
    with client(project, **options) as calling:
        return export_users(run, IterableAudience(calling, run.goal))


def audience(**declared: Any) -> UserExportGoal:
    """Return a goal that brings everybody to users, by e-mail, with their text."""
    usual = {
        "name": "audience",
        "segment": "everybody",
        "link": [{"field": "email", "property": "email"}],
        "create_users": True,
        "map": [mapped("text_one")],
    }
    return UserExportGoal.model_validate(usual | declared)


def mapped(name: str, field: str = "") -> dict[str, Any]:
    """Return the mapping of a property, called by its name unless something else is said."""
    return {"field": field or name, "property": name}


def profile(name: str, **more: Any) -> dict[str, Any]:
    """Return a profile with an address and a text."""
    return {"email": f"{name}@example.com", "text_one": name, "keen": True, **more}


def addresses(names: Iterable[str]) -> set[str]:
    """Return addresses."""
    return {f"{name}@example.com" for name in names}


def exchange(folder: Path, box: IterableSandbox, goal: UserExportGoal, **more: Any) -> Exchange:
    """Return an exchange."""
    return Exchange(folder, goal=goal, box=box, **more)
