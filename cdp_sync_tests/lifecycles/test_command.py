"""The command `lifecycle`, and the stages that `profile` shows."""

import shutil
from pathlib import Path

import pytest

from cdp_sync_tests.orchestration.test_lifecycles import FRESH, PEOPLE, WELCOME
from cdp_sync_tests.projects import Project, export, goal
from cdp_sync_tests.test_cli import answer, cdp_sync, history, output_of

__all__ = ["history"]


@pytest.fixture(name="shop")
def shop(project: Project, history: Path) -> Project:
    """Three people, each to be in another stage."""
    shutil.copytree(history, project.folder / "dagster")
    project.describe(segments=[FRESH])
    project.declare("welcome", WELCOME, kind="Lifecycle")
    project.connect("shop", goal(), export_profiles=[export(segment="fresh")])
    project.deliver("/inbox/customers_1.csv", PEOPLE)
    return project


def test_a_lifecycle_is_shown_with_its_stages(shop: Project) -> None:
    """It has nobody before the first run; after a run of one export its sizes, and each profile its stages."""
    assert "2 segments" not in output_of(cdp_sync("check"))
    assert "1 lifecycle" in output_of(cdp_sync("check"))
    assert answer("lifecycle", "welcome", "--json")["sizes"] == dict.fromkeys(
        ("unassigned", "fresh", "buyer", "completed"), 0
    )
    output_of(cdp_sync("run", "shop"))
    shop.deliver("/inbox/customers_2.csv", "Email,FirstName,Total\nada@example.com,Ada,7\n", minutes=1)
    output_of(cdp_sync("run", "shop", "--goal", "customers"))
    assert answer("lifecycle", "welcome", "--json")["sizes"]["fresh"] == 1, "an import by itself keeps no stages"
    output_of(cdp_sync("export", "shop", "--goal", "spenders"))
    found = answer("lifecycle", "welcome", "--json")
    assert found["sizes"] == {"unassigned": 0, "fresh": 0, "buyer": 2, "completed": 1}
    assert (found["size"], found["enabled"]) == (2, True)
    printed = output_of(cdp_sync("lifecycle", "welcome"))
    assert "welcome  2 profiles" in printed
    assert "- stage `buyer`: `total` is at least 1" in printed
    assert "There is no lifecycle 'welcom'. Did you mean 'welcome'?" in output_of(cdp_sync("lifecycle", "welcom"), 2)
    assert "in welcome: completed  since " in output_of(cdp_sync("profile", "cleo@example.com"))
    (cleo,) = answer("profile", "cleo@example.com", "--json")
    assert [each["stage"] for each in cleo["stages"]] == ["completed"]
