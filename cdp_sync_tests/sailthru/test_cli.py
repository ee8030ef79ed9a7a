"""The command line and a Sailthru connection: is it in order, what is on its lists, what would be exported."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync_tests.sailthru.crm import SECRET, Crm, list_goal, user_goal

PEOPLE = [{"email": f"{name}@example.com", "lists": ["Main"]} for name in ("ann", "bob")]


@pytest.fixture(name="crm")
def declared(crm: Crm) -> Crm:
    """A connection with goals, and two people on a list there."""
    crm.box.account.add_users(PEOPLE)
    crm.declare(list_goal(), exports=(user_goal(),))
    return crm


def output_of(*arguments: str, status: int = 0) -> str:
    """Return what a command prints, if it ends with this status."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.output


def test_check_reports_no_problems(crm: Crm) -> None:
    """The credentials, each endpoint, the time zone; nothing is changed there."""
    lines = output_of("check", "crm").splitlines()
    assert lines[1:] == [f"{what}: in order." for what in ("credentials", "list", "user", "job", "time_zone")]
    assert crm.box.calls.count(method="POST") == 0


def test_check_tells_of_a_wrong_secret(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, without it, and with status 1; nothing else is tried."""
    monkeypatch.setenv("CRM_SECRET", "wrong-secret-17")
    (_, line) = output_of("check", "crm", status=1).split("\n", 1)
    assert line.startswith("credentials: ")
    assert "list" not in line
    assert "wrong-secret-17" not in line


def test_check_tells_of_a_variable_that_is_not_set(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, with status 1."""
    monkeypatch.delenv("CRM_SECRET")
    assert "CRM_SECRET is not set" in output_of("check", "crm", status=1)


def test_check_names_a_forbidden_endpoint(crm: Crm) -> None:
    """The others are tried all the same."""
    crm.box.permit("list", "user", "settings")
    printed = output_of("check", "crm", status=1)
    assert [what for what in ("list", "user", "job") if f"{what}: in order." not in printed] == ["job"]
    (line,) = [line for line in printed.splitlines() if line.startswith("job: ")]
    assert "must not use the endpoint job" in line
    assert "permit it for this key" in line


def test_check_compares_the_time_zone(crm: Crm) -> None:
    """Times in lists are those of the account."""
    crm.declare(list_goal(), time_zone="Asia/Tokyo")
    assert "time_zone: The account's time zone is America/New_York" in output_of("check", "crm", status=1)


def test_check_of_a_server_that_is_not_there(crm: Crm) -> None:
    """A sentence and status 1, after some attempts."""
    crm.declare(list_goal(), base_url="http://127.0.0.1:1")
    printed = output_of("check", "crm", status=1)
    assert "Error: " in printed
    assert SECRET not in printed


def test_scan_shows_the_lists(crm: Crm) -> None:
    """Those of the goal, with kind and size, and those that are not there; nothing is imported."""
    crm.declare(list_goal(lists=["Main", "Mian"]), list_goal("off", enabled=False))
    printed = output_of("scan", "crm")
    assert "2 lists, 2 people" in printed
    assert "not there" in printed
    assert not (crm.project.data / "warehouse.duckdb").exists()
    found: dict[str, Any] = json.loads(output_of("scan", "crm", "--json"))
    lists = [{"list": "Main", "kind": "natural", "people": 2}, {"list": "Mian", "kind": "not there", "people": None}]
    assert found == {"connection": "crm", "goals": [{"goal": "members", "refused": "", "lists": lists}]}


def test_an_export_is_previewed_without_a_call(crm: Crm) -> None:
    """What would be sent is known from the warehouse alone."""
    crm.run()
    made = crm.box.calls.count()
    found = json.loads(output_of("export", "crm", "--goal", "audience", "--preview", "--json"))
    assert found["profiles_in_segment"] == 0
    assert crm.box.calls.count() == made


def test_a_renamed_goal_that_would_sum_again_is_refused_by_check_scan_and_run(crm: Crm) -> None:
    """With the list's amounts summed once already; `was` lets it go on."""
    crm.box.account.add_users([{"email": "cleo@example.com", "lists": ["Main"], "vars": {"visits": 5}}])
    adding = {"map": [{"field": "visits", "property": "visits", "mode": "sum"}]}
    crm.declare(list_goal(**adding))
    crm.run()
    crm.declare(list_goal("renamed", **adding))
    needle = "crm/renamed reads files that crm/members has imported with the same links and sums"
    assert needle in output_of("check", status=1)
    (seen,) = json.loads(output_of("scan", "crm", "--json"))["goals"]
    assert needle in seen["refused"]
    assert "A run would refuse this goal: " in output_of("scan", "crm")
    assert needle in str([event.step_failure_data for event in crm.run(fails=True).all_events if event.is_step_failure])
    crm.declare(list_goal("renamed", was="members", **adding))
    assert "all in order" in output_of("check")
    assert json.loads(output_of("scan", "crm", "--json"))["goals"][0]["refused"] == ""
