"""Imports users of an Iterable on loopback by the product's own steps, without Dagster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableConnection, IterableProject, ProjectType, UserImportGoal
from cdp_sync.connectors.iterable.source import IterableSource
from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_people
from cdp_sync.model import ImportReport, Profiles, SourceLook
from cdp_sync.sandbox.iterable import Clock, IterableSandbox
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.ledger import watermarks_of

KEY = "crm-key-93"  # of a server that lives for one test
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

TYPES = ("text", "number", "decimal", "date", "datetime", "boolean")
PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "customer", "identifier": True},
            {"name": "lists", "multiple": True},
            *({"name": f"{kind}_one", "type": kind} for kind in TYPES),
            *({"name": f"{kind}_list", "type": kind, "multiple": True} for kind in TYPES),
        ]
    }
)
"""A property of every type, single and `multiple`."""


@dataclass(kw_only=True)
class Crm:
    """Runs of a goal over one warehouse and one Iterable, whose clock is everybody's."""

    folder: Path
    box: IterableSandbox
    goal: UserImportGoal
    project_type: ProjectType = "email"
    profiles: Profiles = PROFILES
    shared: Warehouse | None = None
    """A warehouse in place of one of its own."""
    objectives: tuple[str, ...] = ()
    """Those of the connection."""
    runs: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def project(self) -> IterableProject:
        """The declared project."""
        return IterableProject(api_key_env="KEY", project_type=self.project_type, base_url=self.box.url)

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse that runs write to."""
        return self.shared or Warehouse(self.folder / "warehouse.duckdb", lock_timeout=20)

    def next_run(self, **options: Any) -> ImportRun:
        """Return an import that is to begin."""
        self.runs += 1
        connection = IterableConnection.model_validate(
            {"name": "crm", **self.project.model_dump(), "import_profiles": [self.goal]}
        )
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        goal = self.goal.importing(connection, self.profiles)
        asked = {"objectives": self.objectives, **options}
        return ImportRun(own.name, "crm", goal, self.profiles, self.warehouse, own / "staged", **asked)

    def run(self, *, again: bool = False, **options: Any) -> ImportReport:
        """Import; the options are those of the client."""
        report = bring(self.next_run(again=again), self.goal, self.project, self.box.clock(), **options)
        assert report.counters.add_up
        return report

    def look(self) -> SourceLook:
        """Look at what there is to import."""
        moment = datetime.fromtimestamp(self.box.clock(), UTC)
        with client(self.project) as calling:
            return IterableSource(calling, self.goal, now=lambda: moment).look()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def people(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of all profiles, in order."""
        named = ", ".join(columns)
        return self.rows(f"select {named} from warehouse.profile where merged_into is null order by all")

    def watermarks(self) -> Mapping[str, str]:
        """Return how far the goal has read."""
        with self.warehouse.open("read") as session:
            return watermarks_of(session, "crm", self.goal.name)

    def change(self, email: str, **fields: Any) -> None:
        """Change a user's fields at this moment."""
        user = self.box.project.find("email", email)
        assert user
        user.fields, user.updated = user.fields | fields, self.box.clock()

    def counted(self) -> dict[str, int]:
        """Return how many calls there were of those that read users."""
        kinds = [("export/start", "POST"), ("export/data.json", "GET"), ("lists/getUsers", "GET"), ("users", "GET")]
        return {endpoint: self.box.calls.count(endpoint, method) for endpoint, method in kinds}


def client(project: IterableProject, **options: Any) -> IterableClient:
    """Return a client that does not pause, and that no documented limit holds back."""
    usual: dict[str, Any] = {
        "environ": {"KEY": KEY},
        "first_pause": 0.0,
        "attempts": 3,
        "wait": lambda _: None,
        "limiter": RateLimiter(),
    }
    return IterableClient(project, **usual | options)


def bring(
    run: ImportRun, goal: UserImportGoal, project: IterableProject, now: float | None = None, **options: Any
) -> ImportReport:
    """Take the steps of an import at this moment."""
    moment = datetime.fromtimestamp(now, UTC) if now else datetime.now(UTC)
    with client(project, **options) as calling:
        return import_people(run, IterableSource(calling, goal, now=lambda: moment))


@contextmanager
def iterable(kind: ProjectType = "email", **options: Any) -> Iterator[IterableSandbox]:
    """Serve an Iterable with nobody in it, whose clock stands still."""
    with IterableSandbox(api_key=KEY, project_type=kind, **{"clock": Clock(NOON.timestamp())} | options) as box:
        yield box


def users_goal(**declared: Any) -> UserImportGoal:
    """Return a goal that imports all users by e-mail, with a text."""
    usual = {
        "name": "users",
        "link": [{"field": "email", "property": "email"}],
        "map": [column("plan", "text_one")],
    }
    return UserImportGoal.model_validate(usual | declared)


def column(name: str, prop: str, mode: str = "set") -> dict[str, Any]:
    """Return the mapping of a field."""
    return {"field": name, "property": prop, "mode": mode}


def person(name: str, *lists: str, updated: float | None = None, **fields: Any) -> dict[str, Any]:
    """Return a user with an address and a plan, who is on lists and was changed so many seconds before noon."""
    at = NOON.timestamp() - (HOUR if updated is None else updated)
    return {
        "email": f"{name}@example.com",
        "dataFields": {"plan": name, **fields},
        "lists": list(lists),
        "created": NOON.timestamp() - DAY,
        "updated": at,
    }
