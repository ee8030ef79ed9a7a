"""Runs against a real server: results, reports and files on disk."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from paramiko.sftp import SFTP_FAILURE

from cdp_sync.model import COUNTERS
from cdp_sync.orchestration.project import load_project
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.projects import PASSWORD, PASSWORD_ENV, QUIET, Project, goal, open_project, shown
from cdp_sync_tests.warehouse.holder import held

CUSTOMERS = dg.AssetKey(["shop", "customers"])
OPS = ("scan_directory", "parse_files", "link_identifiers", "upsert_profiles")

FIRST = "Email,FirstName,Total\nada@example.com,Adalbertine,1.5\nbob@example.com,Bobbington,x\n,Nobodyson,2\n"
SECOND = "Email,FirstName,Total\nada@example.com,Adalwina,3\ncleo@example.com,Cleophas,4,surplus\n"
VALUES = ("example.com", "Adalbertine", "Adalwina", "Bobbington", "Nobodyson", "Cleophas")


@dataclass(frozen=True)
class Ran:
    """A run that imported two files, with everything that was recorded."""

    project: Project
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the materialization, as plain values."""
        return materialized(self.result)


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return the metadata of the goal's run, as plain values."""
    return shown(result, *CUSTOMERS.path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One run of one goal over two files, with rows of several outcomes."""
    with (
        open_project(tmp_path_factory.mktemp("runs") / "project") as project,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        project.connect("shop", goal(), goal("off", enabled=False))
        project.deliver("/inbox/customers_2.csv", FIRST, minutes=0)
        project.deliver("/inbox/customers_1.csv", SECOND, minutes=5)
        definitions = project.load()
        job = definitions.resolve_job_def("shop_sync")
        yield Ran(project, definitions, instance, job.execute_in_process(instance=instance, run_config=QUIET))


def test_a_run_succeeds_and_its_steps_are_those_of_the_contract(ran: Ran) -> None:
    """Step keys are `<connection>__<goal>.<op>`, in order."""
    assert ran.result.success
    started = [event.step_key for event in ran.result.all_events if event.event_type_value == "STEP_SUCCESS"]
    assert [key for key in started if key and "." in key] == [f"shop__customers.{op}" for op in OPS]


def test_profiles_are_imported(ran: Ran) -> None:
    """The profiles hold the values of the files, applied in order of time."""
    with ran.project.warehouse.open("read") as session:
        found = session.rows("select email, first_name, total from warehouse.profile order by email")
    assert [(email, name, None if total is None else float(total)) for email, name, total in found] == [
        ("ada@example.com", "Adalwina", 3.0),
        ("bob@example.com", "Bobbington", None),
    ]


def test_counters_are_integers(ran: Ran) -> None:
    """Every counter is an integer in the metadata, and they add up."""
    counted = {name: ran.metadata[name] for name in COUNTERS}
    assert counted == {
        "rows_read": 5,
        "rows_applied": 3,
        "rows_unchanged": 0,
        "rows_rejected": 1,
        "rows_filtered": 0,
        "rows_without_identifier": 1,
        "rows_unmatched": 0,
        "rows_without_consent": 0,
        "profiles_created": 2,
        "profiles_updated": 0,
        "profiles_unchanged": 0,
        "rows_ambiguous": 0,
        "values_invalid": 1,
        "events_created": 0,
        "events_updated": 0,
        "events_unchanged": 0,
        "events_waiting": 0,
        "groups_created": 0,
        "groups_updated": 0,
        "groups_unchanged": 0,
        "profiles_merged": 0,
        "profiles_unmerged": 0,
    }
    assert ran.metadata["dagster/row_count"] == 2
    assert ran.metadata["profiles_ever_imported"] == 2


def test_the_files_are_a_table_in_order_of_import(ran: Ran) -> None:
    """The table of files has a row with state and counters for each file."""
    rows = [record.data for record in ran.metadata["files"].records]
    assert [(Path(row["file"]).name, row["state"], row["rows"].partition(":")[0]) for row in rows] == [
        ("customers_2.csv", "imported", "3 read"),
        ("customers_1.csv", "imported", "2 read"),
    ]


def test_the_last_profiles_are_reported_by_id(ran: Ran) -> None:
    """The last created and updated profiles are listed by id."""
    with ran.project.warehouse.open("read") as session:
        ids = {str(profile_id) for (profile_id,) in session.rows("select profile_id from warehouse.profile")}
    shown = str(ran.metadata["last profiles"])
    assert ids
    assert all(profile_id in shown for profile_id in ids)
    assert "created" in shown


def test_the_quarantines_reasons_are_counted(ran: Ran) -> None:
    """A table counts the reasons of rows and cells that did not land, without their values."""
    reasons = {record.data["reason"]: record.data["times"] for record in ran.metadata["quarantine"].records}
    assert len(reasons) == 3
    assert set(reasons.values()) == {1}
    assert any(reason.startswith("Total: ") for reason in reasons)


def test_checks_warn_of_rows_that_did_not_land(ran: Ran) -> None:
    """Rows in the quarantine fail the checks of their kinds with a warning; the other checks pass."""
    checks = {check.check_name: check for check in ran.result.get_asset_check_evaluations()}
    assert {name: check.passed for name, check in checks.items()} == {
        "rejected_rows": False,
        "rows_without_identifier": False,
        "unmatched_rows": True,
        "invalid_values": False,
        "ambiguous_links": True,
    }
    assert checks["rejected_rows"].severity == dg.AssetCheckSeverity.WARN
    assert "1 row rejected." in str(checks["rejected_rows"].description)


def test_a_disabled_goal_is_skipped(ran: Ran) -> None:
    """No step of a disabled goal runs."""
    assert not [event for event in ran.result.all_events if (event.step_key or "").startswith("shop__off")]


def test_nothing_is_left_in_staging_and_downloads(ran: Ran) -> None:
    """After a run the folders for staging and downloads are empty."""
    for folder in ("staging", "downloads"):
        assert list((ran.project.data / folder).glob("*")) == []


def everything_recorded(ran: Ran) -> str:
    """Return all that Dagster stores or shows of the run: events, config, tags, resources, definitions."""
    from dagster._core.remote_representation.external_data import RepositorySnap

    run = ran.instance.get_run_by_id(ran.result.run_id)
    assert run is not None
    parts = [repr(event) + event.to_json() for event in ran.instance.all_logs(ran.result.run_id)]
    parts += [json.dumps(run.run_config), json.dumps(dict(run.tags)), repr(ran.definitions.resources)]
    parts.append(dg.serialize_value(RepositorySnap.from_def(ran.definitions.get_repository_def())))
    for job in ran.definitions.resolve_all_job_defs():
        parts.append(dg.serialize_value(job.get_job_snapshot()))
    return "\n".join(parts)


def test_no_secret_and_no_value_is_recorded(ran: Ran) -> None:
    """Events, config, resources and definitions hold neither the password nor a value of a file."""
    recorded = everything_recorded(ran)
    assert "upsert_profiles" in recorded
    assert PASSWORD_ENV in recorded
    assert [value for value in (PASSWORD, *VALUES) if value in recorded] == []


def test_goals_run_in_the_order_listed(project: Project, instance: dg.DagsterInstance) -> None:
    """All steps of a goal come before those of the next, for any names of goals."""
    project.connect("shop", goal("zebra"), goal("apple"), goal("mango"))
    for name in ("apple", "mango", "zebra"):
        project.deliver(f"/inbox/{name}_1.csv", FIRST)
    result = project.run("shop_sync", instance)
    assert result.success
    assert steps_of(result) == [f"shop__{name}.{op}" for name in ("zebra", "apple", "mango") for op in OPS]


def test_goals_keep_their_order_when_one_is_retried(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry of the first goal does not let the second overtake it, which may need its profiles."""
    monkeypatch.setattr("cdp_sync.orchestration.failures._PAUSE", 0.2)
    refusals = iter(range(2))

    class Hiccups(Files):
        def list_folder(self, path: str) -> Any:
            return SFTP_FAILURE if path == "/inbox" and next(refusals, None) is not None else super().list_folder(path)

    monkeypatch.setattr(SftpSandbox, "files", Hiccups)
    project.connect("shop", goal(), goal("orders"))
    result = project.run("shop_sync", instance)
    assert result.success
    assert next(refusals, None) is None
    assert list(dict.fromkeys(key.partition(".")[0] for key in steps_of(result))) == ["shop__customers", "shop__orders"]
    assert steps_of(result)[-4:] == [f"shop__orders.{op}" for op in OPS]


def steps_of(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return the keys of the started ops, in order."""
    started = [event.step_key for event in result.all_events if event.event_type_value == "STEP_START"]
    return [key for key in started if key and "." in key]


def test_a_failed_goal_does_not_stop_the_next_and_the_run_fails(project: Project, instance: dg.DagsterInstance) -> None:
    """A goal with a missing directory fails, the next goal lands, and the run fails."""
    project.connect("shop", goal(directory="/nowhere"), goal("orders"))
    project.deliver("/inbox/orders_1.csv", FIRST)
    result = project.run("shop_sync", instance)
    assert not result.success
    assert {key for key in failed_steps(result) if "." in key} == {"shop__customers.scan_directory"}
    assert instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"])) is not None
    assert "/nowhere" in failure_text(result, "shop__customers.scan_directory")


def failed_steps(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the keys of the failed steps."""
    return {event.step_key or "" for event in result.all_events if event.event_type_value == "STEP_FAILURE"}


def failure_text(result: dg.ExecuteInProcessResult, step: str) -> str:
    """Return a failed step's description and metadata in the UI."""
    data = result.failure_data_for_node(step)
    assert data is not None
    assert data.user_failure_data is not None
    metadata = {name: value.value for name, value in data.user_failure_data.metadata.items()}
    return f"{data.user_failure_data.description} {metadata}"


def test_a_rejected_file_fails_its_goal_and_the_others_land(project: Project, instance: dg.DagsterInstance) -> None:
    """A rejected file fails the last step, which names it; the other files are imported and shown."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", "Mail;Name\n")
    project.deliver("/inbox/customers_2.csv", FIRST)
    result = project.run("shop_sync", instance)
    assert not result.success
    message = failure_text(result, "shop__customers.upsert_profiles")
    assert "/inbox/customers_1.csv failed: No linked column" in message
    event = instance.get_latest_materialization_event(CUSTOMERS)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["rows_applied"].value == 2
    for folder in ("staging", "downloads"):
        assert list((project.data / folder).glob("*")) == []


def test_a_wrong_password_fails_at_once(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password fails after one login; the message names the account, not the password."""
    monkeypatch.setenv(PASSWORD_ENV, "wrong-password-99")
    project.connect("shop", goal())
    result = project.run("shop_sync", instance)
    assert not result.success
    assert project.sandbox.refused_logins == 1
    message = failure_text(result, "shop__customers.scan_directory")
    assert "shop" in message
    assert "what to do" in message
    events = "".join(event.to_json() for event in instance.all_logs(result.run_id))
    assert "wrong-password-99" not in events


def test_a_missing_secret_names_its_variable(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing secret fails before any connection, and its variable is named."""
    monkeypatch.delenv(PASSWORD_ENV)
    project.connect("shop", goal())
    result = project.run("shop_sync", instance)
    message = failure_text(result, "shop__customers.scan_directory")
    assert f"The environment variable {PASSWORD_ENV} is not set" in message
    assert f"Set {PASSWORD_ENV}" in message


def test_a_server_that_is_down_is_reported(project: Project, instance: dg.DagsterInstance) -> None:
    """An unreachable server fails with the cause and the remedy."""
    project.connect("shop", goal(), server={"port": closed_port()})
    result = project.run("shop_sync", instance)
    assert not result.success
    message = failure_text(result, "shop__customers.scan_directory")
    assert "127.0.0.1" in message
    assert "what to do" in message


def test_skipped_steps_log_nothing(
    project: Project, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failed run logs the error of the failed step and its own, each once."""
    project.connect("shop", goal(directory="/nowhere"))
    job = project.load().resolve_job_def("shop_sync")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    printed = capfd.readouterr().err
    assert printed.count("Check the path as the account sees it.") == 2
    assert "Not executing" not in printed
    errors = [entry for entry in instance.all_logs(result.run_id) if entry.level >= logging.ERROR]
    assert [(entry.step_key, entry.dagster_event_type) for entry in errors] == [
        ("shop__customers.scan_directory", dg.DagsterEventType.STEP_FAILURE),
        (None, dg.DagsterEventType.RUN_FAILURE),
    ]


def _job_of_another_executor() -> dg.JobDefinition:
    """Return a job by which somebody runs the goals with an executor of theirs."""
    selection = dg.AssetSelection.groups("shop").without_checks()
    theirs = dg.define_asset_job("theirs", selection=selection, executor_def=dg.multiprocess_executor)
    return dg.Definitions.merge(load_project(), dg.Definitions(jobs=[theirs])).resolve_job_def("theirs")


def test_another_executor_is_refused(project: Project) -> None:
    """Only the in-process executor keeps goals in order: a job with another one fails before it does anything."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    project.load()
    job = dg.reconstructable(_job_of_another_executor)
    with dg.instance_for_test() as instance, dg.execute_job(job, instance, run_config=QUIET) as result:
        assert "has to be `in_process`" in failure_text(result, "shop__customers.scan_directory")
    assert not project.warehouse.path.exists()


def test_a_connection_does_not_load_beside_another_executor(project: Project) -> None:
    """A code location with an executor of its own says so when it loads."""
    project.connect("shop", goal())
    with pytest.raises(dg.DagsterInvariantViolationError, match="both have an executor"):
        dg.Definitions.merge(project.load(), dg.Definitions(executor=dg.multiprocess_executor))


def closed_port() -> int:
    """Return a port that no process listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_run_without_new_files_needs_no_write_lock(project: Project, instance: dg.DagsterInstance) -> None:
    """A run without new files succeeds while another process reads the warehouse."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    assert project.run("shop_sync", instance).success
    with held(project.data / "warehouse.duckdb", "read"):
        result = project.run("shop_sync", instance)
    assert result.success
    assert materialized(result)["summary"] == "Nothing new to import."
    assert materialized(result)["rows_read"] == 0
    for folder in ("staging", "downloads"):
        assert list((project.data / folder).glob("*")) == []


def test_a_first_run_without_files_creates_no_warehouse(project: Project, instance: dg.DagsterInstance) -> None:
    """A first run without files succeeds and creates no warehouse."""
    project.connect("shop", goal())
    assert project.run("shop_sync", instance).success
    assert not (project.data / "warehouse.duckdb").exists()


def test_a_file_without_its_marker_is_reported_as_waiting(project: Project, instance: dg.DagsterInstance) -> None:
    """A file without its marker is listed as waiting, with the reason; the run succeeds."""
    project.connect("shop", goal(complete={"marker": "{name}.done"}))
    project.deliver("/inbox/customers_1.csv", FIRST)
    result = project.run("shop_sync", instance)
    (row,) = [record.data for record in materialized(result)["files"].records]
    assert (Path(row["file"]).name, row["state"]) == ("customers_1.csv", "not whole")


def test_only_handles_pass_between_steps(project: Project, instance: dg.DagsterInstance) -> None:
    """Steps pass on paths, states and counts, no value of a file and no password."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    result = project.run("shop_sync", instance)
    handed = "".join(json.dumps(result.output_for_node(f"shop__customers.{op}")) for op in OPS[:3])
    assert "/inbox/customers_1.csv" in handed
    assert [value for value in (PASSWORD, *VALUES) if value in handed] == []


def test_a_disabled_goal_can_be_run_alone(project: Project, instance: dg.DagsterInstance) -> None:
    """A disabled goal runs as a single materialization; only the connection's job skips it."""
    project.connect("shop", goal(), goal("orders", enabled=False))
    project.deliver("/inbox/orders_1.csv", FIRST)
    result = dg.materialize(
        list(project.load().assets or ()),  # type: ignore[arg-type]
        selection=[dg.AssetKey(["shop", "orders"])],
        resources=project.load().resources,
        instance=instance,
    )
    assert result.success
    assert {key.partition(".")[0] for key in steps_of(result)} == {"shop__orders"}


def test_a_property_whose_type_changed_fails_the_goal(project: Project, instance: dg.DagsterInstance) -> None:
    """A property whose type changed fails the goal with both types and the remedy; no data is lost."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    assert project.run("shop_sync", instance).success
    changed = [{"name": "email", "type": "email", "identifier": True}, {"name": "first_name"}]
    project.declare("profiles", {"properties": [*changed, {"name": "total", "type": "number"}]}, kind="ProfileModel")
    result = project.run("shop_sync", instance)
    assert not result.success
    message = failure_text(result, "shop__customers.upsert_profiles")
    assert "'total' is stored as DECIMAL(18,4) and declared as BIGINT" in message
    with project.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 2


def without_waiting(project: Project) -> dict[str, Any]:
    """Return the run config of a run that does not wait for the warehouse."""
    config = {"path": str(project.data / "warehouse.duckdb"), "lock_timeout": 0.1}
    return QUIET | {"resources": {"warehouse": {"config": config}}}


def run_without_waiting(project: Project, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run the connection without waiting for the warehouse."""
    job = project.load().resolve_job_def("shop_sync")
    return job.execute_in_process(instance=instance, raise_on_error=False, run_config=without_waiting(project))


def test_a_locked_warehouse_is_reported_with_its_holder(project: Project, instance: dg.DagsterInstance) -> None:
    """A locked warehouse fails the goal at the deadline, with the process that holds it and the remedy."""
    project.connect("shop", goal())
    with project.warehouse.open("write"):
        pass
    with held(project.data / "warehouse.duckdb") as holder:
        result = run_without_waiting(project, instance)
    assert f"process {holder.pid} " in failure_text(result, "shop__customers.scan_directory")


def test_a_failure_is_reported_while_the_warehouse_is_locked(project: Project, instance: dg.DagsterInstance) -> None:
    """A history that cannot be written does not hide the goal's failure."""
    project.connect("shop", goal(directory="/nowhere"))
    with project.warehouse.open("write"):
        pass
    with held(project.data / "warehouse.duckdb", "read"):
        result = run_without_waiting(project, instance)
    assert "/nowhere" in failure_text(result, "shop__customers.scan_directory")
