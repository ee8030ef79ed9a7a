"""The command line and a Sailthru connection: check, scan and preview."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync_tests.sailthru.crm import SECRET, Crm, list_goal, user_goal

PEOPLE = [{"email": f"{name}@example.com", "lists": ["Main"]} for name in ("ann", "bob")]
ENDPOINTS = ("list", "user", "job")


@pytest.fixture(name="crm")
def declared(crm: Crm) -> Crm:
    """A connection with goals, and a list of two users."""
    crm.box.account.add_users(PEOPLE)
    crm.declare(list_goal(), exports=(user_goal(),))
    return crm


def output_of(*arguments: str, status: int = 0) -> str:
    """Return the output of a command, after checking its exit status."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.output


def test_check_reports_no_problems(crm: Crm) -> None:
    """`check` verifies the credentials, each endpoint and the time zone, and changes nothing."""
    lines = output_of("check", "crm").splitlines()
    assert lines[1:] == [f"{what}: in order." for what in ("credentials", "list", "user", "job", "time_zone")]
    assert crm.box.calls.count(method="POST") == 0


def test_check_reports_a_wrong_secret(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is reported without its value, with status 1, and ends the check."""
    monkeypatch.setenv("CRM_SECRET", "wrong-secret-17")
    (_, line) = output_of("check", "crm", status=1).split("\n", 1)
    assert line.startswith("credentials: ")
    assert "list" not in line
    assert "wrong-secret-17" not in line


def test_check_reports_an_unset_variable(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset variable is named, with status 1."""
    monkeypatch.delenv("CRM_SECRET")
    assert "CRM_SECRET is not set" in output_of("check", "crm", status=1)


@pytest.mark.parametrize("forbidden", ENDPOINTS)
def test_check_names_a_forbidden_endpoint(forbidden: str, crm: Crm) -> None:
    """Each of job, user and list has to be permitted: a forbidden one is named, and the others are checked."""
    crm.box.permit(*(each for each in (*ENDPOINTS, "settings") if each != forbidden))
    printed = output_of("check", "crm", status=1)
    assert [each for each in ENDPOINTS if f"{each}: in order." not in printed] == [forbidden]
    (line,) = [line for line in printed.splitlines() if line.startswith(f"{forbidden}: ")]
    assert f"must not use the endpoint {forbidden}" in line
    assert "permit it for this key" in line


def test_check_names_a_smart_list_of_an_export(crm: Crm) -> None:
    """Users cannot be put on it; a list that is missing is created by the run."""
    crm.box.account.add_list("Pros", type="smart", query={"criteria": ["match"], "field": ["plan"], "value": ["pro"]})
    crm.declare(exports=(user_goal("fine", lists=["New"]), user_goal(lists=["Main", "Pros"])))
    printed = output_of("check", "crm", status=1)
    assert "audience: Nobody can be put on a smart list, which a query fills: 'Pros'." in printed
    assert "fine: " not in printed


def test_check_compares_the_time_zone(crm: Crm) -> None:
    """The declared time zone is compared with the account's, as times in lists are local."""
    crm.declare(list_goal(), time_zone="Asia/Tokyo")
    assert "time_zone: The account's time zone is America/New_York" in output_of("check", "crm", status=1)


def test_check_reports_an_unreachable_server(crm: Crm) -> None:
    """An unreachable server is reported with status 1 after several attempts."""
    crm.declare(list_goal(), base_url="http://127.0.0.1:1")
    printed = output_of("check", "crm", status=1)
    assert "Error: " in printed
    assert SECRET not in printed


def test_scan_shows_the_lists(crm: Crm) -> None:
    """`scan` shows the goal's lists with kind and size, and the missing ones; it imports nothing."""
    crm.declare(list_goal(lists=["Main", "Mian"]), list_goal("off", enabled=False))
    printed = output_of("scan", "crm")
    assert "2 lists, 2 people" in printed
    assert "not there" in printed
    assert not (crm.project.data / "warehouse.duckdb").exists()
    found: dict[str, Any] = json.loads(output_of("scan", "crm", "--json"))
    lists = [{"list": "Main", "kind": "natural", "people": 2}, {"list": "Mian", "kind": "not there", "people": None}]
    assert found == {"connection": "crm", "goals": [{"goal": "members", "refused": "", "lists": lists}]}


def test_an_export_is_previewed_without_a_call(crm: Crm) -> None:
    """A preview of an export needs no call."""
    crm.run()
    made = crm.box.calls.count()
    found = json.loads(output_of("export", "crm", "--goal", "audience", "--preview", "--json"))
    assert found["profiles_in_segment"] == 0
    assert crm.box.calls.count() == made


def test_a_renamed_goal_that_would_sum_again_is_refused(crm: Crm) -> None:
    """`check`, `scan` and `run` refuse a renamed goal that would sum again, until it declares `was`."""
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
