"""What the pages say of running a connection: schedules, goals and their order, switches, the history of runs."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable.goals import IterableConnection
from cdp_sync.connectors.sailthru import waiting
from cdp_sync.connectors.sailthru.goals import SailthruConnection
from cdp_sync.model import Connection
from cdp_sync.model.occurrences import upcoming_runs
from cdp_sync_tests.projects import Project, open_project
from cdp_sync_tests.test_cli import answer, history
from cdp_sync_tests.vendor_pages.account import BY_EMAIL, PLATFORMS, Account, mapped, open_account

__all__ = ["history"]

NAMES = [f"p{number}" for number in range(7)]
KINDS: dict[str, type[Connection]] = {"sailthru": SailthruConnection, "iterable": IterableConnection}
ACCOUNT = {"sailthru": {"api_key_env": "KEY", "api_secret_env": "SECRET"}, "iterable": {"api_key_env": "KEY"}}
LISTS: dict[str, dict[str, Any]] = {"sailthru": {"lists": ["Main"]}, "iterable": {"from": {"lists": ["Main"]}}}
PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "sailthru_profile_id", "identifier": True},
    {"name": "plan"},
]
EVERYBODY = {"name": "everybody", "when": {"property": "email", "has_value": True}}

SCHEDULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "every x minutes": ({"every_minutes": 20}, ["01T00:20", "01T00:40", "01T01:00"]),
    "number of times per day": ({"times_per_day": 2, "starting_at": "06:00"}, ["01T06:00", "01T18:00", "02T06:00"]),
    "days of the week": ({"days_of_week": ["monday", "friday"], "at": "01:30"}, ["02T01:30", "05T01:30", "09T01:30"]),
    "days of the month": ({"days_of_month": [1, 15, "last"], "at": "01:30"}, ["01T01:30", "15T01:30", "31T01:30"]),
    "weekday of the month": (
        {"weekday_of_month": {"ordinal": "second", "weekday": "tuesday"}, "at": "01:30"}, ["13T01:30"],
    ),
}  # fmt: skip
"""By option of the pages: what is declared, and the first runs of January 2026, which begins on a Thursday."""


@dataclass
class Ran:
    """A project of a platform whose connection ran twice by hand: seven users are new, then six of them changed."""

    platform: str
    project: Project
    account: Account
    first: dict[str, Any]
    second: dict[str, Any]
    runs: dict[str, Any]
    """The history, with the last profiles."""


@pytest.fixture(scope="module", params=PLATFORMS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, history: Path) -> Iterator[Ran]:
    """A connection with goals in an order that is not the alphabet's, of which one is off."""
    platform, folder = request.param, tmp_path_factory.mktemp("ran")
    with (
        open_project(folder / "project") as project,
        open_account(platform, folder) as account,
        pytest.MonkeyPatch.context() as patch,
    ):
        shutil.copytree(history, project.folder / "dagster")
        patch.setattr(waiting, "_PAUSES", replace(waiting._PAUSES, first=0.01))
        patch.setenv("KEY", account.key)
        patch.setenv("SECRET", account.secret)
        patch.setattr("tempfile.tempdir", str(folder))  # rate limits of this test alone
        project.describe(properties=PROPERTIES, segments=[EVERYBODY])
        declare(project, platform, account)
        for name in NAMES:
            account.add(name, plan="trial")
        first = answer("run", "crm", "--json")
        for name in NAMES[:6]:
            account.change(name, plan="pro")
        second = answer("run", "crm", "--json")
        yield Ran(platform, project, account, first, second, answer("runs", "crm", "--profiles", "--json"))


def declare(project: Project, platform: str, account: Account) -> None:
    """Declare the connection, one that is off, and one without goals."""
    usual = {"link": BY_EMAIL, "map": [mapped("plan", "plan")]}
    imports = [{"name": name, **LISTS[platform], **usual} for name in ("zebra", "apple", "off")]
    sent = {"segment": "everybody", "link": BY_EMAIL, "map": [{"field": "tier", "property": "plan"}]}
    exports = [{"name": name, **sent} for name in ("yak", "ant")]
    imports[2]["enabled"] = False
    goals = {"import_profiles": imports, "export_profiles": exports, "schedule": {"every_minutes": 30}}
    attributes = {**ACCOUNT[platform], "base_url": account.exchange.box.url}
    variants: dict[str, dict[str, Any]] = {"crm": goals, "switched_off": {**goals, "enabled": False}, "empty": {}}
    for name, more in variants.items():
        project.declare(name, {"name": name, **attributes, **more}, kind=KINDS[platform].__name__)


def test_goals_run_in_their_order_and_imports_before_exports(ran: Ran) -> None:
    """The order is the declared one within each category; a goal that is off is skipped."""
    assert [goal["goal"] for goal in ran.first["goals"]] == ["zebra", "apple", "yak", "ant"]
    assert ran.first["state"] == "success"
    assert set(ran.account.users()) == set(NAMES)
    assert ran.account.users()["p6"] == {"plan": "trial", "tier": "trial"}
    assert ran.account.users()["p0"] == {"plan": "pro", "tier": "pro"}


def test_the_history_shows_past_runs_with_the_last_five_profiles(ran: Ran) -> None:
    """Five of seven created profiles and five of six updated ones, each by its id, with what the run changed."""
    newest, oldest = ran.runs["runs"]
    assert (newest["reason"], newest["state"], oldest["state"]) == ("by hand", "finished", "finished")
    known = {str(found) for (found,) in _rows(ran, "select profile_id from warehouse.profile")}
    for run, kind, value in ((oldest, "created", "trial"), (newest, "updated", "pro")):
        (goal,) = (each for each in run["goals"] if each["goal"] == "zebra")
        changed = [(each["kind"], change["after"]) for each in goal["profiles"] for change in each["changed"]]
        assert changed.count((kind, value)) == len(goal["profiles"]) == 5
        assert {each["profile_id"] for each in goal["profiles"]} <= known
    (shown,) = answer("profile", goal["profiles"][0]["profile_id"], "--json")
    assert shown["plan"] == "pro"


def test_the_history_shows_scheduled_runs(ran: Ran) -> None:
    """The next runs of the connection that is on are listed; that of the one that is off is not."""
    coming = answer("runs", "--upcoming", "--limit", "2", "--json")
    assert [(run["connection"], run["why"]) for run in coming] == [("crm", "every 30 minutes")] * 2


def test_data_exchange_counts_unique_profiles(ran: Ran) -> None:
    """Six of seven profiles were imported and exported twice, by two goals each: all count as seven."""
    (counts,) = ran.runs["data_exchange"]
    assert counts == {"connection": "crm", "profiles_ever_imported": 7, "profiles_ever_exported": 7}


def test_a_connection_runs_by_schedule_if_it_is_on_and_has_a_goal(ran: Ran) -> None:
    """One that is off has a job, for runs by hand, and no schedule; one without goals has neither."""
    definitions = ran.project.load()
    assert [schedule.name for schedule in definitions.schedules or ()] == ["crm_schedule"]
    jobs = {job.name for job in definitions.resolve_all_job_defs()}
    assert {"crm_sync", "switched_off_sync"} <= jobs
    assert "empty_sync" not in jobs


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("option", SCHEDULES)
def test_options_of_a_schedule(option: str, platform: str) -> None:
    """A connection of each platform has each option, with a time where the page has one."""
    declared, expected = SCHEDULES[option]
    goal = {"name": "members", **LISTS[platform], "link": BY_EMAIL, "map": [mapped("plan", "plan")]}
    attributes = {"name": "crm", **ACCOUNT[platform], "import_profiles": [goal], "schedule": declared}
    connection = KINDS[platform].model_validate(attributes)
    runs = islice(upcoming_runs([connection], datetime(2026, 1, 1, tzinfo=UTC)), len(expected))
    assert [run.at.isoformat() for run in runs] == [f"2026-01-{moment}:00+00:00" for moment in expected]


def _rows(ran: Ran, query: str) -> list[tuple[Any, ...]]:
    with ran.project.warehouse.open("read") as session:
        return session.rows(query)
