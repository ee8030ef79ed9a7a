"""The command is killed while it exchanges users with Sailthru, and the next run removes their local data."""

from pathlib import Path

import pytest

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.sailthru.crm import ENVIRONMENT, KEY, PROPERTIES, SECRET, TIME_ZONE, list_goal, user_goal
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.project import Project

SPENDERS = {"name": "spenders", "when": {"property": "first_name", "has_value": True}}

KILLS = {
    "importing": ({"number": 1, "only": "update warehouse.revision"}, ["staging"]),
    "exporting": ({"number": 2, "only": "insert into warehouse.run ("}, ["downloads", "staging"]),
}
"""Points of a kill in a run that imports a list and exports a segment, and the place of its personal data."""


@pytest.mark.parametrize("kill", KILLS)
def test_the_next_run_removes_personal_data(kill: str, tmp_path: Path) -> None:
    """After the next run the staged rows and user files of the killed run are gone, and everything is delivered."""
    deadly, places = KILLS[kill]
    with SailthruSandbox(api_key=KEY, api_secret=SECRET, time_zone=TIME_ZONE) as box:
        box.account.add_users([{"email": "ann@example.com", "lists": ["Main"], "vars": {"first_name": "Ann"}}])
        project = Project(tmp_path / "project", ENVIRONMENT)
        account = {"api_key_env": "CRM_KEY", "api_secret_env": "CRM_SECRET", "base_url": box.url}
        by_id = [{"field": "sid", "property": "sailthru_profile_id"}]
        users = user_goal(link=by_id, create_users=False, map=[{"field": "name", "property": "first_name"}])
        goals = {"import_profiles": [list_goal()], "export_profiles": [users]}
        connection = {"name": "crm", **account, "time_zone": TIME_ZONE, **goals}
        project.declare(PROPERTIES, connection, kind="SailthruConnection", segments=[SPENDERS])
        assert victim.exit_code(project.start("run", "crm", deadly=deadly)) == victim.KILLED
        data = project.folder / "data"
        assert [place for place in ("downloads", "staging") if any((data / place).glob("*"))] == places
        answer = project.answer("run", "crm")
        assert [answer["goals"][-1][name] for name in ("goal", "profiles_written")] == ["audience", 1]
        assert [path for place in ("downloads", "staging", "spill") for path in (data / place).glob("*")] == []
