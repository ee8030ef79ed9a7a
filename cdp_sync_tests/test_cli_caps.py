"""Caps on the command line: the counters of runs, previews, the history, and the caps of a profile."""

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_sync.orchestration.declaration_files import declared_profiles
from cdp_sync_tests.projects import Project, export, goal
from cdp_sync_tests.test_cli import answer, cdp_sync, history, output_of, shop

__all__ = ["history", "shop"]

EVERYBODY = {"name": "everybody", "when": {"property": "email", "has_value": True}}
WELCOME = {
    "name": "welcome",
    "enter": {"property": "email", "has_value": True},
    "stages": [{"name": "fresh", "when": {"property": "email", "has_value": True}}],
}
ONCE = {"name": "welcome", "stages": ["fresh"], "threshold": {"times": 1, "per": "day"}, "counts": "export"}


@pytest.fixture(name="capped")
def capped(shop: Project) -> Project:
    """A connection with two goals of one stage, of which the first touches everybody."""
    shop.describe(segments=[EVERYBODY], event_types=["email_opened"])
    shop.declare("welcome", WELCOME, kind="Lifecycle")
    connect(shop)
    return shop


def connect(shop: Project, **lifecycle: Any) -> None:
    """Declare the connection, the first goal with more of the lifecycle."""
    usual = {"segment": "everybody", "changes": "all"}
    first = export("first", **usual, lifecycle={**ONCE, **lifecycle})
    shop.connect("shop", goal(), export_profiles=[first, export("second", **usual, lifecycle=ONCE)])


def ends(goals: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return how many profiles each export goal wrote, and how many were capped."""
    return {
        each["goal"]: (each["profiles_written"], each["profiles_capped"]) for each in goals if "profiles_capped" in each
    }


def test_goals_in_order_stay_within_the_cap(capped: Project) -> None:
    """A preview counts what the run then does; the second goal, and the next run, find everybody at the cap."""
    previewed = answer("run", "shop", "--preview", "--json")["goals"]
    done = answer("run", "shop", "--json")["goals"]
    assert ends(done) == ends(previewed)
    people = ends(done)["first"][0]
    assert people > 1
    assert ends(done) == {"first": (people, 0), "second": (0, people)}
    (second,) = (each for each in done if each["goal"] == "second")
    assert f"{people} capped" in second["message"]
    assert second["capped_until_first"]
    assert ends(answer("run", "shop", "--json")["goals"]) == {"first": (0, people), "second": (0, people)}
    kept = [each for run in answer("runs", "--json")["runs"] for each in run["goals"] if each["goal"] == "second"]
    assert [each["profiles_capped"] for each in kept] == [people, people]
    with capped.warehouse.open("read") as session:
        query = "select distinct left_out from warehouse.run_goal where goal = 'second'"
        assert session.rows(query) == [(f"{people} capped",)]
        assert session.rows("select distinct goal from warehouse.touchpoint") == [("first",)]


def test_caps_are_shown_of_a_profile_and_in_a_preview(capped: Project) -> None:
    """`profile` names the goals that found it at its cap; `export --preview` says when caps end."""
    answer("run", "shop", "--json")
    (ada,) = answer("profile", "ada@example.com", "--json")
    assert [(each["connection"], each["goal"]) for each in ada["caps"]] == [("shop", "second")]
    assert "shop / second" in output_of(cdp_sync("profile", "ada@example.com"))
    printed = output_of(cdp_sync("export", "shop", "--goal", "first", "--preview"))
    assert "The caps end at" in printed
    off = {**WELCOME, "enabled": False}
    capped.declare("welcome", off, kind="Lifecycle")
    assert "The lifecycle welcome is off" in output_of(cdp_sync("export", "shop", "--goal", "first", "--preview"))


def test_a_preview_of_a_renamed_goal_knows_its_ledger(shop: Project) -> None:
    """What a goal delivered under its former name is the same in a preview, as it is in the run."""
    shop.describe(segments=[EVERYBODY])
    usual = {"segment": "everybody", "file": {"name": "people.csv"}}
    shop.connect("shop", goal(), export_profiles=[export("former", **usual)])
    (former,) = (each for each in answer("run", "shop", "--json")["goals"] if each["goal"] == "former")
    shop.connect("shop", goal(), export_profiles=[export("renamed", **usual, was="former")])
    for mode in (["--preview"], []):
        (found,) = (each for each in answer("run", "shop", *mode, "--json")["goals"] if each["goal"] == "renamed")
        assert (found["profiles_written"], found["profiles_same"]) == (0, former["profiles_written"])
    assert former["profiles_written"]


def test_imported_opens_that_one_goal_counts_cap_the_others(capped: Project) -> None:
    """Events that a goal counts are touches for every goal of the stage, also one of another connection."""
    connect(capped, counts="email_opened")
    silent = {"name": "welcome", "threshold": ONCE["threshold"]}
    other = export("other", segment="everybody", changes="all", lifecycle=silent)
    opens = {"type": "email_opened", "id": "Id", "time": "At"}
    capped.connect("mail", goal("opens", events=[opens], map=[]), export_profiles=[other])
    assert declared_profiles().lifecycle["welcome"].counted == (("fresh", "email_opened"),)
    people = ends(answer("run", "shop", "--goal", "customers", "--json")["goals"])
    assert people == {}
    written, none = ends(answer("run", "mail", "--json")["goals"])["other"]
    assert (written > 1, none) == (True, 0)
    opened_at = datetime.now(UTC)
    capped.deliver("/inbox/opens_1.csv", f"Email,Id,At\nada@example.com,o1,{opened_at.isoformat()}\n")
    (report,) = (each for each in answer("run", "mail", "--json")["goals"] if each["goal"] == "other")
    assert ends([report]) == {"other": (written - 1, 1)}
    end = datetime.fromisoformat(report["capped_until_first"])
    assert end == opened_at + timedelta(days=1)


def test_a_delivery_that_failed_counts_once(capped: Project) -> None:
    """The touches of a run that could not deliver are those of the next run of the goal."""
    answer("run", "shop", "--goal", "customers", "--json")
    shutil.rmtree(capped.root / "outbox")
    failed = answer("run", "shop", "--goal", "first", "--json", status=1)["goals"]
    assert [each["state"] for each in failed if each["goal"] == "first"] == ["failed"]
    (capped.root / "outbox").mkdir()
    done = ends(answer("run", "shop", "--goal", "first", "--json")["goals"])
    people = done["first"][0]
    assert done == {"first": (people, 0)}
    with capped.warehouse.open("read") as session:
        assert session.rows("select count(*), count(distinct run_id) from warehouse.touchpoint") == [(people, 1)]
        assert session.rows("from warehouse.touch_reservation") == []
