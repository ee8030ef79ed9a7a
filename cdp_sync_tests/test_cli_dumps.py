"""Moving a warehouse over and back at the command line: what ran before goes on after it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.lakes import running_lakes
from cdp_sync_tests.projects import SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import COMMAND, FIRST, answer, cdp_sync, history, output_of, shop

__all__ = ["history", "shop"]


def others(folder: Path) -> list[dict[str, str]]:
    """Return the settings of further warehouses: a file, and where tests run on lakes a lake."""
    lakes = running_lakes()
    file = {"CDP_SYNC_WAREHOUSE": str(folder / "moved.duckdb")}
    return [file, lakes.settings(folder / "other.duckdb")] if lakes else [file]


def moved(shop: Project, settings: dict[str, str], *arguments: str, status: int = 0) -> dict[str, Any]:
    """Run a command with another warehouse in a process of its own, which opens a file as a file; return its answer."""
    done = subprocess.run(
        [*COMMAND, "warehouse", *arguments, "--json"],
        env={**shop.environment, **settings}, cwd=shop.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return dict(json.loads(done.stdout)) if done.stdout else {"error": done.stderr}


def test_a_moved_warehouse_goes_on(shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each move, nothing is imported or exported again, and a change is imported and exported once."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export()])
    answer("run", "shop", "--json")
    held = answer("warehouse", "dump", str(tmp_path / "dump_0"), "--json")
    assert held["rows"] == sum(table["rows"] for table in held["tables"]) > 0
    for number, settings in enumerate(others(tmp_path), 1):
        folders = [tmp_path / f"dump_{each}" for each in (number - 1, number)]
        restored = moved(shop, settings, "restore", str(folders[0]))
        dumped = moved(shop, settings, "dump", str(folders[1]))
        assert restored["tables"] == dumped["tables"] == held["tables"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    output_of(cdp_sync("accept-warehouse"))
    imported, exported = answer("run", "shop", "--json")["goals"]
    assert (imported["rows_read"], exported["profiles_written"]) == (0, 0)
    shop.deliver("/inbox/customers_1.csv", FIRST.replace("Ada,1.5", "Ada,2.5"), minutes=5)
    imported, exported = answer("run", "shop", "--json")["goals"]
    assert (imported["profiles_updated"], imported["profiles_created"], exported["profiles_written"]) == (1, 0, 1)


def test_a_warehouse_with_data_is_not_replaced(shop: Project, tmp_path: Path) -> None:
    """The command fails with the reason; a folder that is no dump does as well."""
    answer("run", "shop", "--json")
    shown = output_of(cdp_sync("warehouse", "dump", str(tmp_path / "dump")))
    assert "profile_identifier" in shown
    assert "Dumped: " in shown
    assert "is not empty" in output_of(cdp_sync("warehouse", "restore", str(tmp_path / "dump")), 1)
    assert "has no manifest.json" in output_of(cdp_sync("warehouse", "restore", str(tmp_path)), 1)
    assert "is not empty" in output_of(cdp_sync("warehouse", "dump", str(tmp_path / "dump")), 1)


def test_a_restored_warehouse_is_shown(shop: Project, tmp_path: Path) -> None:
    """For people the command lists the tables with rows."""
    answer("run", "shop", "--json")
    answer("warehouse", "dump", str(tmp_path / "dump"), "--json")
    (settings, *_) = others(tmp_path)
    done = subprocess.run(
        [*COMMAND, "warehouse", "restore", str(tmp_path / "dump")],
        env={**shop.environment, **settings}, cwd=shop.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Restored: " in done.stdout
    assert done.stderr == ""
