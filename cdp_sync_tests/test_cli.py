"""The command line: output for people, JSON for programs, and exit status."""

import gc
import json
import os
import re
import select
import shutil
import signal
import smtplib
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cdp_sync.cli import main
from cdp_sync.model import COUNTERS
from cdp_sync_tests.projects import (
    INSTANCE,
    PASSWORD,
    PASSWORD_ENV,
    SPENDERS,
    Project,
    export,
    goal,
    open_project,
)
from cdp_sync_tests.sandbox.test_up import free_port

FIRST = "Email,FirstName,Total\nada@example.com,Ada,1.5\nbob@example.com,Bob,x\n,Nobody,2\n"
COMMAND = [sys.executable, "-m", "cdp_sync.cli"]
FREE_PORTS = ("--port", "0", "--mail-port", "0", "--sailthru-port", "0", "--iterable-port", "0")


def cdp_sync(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, arguments)


def output_of(result: Result, status: int = 0) -> str:
    """Return the output of a command, both streams, after checking its exit status."""
    trouble = "".join(traceback.format_exception(*result.exc_info)) if result.exc_info else ""
    assert result.exit_code == status, result.output + trouble
    assert isinstance(result.exception, SystemExit | None), trouble
    return result.output


def answer(*arguments: str, status: int = 0) -> Any:
    """Return the JSON output of a command; standard output holds nothing else."""
    result = cdp_sync(*arguments)
    output_of(result, status)
    return json.loads(result.stdout)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an instance without runs. Copying its tables is faster than creating them."""
    import dagster as dg

    folder = tmp_path_factory.mktemp("history")
    (folder / "dagster.yaml").write_text(INSTANCE.replace("base_dir: dagster", f"base_dir: {folder}"), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert instance.get_runs_count() == 0
        assert list(instance.get_asset_keys()) == []
    return folder


def filled(project: Project, history: Path) -> Project:
    """Add a connection of one goal and a file for it."""
    shutil.copytree(history, project.folder / "dagster")
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    return project


@pytest.fixture
def shop(project: Project, history: Path) -> Project:
    """A project with a connection and a file for it to import."""
    return filled(project, history)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, history: Path) -> Iterator[Project]:
    """A project after one run of its connection, for tests that only read."""
    with open_project(tmp_path_factory.mktemp("cli") / "project") as project:
        filled(project, history)
        output_of(cdp_sync("run", "shop"))
        yield project


def test_check_reports_no_problems(shop: Project) -> None:
    """A check without problems prints the number of connections, properties and segments."""
    assert "1 connection, 4 properties, 0 segments: all in order." in output_of(cdp_sync("check"))


def test_check_of_a_connection_reaches_its_server(shop: Project) -> None:
    """A check of a connection lists each of its directories with the number of files."""
    assert "/inbox: 1 file." in output_of(cdp_sync("check", "shop"))


def test_check_prints_problems(shop: Project) -> None:
    """Problems are printed with file and place, without a traceback; the status is 1."""
    shop.connect("other", goal(map=[{"field": "A", "property": "frist_name"}]))
    printed = output_of(cdp_sync("check"), 1)
    assert "Error:" in printed
    assert "other/defs.yaml" in printed
    assert "attributes.import_profiles[0].map[0].property" in printed
    assert "did you mean 'first_name'" in printed
    assert "Traceback" not in printed


def test_check_names_lines_and_suggests_values(shop: Project) -> None:
    """A duplicate key is reported with both lines, an invalid value with its line and the closest valid value."""
    file = shop.connect("shop", goal(map=[{"field": "A", "property": "total", "mode": "summ"}]))
    text = file.read_text(encoding="utf-8")
    mode = text[: text.index("mode:")].count("\n") + 1
    file.write_text(f"{text}type: cdp_sync.components.SftpConnection\n", encoding="utf-8")
    (shop.defs / "other").mkdir()
    (shop.defs / "other" / "defs.yaml").write_bytes(b"type: x\nattributes: {title: caf\xe9}\n")
    first, last = text[: text.index("type: cdp")].count("\n") + 1, text.count("\n") + 1
    doubled = f"line {last}: type: this key is already on line {first}; remove one of them"
    assert doubled in output_of(cdp_sync("run", "shop"), 1)
    printed = output_of(cdp_sync("check"), 1)
    assert doubled in printed
    assert f"line {mode}: attributes.import_profiles[0].map[0].mode: found 'summ'; did you mean 'sum'?" in printed
    assert "other/defs.yaml:\n  line 2: this is not UTF-8" in printed


@pytest.mark.parametrize("pattern", ["kunden_[a-z]+(", "(kunden_[/inbox]"])
def test_problems_are_printed_unchanged(pattern: str, shop: Project) -> None:
    """Brackets in a problem are printed unchanged, not interpreted as terminal markup."""
    shop.connect("other", goal(map=[{"field": "A", "property": pattern}]))
    assert pattern in output_of(cdp_sync("check"), 1)


def test_scan_shows_files_and_how_cells_read(shop: Project) -> None:
    """`scan` shows each goal's files with state, fields and readings, and imports nothing."""
    printed = output_of(cdp_sync("scan", "shop"))
    for needle in ("customers_1.csv", "new", "fields: Email, FirstName, Total", "1.5"):
        assert needle in printed
    assert not (shop.data / "warehouse.duckdb").exists()


def test_scan_tries_a_goal_on_a_local_file(shop: Project, tmp_path: Path) -> None:
    """With --local, the rows of a file of this machine are shown before and after each processor."""
    local = tmp_path / "people.csv"
    local.write_text("Email,FirstName,Total\nANN@EXAMPLE.COM,Ann,1\nbob@example.com,Bob,2\n")
    lower, only_ann = {"casing": {"field": "Email", "to": "lower"}}, {"filter": {"field": "Email", "keep": "^ann"}}
    shop.connect("shop", goal(processors=[lower, only_ann]))
    printed = output_of(cdp_sync("scan", "shop", "--goal", "customers", "--local", str(local)))
    for needle in ("as read", "ANN@EXAMPLE.COM", "after 1 casing", "ann@example.com", "after 2 filter", "dropped"):
        assert needle in printed
    (found,) = answer("scan", "shop", "--local", str(local), "--json")["goals"]
    assert (found["files"][0]["path"], found["files"][0]["refused"]) == (str(local), False)
    assert [one["after"] for one in found["previews"][0]["processing"]] == ["", "1 casing", "2 filter"]


def test_filtered_rows_are_counted_in_every_answer(shop: Project) -> None:
    """The rows that processors drop stand in the answer of a run, by file, and in the history."""
    shop.connect("shop", goal(processors=[{"filter": {"field": "Email", "drop": ""}}]))
    (found,) = answer("run", "shop", "--json")["goals"]
    assert (found["rows_filtered"], found["files"][0]["rows_filtered"]) == (found["rows_read"],) * 2
    assert "filtered" in found["message"]
    assert answer("runs", "shop", "--json")["runs"][0]["goals"][0]["rows_filtered"] == found["rows_read"]


def test_scan_answers_programs(shop: Project) -> None:
    """`scan --json` has each goal's files with path, size, time and state, and previews."""
    shop.connect("shop", goal(), goal("orders"))
    found = answer("scan", "shop", "--json")
    assert found["connection"] == "shop"
    customers, orders = found["goals"]
    (file,) = customers["files"]
    assert (file["path"], file["size"], file["state"]) == ("/inbox/customers_1.csv", len(FIRST), "new")
    assert file["modified_at"].startswith("2024-05-01")
    (seen,) = customers["previews"]
    assert seen["fields"] == ["Email", "FirstName", "Total"]
    assert {"field": "Total", "property": "total", "cell": "1.5", "value": "1.5000", "reason": ""} in seen["readings"]
    assert (orders["goal"], orders["files"], orders["previews"]) == ("orders", [], [])
    (only,) = answer("scan", "shop", "--goal", "orders", "--json")["goals"]
    assert only["goal"] == "orders"


def test_scan_after_a_run_reports_unchanged_files(ran: Project) -> None:
    """After a run, `scan` reports imported files as unchanged."""
    assert answer("scan", "shop", "--json")["goals"][0]["files"][0]["state"] == "unchanged"


def test_run_prints_the_promised_json(shop: Project) -> None:
    """`run --json` has run_id, state and goals with message, every counter, and files with theirs."""
    shop.connect("shop", goal(), goal("orders"))
    found = answer("run", "shop", "--json")
    assert {"run_id", "state", "goals"} <= found.keys()
    assert found["state"] == "success"
    customers, orders = found["goals"]
    assert {"goal", "state", "message", "files", *COUNTERS} <= customers.keys()
    assert (customers["goal"], customers["state"], customers["rows_read"]) == ("customers", "success", 3)
    (file,) = customers["files"]
    assert {"path", "state", *COUNTERS} <= file.keys()
    assert (file["path"], file["state"], file["rows_applied"]) == ("/inbox/customers_1.csv", "imported", 2)
    assert (orders["goal"], orders["files"], orders["message"]) == ("orders", [], "Nothing new to import.")


def test_run_prints_goals_files_and_reasons(shop: Project) -> None:
    """`run` prints each goal's summary, its files and the reasons of rejected rows; a pipe gets no progress bar."""
    result = cdp_sync("run", "shop")
    printed = output_of(result)
    assert "1 file, 3 rows: 2 applied, 1 without identifier; 2 profiles created, 0 updated." in printed
    assert "customers_1.csv" in printed
    assert re.search(r"1 ?\S Total: ", printed)
    assert result.stderr == ""
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "shopp"),
        ("run", "shop", "--goal", "order"),
        ("scan", "shopp"),
        ("scan", "shop", "--goal", "order"),
        ("check", "shopp"),
        ("export", "shopp", "--goal", "order"),
        ("export", "shop", "--goal", "order"),
        ("export", "shop", "--goal", "order", "--preview"),
        ("runs", "shopp"),
        ("runs", "shopp", "--json"),
        ("runs", "shopp", "--upcoming"),
        ("quarantine", "shopp"),
        ("quarantine", "shopp", "--json"),
    ],
)
def test_an_unknown_name_is_wrong_usage(arguments: tuple[str, ...], shop: Project) -> None:
    """An unknown name exits with status 2; the message lists the known names."""
    printed = output_of(cdp_sync(*arguments), 2)
    assert "There is no" in printed or "has no" in printed
    assert "shop" in printed
    assert "One of these is needed: " in printed or "None is declared." in printed


def test_a_run_that_cannot_begin_leaves_the_garbage_collector_on(shop: Project) -> None:
    """The garbage collector is off only while the project loads, also if loading fails."""
    output_of(cdp_sync("run", "shopp"), 2)
    assert gc.isenabled()
    (shop.defs / "shop" / "defs.yaml").write_text("a: [", encoding="utf-8")
    output_of(cdp_sync("run", "shop"), 1)
    assert gc.isenabled()


@pytest.mark.parametrize("command", ["runs", "quarantine"])
def test_runs_accepts_removed_and_broken_connections(command: str, shop: Project) -> None:
    """`runs` accepts removed connections with a history, and connections whose declaration has problems."""
    output_of(cdp_sync("run", "shop"))
    for text in ("type: cdp_sync.components.SftpConnection\nattributes: {name: shop, nam: x}\n", "a: [", None):
        if text is None:
            shutil.rmtree(shop.defs / "shop")
        else:
            shop.write("shop", text)
        assert "customers" in output_of(cdp_sync(command, "shop"))


@pytest.mark.parametrize("limit", ["-5", "0", "many", "1000000000000000000000"])
@pytest.mark.parametrize("command", ["runs", "quarantine", "merges"])
def test_a_limit_is_a_number_from_1(command: str, limit: str, shop: Project) -> None:
    """A limit below 1 is a usage error."""
    assert "Invalid value for '--limit'" in output_of(cdp_sync(command, "--limit", limit), 2)


def test_an_empty_wildcard_is_wrong_usage(shop: Project) -> None:
    """An empty wildcard, as from an unset variable, is a usage error and does not import every file."""
    assert "Invalid value for '--files': it is empty" in output_of(cdp_sync("run", "shop", "--files", ""), 2)


def test_export_runs_no_import_goal(shop: Project) -> None:
    """`export` of an import goal is a usage error, with and without `--preview`."""
    assert "Goal 'customers' of shop imports." in output_of(cdp_sync("export", "shop", "--goal", "customers"), 2)
    output_of(cdp_sync("export", "shop", "--goal", "customers", "--preview"), 2)


@pytest.mark.parametrize("arguments", [("run",), ("profile",), ("nothing",), ("run", "shop", "--gaol", "x")])
def test_wrong_usage_is_status_2(arguments: tuple[str, ...]) -> None:
    """Missing arguments, unknown commands and unknown options exit with status 2."""
    assert "Usage:" in output_of(cdp_sync(*arguments), 2)


def test_a_failing_run_is_status_1_with_its_message(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password exits with status 1 and the goal's message, without a traceback; JSON has the same message."""
    monkeypatch.setenv(PASSWORD_ENV, "wrong-password-99")
    printed = output_of(cdp_sync("run", "shop"), 1)
    assert "Traceback" not in printed
    assert "wrong-password-99" not in printed
    found = answer("run", "shop", "--json", status=1)
    assert (found["state"], found["goals"][0]["state"]) == ("failed", "failed")
    assert found["goals"][0]["message"]


def test_a_rejected_file_is_status_1(shop: Project) -> None:
    """A rejected file fails the run; rows of the other files are counted."""
    shop.deliver("/inbox/customers_2.csv", "Mail\n")
    found = answer("run", "shop", "--json", status=1)
    assert found["goals"][0]["state"] == "failed"
    assert {file["path"][-5:]: file["state"] for file in found["goals"][0]["files"]} == {
        "1.csv": "imported",
        "2.csv": "failed",
    }
    assert found["goals"][0]["rows_applied"] == 2


def test_a_goal_that_is_off_can_be_run_by_hand(shop: Project) -> None:
    """`--goal` runs exactly that goal, also one that is off."""
    shop.connect("shop", goal(enabled=False), goal("orders"))
    (found,) = answer("run", "shop", "--goal", "customers", "--json")["goals"]
    assert (found["goal"], found["rows_applied"]) == ("customers", 2)


def test_a_run_without_active_goals_is_refused(shop: Project) -> None:
    """A run of a connection whose goals are all off is refused with a message."""
    shop.connect("shop", goal(enabled=False))
    result = cdp_sync("run", "shop")
    assert isinstance(result.exception, SystemExit | None), repr(result.exception)


def test_a_run_of_a_broken_connection_prints_its_problem(shop: Project) -> None:
    """A run of a connection that does not load prints its problem."""
    shop.connect("broken", goal(map=[{"field": "A", "property": "frist_name"}]))
    printed = output_of(cdp_sync("run", "broken"), 1)
    assert "'frist_name' is unknown" in printed
    assert "success" in answer("run", "shop", "--json")["state"]


def test_debug_shows_the_traceback(shop: Project) -> None:
    """With `--debug` the original exception is raised."""
    result = CliRunner().invoke(main, ["--debug", "run", "shopp"])
    assert type(result.exception).__name__ == "UnknownName"


def test_the_next_runs_are_listed_soonest_first(project: Project) -> None:
    """`runs --upcoming` lists active schedules only: local time, UTC and reason, soonest first."""
    nightly = {"times_per_day": 1, "starting_at": "01:30", "time_zone": "Asia/Tokyo"}
    project.connect("shop", goal(), schedule={"every_minutes": 240})
    project.connect("tokyo", goal(), schedule=nightly)
    project.connect("off", goal(), schedule={"every_minutes": 1}, enabled=False)
    found = answer("runs", "--upcoming", "--limit", "8", "--json")
    times = [run["at_utc"] for run in found]
    assert len(times) == 8
    assert times == sorted(times)
    assert {run["connection"] for run in found} == {"shop", "tokyo"}
    (first, *_) = answer("runs", "tokyo", "--upcoming", "--json")
    assert first["at"].endswith("T01:30:00+09:00")
    assert first["at_utc"].endswith("T16:30:00+00:00")
    assert first["why"] == "once a day, counted from 01:30 (Asia/Tokyo)"
    printed = output_of(cdp_sync("runs", "--upcoming", "tokyo", "--limit", "1"))
    assert all(needle in printed for needle in ("tokyo", "01:30 JST", "16:30", "once a day")), printed
    assert "'nobody'" in output_of(cdp_sync("runs", "--upcoming", "nobody"), 2)


def test_upcoming_excludes_run_and_profiles(project: Project) -> None:
    """`--upcoming` with `--run` or `--profiles` is a usage error."""
    for arguments in (("--run", "0123abcd"), ("--profiles",)):
        assert "--upcoming shows runs to come" in output_of(cdp_sync("runs", "--upcoming", *arguments), 2)


def test_the_next_runs_are_listed_without_dagster(project: Project) -> None:
    """`runs --upcoming` neither starts an instance nor imports Dagster."""
    project.connect("shop", goal())
    script = "import sys; from cdp_sync.cli import main; main(['runs', '--upcoming'], standalone_mode=False)"
    script += "; sys.exit('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=project.environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"no connection that is on has a schedule" in done.stdout


def test_runs_are_listed_newest_first(shop: Project) -> None:
    """Runs are listed newest first with connection, state, reason and goals, as text and as JSON."""
    output_of(cdp_sync("run", "shop"))
    output_of(cdp_sync("run", "shop"))
    newest, oldest = answer("runs", "--json")["runs"]
    assert {"run_id", "connection", "state", "reason", "started_at", "seconds", "phase", "goals"} <= newest.keys()
    assert (newest["connection"], newest["state"], newest["reason"]) == ("shop", "finished", "by hand")
    (idle,), (busy,) = newest["goals"], oldest["goals"]
    assert (idle["goal"], idle["state"], idle["message"]) == ("customers", "finished", "Nothing new to import.")
    assert (busy["rows_read"], busy["rows_applied"], busy["consent_skipped"]) == (3, 2, 0)
    assert newest["started_at"] > oldest["started_at"]
    assert [run["run_id"] for run in answer("runs", "shop", "--limit", "1", "--json")["runs"]] == [newest["run_id"]]
    shop.connect("other", goal())
    assert answer("runs", "other", "--json") == {"runs": [], "data_exchange": [], "notice": ""}
    printed = output_of(cdp_sync("runs"))
    for needle in (oldest["run_id"], "finished", "by hand", "1 file, 3 rows", "Nothing new to import."):
        assert needle in printed
    assert "shop  ever imported: 2 profiles, exported: 0" in printed


def test_a_second_run_of_a_connection_is_refused(shop: Project) -> None:
    """A second run of a connection is refused while one is in progress; the message names the run."""
    run_id = start_run(os.getpid())
    printed = output_of(cdp_sync("run", "shop"), 1)
    assert run_id in printed
    assert "One run of a connection at a time" in printed


def test_a_run_whose_process_is_gone_is_ended(shop: Project) -> None:
    """A run whose process was killed is marked as failed and does not block the next run."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run_id = start_run(gone.pid)
    output_of(cdp_sync("run", "shop"))
    assert {run["run_id"]: run["state"] for run in answer("runs", "--json")["runs"]}[run_id] == "failed"


def start_run(process: int) -> str:
    """Record a run of the connection as started by this process."""
    import socket

    import dagster as dg

    from cdp_sync.orchestration.instance import open_instance

    tags = {"connection": "shop", "cdp_sync/process": f"{socket.gethostname()}:{process}"}
    run = dg.DagsterRun(job_name="shop_sync", status=dg.DagsterRunStatus.STARTED, tags=tags)
    with open_instance() as instance:
        instance.add_run(run)
    return run.run_id


def test_a_run_without_a_project_names_what_is_missing(
    shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a project's folder, the message names what is missing."""
    monkeypatch.chdir(tmp_path)
    assert "There is no dagster.yaml in this folder" in output_of(cdp_sync("run", "shop"), 1)


def test_a_profile_is_shown_by_identifier_and_id(ran: Project) -> None:
    """A profile is shown with properties and changes, as text and as JSON."""
    (found,) = answer("profile", "ADA@example.com", "--json")
    assert (found["email"], found["first_name"], float(found["total"])) == ("ada@example.com", "Ada", 1.5)
    assert [change["kind"] for change in found["changes"]] == ["created"]
    printed = output_of(cdp_sync("profile", found["profile_id"]))
    assert "Ada" in printed
    assert found["profile_id"] in printed


def test_an_unknown_profile_is_status_2_and_not_repeated(ran: Project) -> None:
    """An unknown profile exits with status 2. The message leaves out the identifier, which may be personal."""
    printed = output_of(cdp_sync("profile", "carl@example.com"), 2)
    assert "No live profile" in printed
    assert "carl" not in printed


def test_the_quarantine_is_shown_with_reasons(ran: Project) -> None:
    """The quarantine lists rejected rows and cells with file, line and reason."""
    found = answer("quarantine", "--json")
    assert found["total"] == 2
    assert {(row["path"], row["line"], row["field"]) for row in found["rows"]} == {
        ("/inbox/customers_1.csv", 3, "Total"),
        ("/inbox/customers_1.csv", 4, "Email"),
    }
    assert all(row["reason"] for row in found["rows"])
    assert len(answer("quarantine", "shop", "--limit", "1", "--json")["rows"]) == 1
    printed = output_of(cdp_sync("quarantine"))
    assert "2 of 2 in quarantine" in printed
    assert "customers_1.csv" in printed


def test_values_are_printed_unchanged(shop: Project) -> None:
    """Brackets in cells and properties are printed unchanged, not interpreted as terminal markup."""
    shop.deliver(
        "/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada [admin],[red]\nb@x.nl,Bob,[/b]\n"
    )
    output_of(cdp_sync("run", "shop"))
    shown = [cdp_sync("quarantine"), cdp_sync("profile", "ada@example.com")]
    assert [result.exit_code for result in shown] == [0, 0]
    assert [value for value in ("[red]", "[/b]") if value not in shown[0].output] == []
    assert "Ada [admin]" in shown[1].output


def test_before_the_first_run_everything_is_empty(project: Project) -> None:
    """Before the first run, reading commands print empty results and create no warehouse."""
    assert answer("runs", "--json") == {"runs": [], "data_exchange": [], "notice": ""}
    assert answer("quarantine", "--json") == {"total": 0, "rows": []}
    assert "No live profile" in output_of(cdp_sync("profile", "ada@example.com"), 2)
    assert not (project.data / "warehouse.duckdb").exists()


@pytest.fixture
def exporting(shop: Project) -> Project:
    """The project with a segment and a goal that exports it."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export(map=COLUMNS, format={"separator": ";"})])
    shop.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,1.5\nbob@example.com,=Bob,20\n")
    return shop


COLUMNS = [{"field": "Mail", "property": "email"}, {"field": "Name", "property": "first_name"}]


def test_a_segment_is_shown_with_size_sample_and_sql(exporting: Project) -> None:
    """A segment is empty before the first run; after it, a sample of profile ids and the SQL are shown."""
    assert answer("segment", "spenders", "--json")["size"] == 0
    output_of(cdp_sync("run", "shop"))
    found = answer("segment", "spenders", "--json")
    (profile,) = answer("profile", "bob@example.com", "--json")
    assert (found["size"], found["sample"]) == (1, [profile["profile_id"]])
    printed = output_of(cdp_sync("segment", "spenders"))
    for needle in ("1 profile\n", "at least 2", profile["profile_id"], "SELECT"):
        assert needle in printed
    assert "spenders" in output_of(cdp_sync("segment", "spender"), 2)


def test_an_export_is_previewed_without_delivering(exporting: Project) -> None:
    """The preview has counts, reasons and the first rows as written; nothing is delivered."""
    output_of(cdp_sync("run", "shop", "--goal", "customers"))
    found = answer("export", "shop", "--goal", "spenders", "--preview", "--json")
    assert (found["goal"], found["profiles_in_segment"], found["profiles_written"]) == ("spenders", 1, 1)
    assert (found["header"], found["rows"]) == (["Mail", "Name"], [["bob@example.com", "=Bob"]])
    assert "bob@example.com" in output_of(cdp_sync("export", "shop", "--goal", "spenders", "--preview"))
    assert list((exporting.root / "outbox").iterdir()) == []
    assert "spenders" in output_of(cdp_sync("export", "shop", "--goal", "spender", "--preview"), 2)


def test_an_export_goal_can_be_run_alone(exporting: Project) -> None:
    """`export` runs one goal with its segment and prints the same as `run`; `runs` lists it."""
    output_of(cdp_sync("run", "shop", "--goal", "customers"))
    found = answer("export", "shop", "--goal", "spenders", "--json")
    (summary,) = found["goals"]
    assert (summary["goal"], summary["state"], summary["profiles_written"]) == ("spenders", "success", 1)
    (file,) = summary["files"]
    assert (file["path"], file["state"]) == ("/outbox/spenders.csv", "delivered")
    assert (exporting.root / "outbox" / "spenders.csv").read_bytes() == b"Mail;Name\r\nbob@example.com;=Bob\r\n"
    found = answer("runs", "--json")
    assert found["runs"][0]["goals"][0]["direction"] == "export"
    assert found["data_exchange"] == [{"connection": "shop", "profiles_ever_imported": 2, "profiles_ever_exported": 1}]
    assert "Nothing to export: 1 in spenders (1 same)." in output_of(cdp_sync("run", "shop", "--goal", "spenders"))


def test_an_export_can_be_asked_to_look_at_everybody(exporting: Project) -> None:
    """By itself the second run looks at a few, and misses what was changed by hand; with --full it finds that."""

    def looked_at(*options: str) -> tuple[str, int]:
        (summary,) = answer("export", "shop", "--goal", "spenders", *options, "--json")["goals"]
        return summary["looked_at"], summary["profiles_written"]

    output_of(cdp_sync("run", "shop", "--goal", "customers"))
    assert looked_at() == ("everybody: nothing is known of an earlier run", 1)
    with exporting.warehouse.open("write") as session:
        session.execute("update warehouse.profile set first_name = 'Rob' where email = 'bob@example.com'")
    assert looked_at() == ("those who may have changed", 0)
    assert looked_at("--full") == ("everybody: it was asked for", 1)
    assert "leave out --preview" in output_of(
        cdp_sync("export", "shop", "--goal", "spenders", "--full", "--preview"), 2
    )


def test_help_names_every_command() -> None:
    """The help lists every command of the contract with a description."""
    printed = output_of(cdp_sync("--help"))
    for command in (
        "check",
        "scan",
        "run",
        "runs",
        "profile",
        "group",
        "quarantine",
        "merges",
        "merge",
        "unmerge",
        "segment",
        "lifecycle",
        "export",
        "sandbox",
        "demo",
        "up",
        "list",
        "init",
        "schema",
    ):
        assert re.search(rf"^  {command} +\w", printed, re.MULTILINE), command


def test_the_command_as_a_process(shop: Project) -> None:
    """The process exits with its status, JSON on stdout, errors on stderr; no traceback, progress bar or secret."""

    def process(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=shop.folder, env=shop.environment, capture_output=True, text=True, check=False
        )

    done = process("run", "shop", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["goals"][0]["rows_applied"] == 2
    refused = process("run", "nobody")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: There is no connection 'nobody'.")
    assert "Traceback" not in refused.stderr
    debugged = process("--debug", "scan", "nobody")
    assert debugged.returncode != 0
    assert "Traceback" in debugged.stderr
    assert PASSWORD not in "".join((done.stdout, refused.stderr, debugged.stderr))


@contextmanager
def running(*arguments: str, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that continues until a signal stops it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[bytes], pattern: str, patience: float = 120) -> re.Match[str]:
    """Return the first match in a process's output as soon as it appears."""
    assert process.stdout is not None
    text, deadline = "", time.monotonic() + patience
    while not (found := re.search(pattern, text)):
        ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        assert ready, text
        more = os.read(process.stdout.fileno(), 65536)
        assert more, text
        text += more.decode()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_runs_until_it_is_stopped(number: signal.Signals, project: Project) -> None:
    """The sandbox prints its port and folder, accepts clients, and stops with its server on a signal."""
    with running("sandbox", *FREE_PORTS, folder=project.folder, environment=project.environment) as process:
        port = read_until(process, r"127\.0\.0\.1:(\d+)|port (\d+)")
        secret = (project.data / "sandbox" / "password").read_text().strip()
        listed = listing(int(port[1] or port[2]), secret)
        assert {"webshop", "filiale"} <= listed
        process.send_signal(number)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.read()  # the output ends when its last writer exits
    with pytest.raises(OSError, match=r"refused|reset|banner"):
        listing(int(port[1] or port[2]), secret)


def test_variables_choose_the_sandboxs_ports(project: Project) -> None:
    """Variables set the sandbox's ports, as for `up`; a non-default port is printed for use in another terminal."""
    chosen = str(free_port())
    ports = {
        "CDP_SYNC_SANDBOX_PORT": chosen,
        "CDP_SYNC_SANDBOX_MAIL_PORT": "0",
        "CDP_SYNC_SANDBOX_SAILTHRU_PORT": "0",
        "CDP_SYNC_SANDBOX_ITERABLE_PORT": "0",
    }
    with running("sandbox", folder=project.folder, environment={**project.environment, **ports}) as process:
        served = r"127\.0\.0\.1:(\d+)"
        export = r"needs? this first: export CDP_SYNC_SANDBOX_PORT=(\d+)\n"
        found = read_until(process, f"(?s)SFTP on {served}.*{export}.*Mail on {served}.*Sailthru on http://{served}")
    assert found[1] == found[2] == chosen
    assert (found[3], found[4]) != ("2525", "8025")


@pytest.mark.parametrize("variable", ["CDP_SYNC_SANDBOX_PORT", "CDP_SYNC_SANDBOX_MAIL_PORT"])
@pytest.mark.parametrize("text", ["http", "70000", "-1"])
def test_an_invalid_port_variable_is_reported(
    text: str, variable: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid port variable is reported with name, value and option; no server starts."""
    monkeypatch.setenv(variable, text)
    printed = output_of(cdp_sync("sandbox"), 2)
    assert f"(env var: '{variable}'): " in printed
    assert text in printed
    assert not (project.data / "sandbox").exists()


def test_the_sandbox_shows_mail(project: Project) -> None:
    """The sandbox prints one line for each mail on arrival."""
    command = ("sandbox", *FREE_PORTS)
    with running(*command, folder=project.folder, environment=project.environment) as process:
        port = read_until(process, r"Mail on 127\.0\.0\.1:(\d+)")
        with smtplib.SMTP("127.0.0.1", int(port[1]), timeout=30) as line:
            line.sendmail("a@example.com", ["b@example.net", "c@example.net"], "Subject: Hello\r\n\r\nText.\r\n")
        assert read_until(process, r"Mail: Hello \(2 recipients, .*000001\.eml\)")


def listing(port: int, password: str) -> set[str]:
    """Return the files at the sandbox's root."""
    import paramiko

    try:
        transport = paramiko.Transport(("127.0.0.1", port))
    except paramiko.SSHException as problem:
        raise ConnectionRefusedError("connection refused") from problem
    try:
        transport.connect(username="webshop", password=password)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        return set(client.listdir("/"))
    finally:
        transport.close()


_KEEPS_ON = """
import sys
from cdp_sync.sandbox import servers
code = "print('started', flush=True); import signal; signal.pause()"
sys.exit(servers._in_foreground([sys.executable, "-c", code], None))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_every_process_it_started(number: signal.Signals) -> None:
    """Ctrl-C to both processes, or SIGTERM to `cdp-sync up` alone, leaves no process running."""
    process = subprocess.Popen(
        [sys.executable, "-c", _KEEPS_ON], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        read_until(process, r"started\n")
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        process.wait(30)
        assert process.stdout is not None
        ended, _, _ = select.select([process.stdout], [], [], 30)
        assert ended
        assert process.stdout.read() == b""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.skip(
    reason="`dagster dev` takes half a minute to start on a busy machine; the test above has its stopping"
)
def test_up_opens_the_ui() -> None:
    """`cdp-sync up` serves the project until it is stopped."""


def test_chosen_files_are_imported_again(shop: Project) -> None:
    """`--files` imports only the chosen files; `--again` re-imports known ones and adds no value twice."""
    summed = goal(map=[{"field": "Total", "property": "total", "mode": "sum"}])
    shop.connect("shop", summed)
    shop.deliver("/inbox/customers_1.csv", "Email,Total\nada@example.com,1.5\n")
    shop.deliver("/inbox/customers_2.csv", "Email,Total\nada@example.com,2\n", minutes=1)
    for arguments, applied in (
        (("--files", "*_1.csv"), 1),
        (("--files", "*_1.csv"), 0),
        (("--files", "*_1.csv", "--again"), 1),
        ((), 1),
        (("--again",), 2),
    ):
        (summary,) = answer("run", "shop", *arguments, "--json")["goals"]
        assert summary["rows_applied"] == applied
    with shop.warehouse.open("read") as session:
        assert float(session.value("select total from warehouse.profile where email = 'ada@example.com'")) == 3.5


def test_goals_without_a_chosen_file_are_left_out(shop: Project) -> None:
    """`--files` fails if no goal of the run has a matching file; goals without one are skipped."""
    shop.connect("shop", goal(), goal("orders"), goal("elsewhere", directory="/nowhere", enabled=False))
    customers, orders = answer("run", "shop", "--files", "customers*", "--json")["goals"]
    assert (customers["rows_applied"], customers["state"]) == (2, "success")
    assert (orders["state"], orders["message"]) == ("success", "No file of this goal matches 'customers*'.")
    for chosen in (("--files", "x*"), ("--files", "customers*", "--goal", "orders")):
        assert f"No file of this run's goals matches {chosen[1]!r}." in output_of(cdp_sync("run", "shop", *chosen), 1)


def test_files_are_chosen_of_imports_only(exporting: Project) -> None:
    """`--files` is refused for a goal that exports."""
    result = cdp_sync("run", "shop", "--goal", "spenders", "--again")
    assert result.exit_code == 2
    assert "spenders imports no files." in result.output
