"""`run --preview`: what a run would do, on a copy of the warehouse. Nothing is written where it counts."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.projects import PASSWORD_ENV, SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import FIRST, answer, cdp_sync, history, output_of, shop

__all__ = ["history", "shop"]

FILTER = {"filter": {"field": "FirstName", "drop": "^Bob"}}
CHANGED = "Email,FirstName,Total\nada@example.com,Ada,7\ncy@example.com,Cy,1\nbob@example.com,Bob,2\n"


def state_of(folder: Path) -> dict[str, str]:
    """Return the digest of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def counted(goal: dict[str, Any], *names: str) -> tuple[int, ...]:
    """Return counters of a goal."""
    return tuple(goal[name] for name in names)


def test_a_preview_counts_what_a_run_then_does(shop: Project) -> None:
    """Counters, files and exports are those of the run that follows; the preview leaves every file as it was."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(processors=[FILTER]), export_profiles=[export()])
    output_of(cdp_sync("run", "shop"))
    shop.deliver("/inbox/customers_2.csv", CHANGED, minutes=1)
    before = state_of(shop.data), state_of(shop.root), state_of(shop.folder / "dagster")
    imported, exported = answer("run", "shop", "--preview", "--json")["goals"]
    names = ("rows_read", "rows_applied", "rows_filtered", "profiles_created", "profiles_updated")
    assert counted(imported, *names) == (3, 2, 1, 1, 1)
    assert (exported["goal"], exported["profiles_written"]) == ("spenders", 1)
    assert [file["path"] for file in imported["files"]] == ["/inbox/customers_2.csv"]
    assert (state_of(shop.data), state_of(shop.root), state_of(shop.folder / "dagster")) == before
    done, delivered = answer("run", "shop", "--json")["goals"]
    assert counted(done, *names) == counted(imported, *names)
    assert delivered["profiles_written"] == 1


def test_a_preview_before_the_first_run(shop: Project) -> None:
    """Without a warehouse, a run would begin with an empty one; none is made."""
    printed = output_of(cdp_sync("run", "shop", "--preview"))
    for needle in ("nothing is changed", "customers_1.csv", "3"):
        assert needle in printed
    assert not (shop.data / "warehouse.duckdb").exists()
    assert list(shop.data.iterdir()) == []


def test_a_local_file_is_imported_as_if_it_were_delivered(
    shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --local, no server is asked, and a file of a known name is compared with what was imported from it."""
    shop.connect("shop", goal(processors=[FILTER], map=[{"field": "Total", "property": "total", "mode": "sum"}]))
    output_of(cdp_sync("run", "shop"))
    again, other = tmp_path / "customers_1.csv", tmp_path / "tried.csv"
    again.write_text(f"{FIRST}dan@example.com,Dan,4\n")
    other.write_text(CHANGED)
    monkeypatch.delenv(PASSWORD_ENV)
    (known,) = answer("run", "shop", "--preview", "--local", str(again), "--json")["goals"]
    assert counted(known, "rows_applied", "rows_unchanged", "rows_filtered", "profiles_created") == (1, 1, 1, 1)
    (new,) = answer("run", "shop", "--goal", "customers", "--preview", "--local", str(other), "--json")["goals"]
    assert counted(new, "rows_applied", "rows_filtered", "profiles_updated", "profiles_created") == (2, 1, 1, 1)
    assert again.read_text() == f"{FIRST}dan@example.com,Dan,4\n"


def test_a_goal_that_would_fail(shop: Project, tmp_path: Path) -> None:
    """What a run would fail for is shown, with status 1; nothing stays."""
    shop.connect("shop", goal(processors=[{"casing": {"field": "Town", "to": "upper"}}]))
    found = answer("run", "shop", "--preview", "--json", status=1)
    (failed,) = found["goals"]
    assert (found["state"], failed["state"]) == ("failed", "failed")
    assert 'Processor 1 (casing) names "Town"' in failed["message"]
    assert list(shop.data.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["--local", __file__], "--local tries a file, and needs --preview", 2),
        (["--preview", "--goal", "customer"], "has no goal 'customer' to preview", 2),
        (["--preview", "--files", ""], "a pattern is needed", 2),
    ],
)
def test_wrong_usage(shop: Project, arguments: list[str], words: str, status: int) -> None:
    """Options that do not go together, and goals that are not there."""
    assert words in output_of(cdp_sync("run", "shop", *arguments), status)
