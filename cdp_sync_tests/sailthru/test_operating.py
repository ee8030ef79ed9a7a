"""A Sailthru connection is run, reported and mailed like any other."""

import dagster as dg
import pytest

from cdp_sync_tests.orchestration.mail_project import TEAM, MailProject, header_and_text, mail_project, text_of
from cdp_sync_tests.sailthru.crm import Crm, list_goal, user_goal
from cdp_sync_tests.test_cli import answer, history

__all__ = ["history", "mail_project"]

PEOPLE = [{"email": f"{name}@example.com", "vars": {"total": 5}, "lists": ["Main"]} for name in ("ann", "bob")]
LISTS = list_goal(link=[{"field": "email", "property": "email"}], map=[{"field": "total", "property": "total"}])


@pytest.fixture
def instance(crm: Crm) -> dg.DagsterInstance:
    """The instance of the project."""
    return crm.instance


def test_run_prints_the_promised_json(crm: Crm) -> None:
    """`run --json` has goals with state, message and counters, and the lists as files. The schedule exists."""
    crm.box.account.add_users(PEOPLE)
    (crm.project.folder / "dagster").mkdir(exist_ok=True)
    crm.declare(LISTS, exports=(user_goal(),), schedule={"every_minutes": 15})
    schedule = crm.project.load().resolve_schedule_def("crm_schedule")
    assert schedule.cron_schedule == ["0,15,30,45 * * * *"]
    crm.box.fail("user", "POST", status=400)
    found = answer("run", "crm", "--json")
    assert (set(found), found["state"]) == ({"run_id", "state", "seconds", "message", "goals"}, "success")
    imported, exported = found["goals"]
    assert (imported["goal"], imported["state"], imported["rows_read"]) == ("members", "success", 2)
    assert imported["profiles_created"] == 2
    (file,) = imported["files"]
    assert (file["path"], file["state"], file["rows_applied"]) == ("Main", "imported", 2)
    assert (exported["goal"], exported["state"]) == ("audience", "success")
    assert (exported["profiles_written"], exported["profiles_not_deliverable"]) == (1, 1)
    assert "@example.com" not in str(found)


def test_a_failed_goal_is_mailed_about(crm: Crm, mail_project: MailProject) -> None:
    """The mail names the goal and the missing permission, and has no personal data."""
    crm.box.account.add_users(PEOPLE)
    crm.box.clear_emails = True
    crm.box.permit("job", "list")
    crm.declare(LISTS, exports=(user_goal(),), notifications={"emails": [TEAM], "on": "failure"}, title="Letters")
    crm.run(fails=True)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert (mail["Subject"], mail["To"]) == ("[cdp_sync] crm failed: audience", TEAM)
    mailed = text_of(mail)
    assert "Letters (crm): the run failed." in mailed
    assert "audience failed\n" in mailed
    assert "must not use the endpoint user" in mailed
    assert "members succeeded\n" in mailed
    assert [value for value in ("@example.com", "crm-secret", "crm-key") if value in header_and_text(mail)] == []
