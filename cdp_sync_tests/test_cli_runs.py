"""`cdp-sync runs`: states, reasons, phases, changes, and its output while the warehouse is locked."""

import os
import re

import dagster as dg
import pytest

from cdp_sync.errors import Terminal
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.history import STATES
from cdp_sync_tests.projects import SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import FIRST, answer, cdp_sync, history, output_of, ran, shop, start_run
from cdp_sync_tests.warehouse.holder import held

__all__ = ["history", "ran", "shop"]


def test_values_are_shown_on_request(shop: Project) -> None:
    """`--run` and `--profiles` show a run's profiles with property, value before and value after; otherwise none."""
    output_of(cdp_sync("run", "shop"))
    shop.deliver("/inbox/customers_1.csv", FIRST.replace("Ada", "Ida"), minutes=1)
    output_of(cdp_sync("run", "shop"))
    run_id = answer("runs", "--json")["runs"][0]["run_id"]
    assert not any(
        value in output_of(cdp_sync("runs")) + output_of(cdp_sync("runs", "--json")) for value in ("Ada", "Ida")
    )
    printed = output_of(cdp_sync("runs", "--run", run_id))
    assert "first_name: Ada → Ida" in printed
    assert printed.count("by hand") == 1
    (run,) = answer("runs", "--run", run_id, "--json")["runs"]
    ((profile,),) = (goal["profiles"] for goal in run["goals"])
    assert (profile["kind"], profile["changed"][0]["after"]) == ("updated", "Ida")
    assert "total: ∅ → 1.5000" in output_of(cdp_sync("runs", "shop", "--profiles"))
    shown = output_of(cdp_sync("profile", "ada@example.com"))
    assert "updated  shop / customers" in shown
    assert "first_name: Ada → Ida" in shown


def test_an_unknown_run_is_status_2(shop: Project) -> None:
    """An unknown run id exits with status 2; the message names where run ids are shown."""
    assert "cdp-sync runs" in output_of(cdp_sync("runs", "--run", "nothing"), 2)


def test_a_run_is_found_by_the_beginning_of_its_id(shop: Project) -> None:
    """A run is found by its first eight characters. Shorter, ambiguous or foreign ids are refused."""
    run_id = answer("run", "shop", "--json")["run_id"]
    for given in (run_id, run_id[:8], run_id[:8].upper(), run_id[:20]):
        (found,) = answer("runs", "--run", given, "--json")["runs"]
        assert found["run_id"] == run_id
    for given in ("", run_id[:7], run_id[:8] + "x"):
        assert "first 8 characters" in output_of(cdp_sync("runs", "--run", given), 2)
    shop.connect("other", goal())
    assert "of connection other" in output_of(cdp_sync("runs", "other", "--run", run_id[:8]), 2)
    twin = dg.DagsterRun(job_name="shop_sync", run_id=run_id[:-1] + "x", tags={"connection": "shop"})
    with open_instance() as instance:
        instance.add_run(twin)
    assert "2 runs begin with" in output_of(cdp_sync("runs", "--run", run_id[:8]), 2)
    assert answer("runs", "--run", run_id, "--json")["runs"][0]["run_id"] == run_id


def test_runs_are_listed_while_the_warehouse_is_locked(ran: Project) -> None:
    """While an import writes, runs are listed from Dagster's records; a notice names the process that writes."""
    with held(ran.data / "warehouse.duckdb") as holder:
        found = answer("runs", "--json")
        printed = output_of(cdp_sync("runs"))
    (goal,) = found["runs"][0]["goals"]
    assert (goal["goal"], goal["rows_read"], goal["state"]) == ("customers", 3, "finished")
    assert str(holder.pid) in found["notice"]
    assert "is held by process" in printed
    assert found["data_exchange"] == []


def test_a_run_in_progress_shows_its_phase(shop: Project) -> None:
    """A run in progress shows its current goal and step, as text and as JSON."""
    run_id = start_run(os.getpid())
    assert answer("runs", "--json")["runs"][0]["phase"] is None
    begin_step(run_id, "shop__customers.scan_directory")
    begin_step(run_id, "shop__customers.parse_files")
    (run,) = answer("runs", "shop", "--json")["runs"]
    assert (run["state"], run["phase"]) == ("running", {"goal": "customers", "step": "parse_files"})
    assert "customers: … parse files" in output_of(cdp_sync("runs"))


def begin_step(run_id: str, key: str) -> None:
    """Record the start of a step of a run."""
    with open_instance() as instance:
        begun = dg.DagsterEvent("STEP_START", "shop_sync", step_key=key, message="Started.")
        instance.report_dagster_event(begun, run_id)


@pytest.mark.parametrize(
    ("status", "tags", "state", "reason"),
    [
        ("NOT_STARTED", {"dagster/schedule_name": "shop_schedule"}, "starting", "schedule"),
        ("STARTED", {"reason": "new files"}, "running", "new files"),
        ("STARTING", {"dagster/sensor_name": "shop_new_files"}, "starting", "new files"),
        ("CANCELING", {"dagster/backfill": "b"}, "stopped", "backfill"),
        ("CANCELED", {}, "stopped", "by hand"),
    ],
)
def test_states_and_reasons_have_few_words(
    status: str, tags: dict[str, str], state: str, reason: str, shop: Project
) -> None:
    """Dagster's states are shown as five words, and the reasons of runs as four."""
    run = dg.DagsterRun("shop_sync", status=dg.DagsterRunStatus[status], tags={"connection": "shop", **tags})
    with open_instance() as instance:
        instance.add_run(run)
    (found,) = answer("runs", "--json")["runs"]
    assert (found["state"], found["reason"], found["goals"]) == (state, reason, [])


def test_a_failure_missing_in_the_warehouse_is_reported(ran: Project) -> None:
    """A goal's failure is taken from the event log if the warehouse was locked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdp_sync.orchestration.goals.import_steps.record_failure", lambda *_: None)
        patch.setattr("cdp_sync.orchestration.goals.import_steps.scan_directory", unreachable)
        output_of(cdp_sync("run", "shop"), 1)
    run = answer("runs", "shop", "--json")["runs"][0]
    (failed,) = run["goals"]
    assert (run["state"], failed["goal"], failed["state"]) == ("failed", "customers", "failed")
    assert failed["message"].startswith("Nobody answers.")
    assert failed["errors"] == [failed["message"]]


def unreachable(*_: object, **__: object) -> None:
    """Stand in for a server that does not answer."""
    raise Terminal("Nobody answers.", remedy="Wait.")


def test_every_state_has_a_word() -> None:
    """Each of Dagster's states maps to one of the five words."""
    assert set(STATES) == {status.value for status in dg.DagsterRunStatus}
    assert set(STATES.values()) == {"starting", "running", "finished", "failed", "stopped"}


@pytest.mark.parametrize("blocked", ["downloads", "staging"])
def test_a_step_that_fails_unexpectedly_is_shown(blocked: str, shop: Project) -> None:
    """`run` and `runs` show an unexpected failure by class only, since its message may quote data."""
    (shop.data / blocked).write_text("a file where a folder is needed")
    printed = output_of(cdp_sync("run", "shop"), 1)
    assert re.search(
        r"✗ customers  An unexpected error in \w+ \((FileExists|NotADirectory)Error\)\. The run's log", printed
    )
    found = answer("run", "shop", "--json", status=1)
    (goal,) = found["goals"]
    assert (found["state"], found["message"], goal["goal"], goal["state"]) == ("failed", "", "customers", "failed")
    (past,) = answer("runs", "--run", found["run_id"], "--json")["runs"][0]["goals"]
    assert (past["goal"], past["state"], past["message"]) == ("customers", "failed", goal["message"])
    assert str(shop.data) not in printed + output_of(cdp_sync("runs"))


def test_every_goal_that_failed_is_shown(shop: Project) -> None:
    """Every failed goal is shown: one with its own report, a missing directory, an export without a folder."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(directory="/nowhere"), export_profiles=[export()])
    (shop.data / "staging").write_text("a file where a folder is needed")
    found = answer("run", "shop", "--json", status=1)
    goals = {goal["goal"]: goal for goal in found["goals"]}
    past = {goal["goal"]: goal for goal in answer("runs", "--json")["runs"][0]["goals"]}
    assert {name: goal["state"] for name, goal in goals.items()} == {"customers": "failed", "spenders": "failed"}
    assert {name: goal["message"] for name, goal in past.items()} == {
        name: goal["message"] for name, goal in goals.items()
    }
    assert "/nowhere" in goals["customers"]["message"]
    assert goals["spenders"]["message"].startswith("An unexpected error in select_segment (NotADirectoryError).")
    assert "profiles_written" in goals["spenders"]


def test_a_segment_that_failed_is_shown(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed segment is shown, since its exports do not run."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export()])
    monkeypatch.setattr("cdp_sync.orchestration.goals.segments.view_segment", unreachable)
    found = answer("run", "shop", "--json", status=1)
    past = answer("runs", "--json")["runs"][0]["goals"]
    for goals in (found["goals"], past):
        assert {each["goal"] for each in goals} == {"customers", "segments__spenders"}
        (failed,) = (each for each in goals if each["state"] == "failed")
        assert failed["message"].startswith("Nobody answers.")


def test_a_goal_that_fails_after_its_report_is_shown_as_failed(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A goal that fails after its report is shown as failed, with the counters of landed rows."""
    monkeypatch.setattr("cdp_sync.orchestration.goals.import_steps.note_import_checks", broken)
    found = answer("run", "shop", "--json", status=1)
    for (failed,) in (found["goals"], answer("runs", "--json")["runs"][0]["goals"]):
        assert (failed["goal"], failed["state"], failed["rows_read"]) == ("customers", "failed", 3)
        assert "(ZeroDivisionError)" in failed["message"]


def broken(*_: object, **__: object) -> None:
    """Stand in for a programming error."""
    raise ZeroDivisionError
