"""A project with a connection `crm` to its own Sailthru sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.projects import SPENDERS, Project, shown

TIME_ZONE = "America/New_York"
KEY, SECRET = "crm-key", "crm-secret-93"  # of a server that lives for one test
ENVIRONMENT = {"CRM_KEY": KEY, "CRM_SECRET": SECRET}

PROPERTIES = (
    {"name": "email", "type": "email", "identifier": True},
    {"name": "sailthru_profile_id", "identifier": True},
    {"name": "number", "identifier": True},
    {"name": "first_name"},
    {"name": "total", "type": "decimal"},
    {"name": "visits", "type": "number"},
    {"name": "interests", "multiple": True},
    {"name": "scores", "type": "number", "multiple": True},
    {"name": "birthday", "type": "date"},
    {"name": "last_seen", "type": "datetime"},
    {"name": "newsletter", "type": "boolean"},
    {"name": "on_lists", "multiple": True},
)


@dataclass
class Crm:
    """The project, its Sailthru sandbox, and the attributes of the connection."""

    project: Project
    box: SailthruSandbox
    instance: dg.DagsterInstance
    attributes: dict[str, Any] = field(default_factory=dict)

    def declare(self, *imports: Mapping[str, Any], exports: tuple[Mapping[str, Any], ...] = (), **more: Any) -> None:
        """Declare the connection with these goals."""
        account = {"api_key_env": "CRM_KEY", "api_secret_env": "CRM_SECRET", "base_url": self.box.url}
        goals = {"import_profiles": list(imports), "export_profiles": list(exports)}
        attributes = {"name": "crm", **account, "time_zone": TIME_ZONE, **goals, **more}
        self.project.declare("crm", attributes, kind="SailthruConnection")

    def describe(self, **attributes: Any) -> None:
        """Declare the profile."""
        self.project.describe(
            **{"properties": [dict(each) for each in PROPERTIES], "segments": [SPENDERS]} | attributes
        )

    def run(self, *, fails: bool = False) -> dg.ExecuteInProcessResult:
        """Run the connection."""
        result = self.project.run("crm_sync", self.instance)
        assert result.success is not fails, [_why(event) for event in result.all_events if event.is_step_failure]
        return result

    def change(self, email: str, **variables: Any) -> None:
        """Change a user's custom fields."""
        user = self.box.account.find("email", email)
        assert user
        user.vars = user.vars | variables

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.project.warehouse.open("read") as session:
            return session.rows(query)

    def metadata(self, result: dg.ExecuteInProcessResult, goal: str) -> dict[str, Any]:
        """Return the metadata of a goal's run, as plain values."""
        return shown(result, "crm", goal)


def list_goal(name: str = "members", **fields: Any) -> dict[str, Any]:
    """Return the declaration of a goal that imports the list Main, linked by sid."""
    usual = {
        "lists": ["Main"],
        "link": [{"field": "sid", "property": "sailthru_profile_id"}],
        "map": [{"field": "first_name", "property": "first_name"}],
    }
    return {"name": name} | usual | fields


def user_goal(name: str = "audience", **fields: Any) -> dict[str, Any]:
    """Return the declaration of a goal that exports the segment `spenders` to users, by e-mail."""
    usual = {
        "segment": "spenders",
        "link": [{"field": "email", "property": "email"}],
        "create_users": True,
        "map": [{"field": "total", "property": "total"}],
    }
    return {"name": name} | usual | fields


def _why(event: dg.DagsterEvent) -> str:
    return str(event.step_failure_data.error)
