"""`cdp-sync list`: connections, goals, their switches, last run and next run."""

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from cdp_sync.overview import overview
from cdp_sync.terminal import print_overview
from cdp_sync_tests.projects import SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import answer, cdp_sync, history, output_of, ran, shop
from cdp_sync_tests.warehouse.holder import held

__all__ = ["history", "ran", "shop"]

MONDAYS = {"days_of_week": ["monday"], "at": "01:30", "time_zone": "Europe/Amsterdam"}
NOW = datetime(2026, 1, 7, 12, tzinfo=UTC)


def test_the_last_run_is_listed(ran: Project) -> None:
    """The last run is listed with state, run id and message, as a table or as JSON."""
    (latest,) = answer("runs", "--json")["runs"]
    found = answer("list", "--json")
    assert (found["problems"], found["notice"]) == ([], "")
    (connection,) = found["connections"]
    (listed,) = connection.pop("goals")
    assert connection == {
        "connection": "shop", "title": None, "enabled": True, "next_run": None, "looks_for_new_files": False
    }  # fmt: skip
    assert (listed["goal"], listed["direction"], listed["enabled"]) == ("customers", "import", True)
    assert (listed["last_run"]["run_id"], listed["last_run"]["state"]) == (latest["run_id"], "success")
    assert listed["last_run"]["message"] == latest["goals"][0]["message"]
    (line,) = [line for line in output_of(cdp_sync("list")).splitlines() if "customers" in line]
    assert "success" in line
    assert line.rstrip().endswith("by hand")


def test_switches_and_next_runs_are_listed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The next run comes from an active schedule or from new files; goals are in running order."""
    project.describe(segments=[SPENDERS])
    project.connect("timed", goal(), goal("old", enabled=False), export_profiles=[export()], schedule=MONDAYS)
    project.connect("off", goal(), enabled=False, schedule=MONDAYS, watch={"every_seconds": 30})
    project.connect("watched", goal(), watch={"every_seconds": 30})
    project.connect("empty")
    print_overview(overview(now=NOW))
    rows = [re.split("  +", line.rstrip()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ["empty", "no goal"],
        ["off", "customers", "import", "connection off", "by hand"],
        ["timed", "customers", "import", "yes", "2026-01-12 01:30+01:00"],
        ["", "old", "import", "no"],
        ["", "spenders", "export", "yes"],
        ["watched", "customers", "import", "yes", "new files"],
    ]
    (timed,) = answer("list", "timed", "--json")["connections"]
    assert timed["next_run"]["why"] == "on Monday at 01:30 (Europe/Amsterdam)"
    assert [each["direction"] for each in timed["goals"]] == ["import", "import", "export"]


def test_an_unknown_connection_is_status_2(project: Project) -> None:
    """An unknown connection exits with status 2."""
    assert "There is no connection 'nothing'." in output_of(cdp_sync("list", "nothing"), 2)


def test_a_connection_with_problems_hides_no_other(shop: Project) -> None:
    """A connection with problems does not hide the others; its problems are named, and the status is 1."""
    shop.connect("other", goal(map=[{"field": "A", "property": "frist_name"}]))
    printed = output_of(cdp_sync("list"), 1)
    assert "shop        customers" in printed
    assert "'frist_name' is unknown" in printed
    (problem,) = answer("list", "--json", status=1)["problems"]
    assert "other/defs.yaml" in problem


def test_a_warehouse_in_use_hides_the_last_runs_only(ran: Project) -> None:
    """A locked warehouse hides only the last runs; a notice names the reason."""
    with held(ran.data / "warehouse.duckdb"):
        printed = output_of(cdp_sync("list"))
    assert "customers" in printed
    assert "The last runs are not shown." in printed


_LOADED = """
import sys
from cdp_sync.cli import main
main(["list"], standalone_mode=False)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"dagster", "paramiko", "pandas"}), file=sys.stderr)
"""


def test_list_does_not_import_dagster(ran: Project) -> None:
    """`list` does not import Dagster."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=ran.folder, env=ran.environment, capture_output=True, text=True, check=True
    )
    assert "customers" in done.stdout
    assert done.stderr == "[]\n"
