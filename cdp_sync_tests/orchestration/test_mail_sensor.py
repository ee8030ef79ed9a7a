"""Mail about ended runs: which runs, which recipients, which content."""

from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test
from dagster._utils.error import SerializableErrorInfo

from cdp_sync_tests.orchestration.office import GOOD, HOUR, PERSON, RAGGED, STRICT, TEAM, Office, everything, said
from cdp_sync_tests.projects import QUIET, Project, goal


def test_a_failed_run_is_mailed_about(office: Office) -> None:
    """The mail names connection, goal, error and run, and has no personal data."""
    office.connect("shop", STRICT, goal("orders"), title="Web shop")
    run_id = office.run(RAGGED)
    office.tick()
    (mail,) = office.mails
    assert (mail["Subject"], mail["To"]) == ("[cdp_sync] shop failed: customers", TEAM)
    content = said(mail)
    assert "Web shop (shop): the run failed." in content
    assert "customers failed\n  /inbox/customers_1.csv failed: " in content
    assert "orders succeeded\n  Nothing new to import." in content
    assert f"https://dagster.example.net/ui/runs/{run_id}\n" in content
    assert office.state(run_id) == "sent"


def test_goals_are_listed_in_running_order(office: Office) -> None:
    """Goals are listed in declared order, which is the running order; Dagster plans them by name."""
    office.connect("shop", goal("zebra"), STRICT, goal("apple"))
    office.run(RAGGED)
    office.tick()
    content = said(office.mails[0])
    assert content.index("zebra succeeded") < content.index("customers failed") < content.index("apple succeeded")


def test_no_mail_holds_values_of_a_file(office: Office) -> None:
    """No mail holds values of a file, for any kind of problem."""
    office.connect("shop", goal(), on="every_run")
    without_header = GOOD.splitlines()[1]
    for text in (GOOD, RAGGED, GOOD.replace("1.5", "none"), f'{GOOD}"{PERSON}', without_header):
        office.run(text)
    office.tick()
    assert len(office.mails) == 5
    content = "\n".join(everything(mail) for mail in office.mails)
    assert [value for value in (PERSON, "uetzalcoatl", "surplus") if value in content] == []


def test_a_run_is_reported_once(office: Office) -> None:
    """A run is reported once, also after a second evaluation or a lost cursor."""
    office.connect()
    office.run(RAGGED)
    office.tick()
    office.tick()
    office.cursor = None
    office.tick()
    office.cursor = "no cursor of ours"
    office.tick()
    assert len(office.mails) == 1


def test_every_run_includes_successes(office: Office) -> None:
    """`on: every_run` reports a success, `on: failure` does not."""
    office.connect("shop", on="every_run")
    office.connect("quiet")
    office.run(GOOD)
    office.run(GOOD, "quiet_sync")
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop succeeded"
    assert "customers succeeded\n  1 file, 1 row: 1 applied; 1 profile created, 0 updated." in said(mail)


def test_the_key_on_needs_no_quotes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unquoted key `on`, which is a boolean in YAML, is accepted also in strict mode."""
    office.connect()
    file = office.project.defs / "shop" / "defs.yaml"
    text = file.read_text(encoding="utf-8")
    assert "'on': failure" in text
    file.write_text(text.replace("'on': failure", "on: every_run"), encoding="utf-8")
    office.run(GOOD)
    office.tick()
    assert len(office.mails) == 1
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    assert office.project.load().resolve_sensor_def("mail").name == "mail"


def test_without_declared_notifications_there_is_no_sensor(project: Project) -> None:
    """Without declared notifications there is no sensor."""
    project.connect("shop", goal())
    assert "mail" not in {sensor.name for sensor in project.load().sensors or ()}


def test_the_sensor_runs_unless_switched_off(office: Office) -> None:
    """The sensor runs by default as soon as notifications are declared."""
    office.connect()
    sensor = office.project.load().resolve_sensor_def("mail")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_run_that_never_started_is_mailed_about(office: Office) -> None:
    """A run whose launch failed is reported with Dagster's message."""
    office.connect()
    job = office.project.load().resolve_job_def("shop_sync")
    run = office.instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.NOT_STARTED)
    office.instance.report_run_failed(run, "Run timed out due to taking longer than 180 seconds to start.")
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop did not start"
    assert "longer than 180 seconds to start." in said(mail)
    assert "customers was not run" in said(mail)


def test_a_failed_launch_is_reported_with_its_error(office: Office) -> None:
    """When Dagster's last event has no message, the error before it is reported."""
    office.connect()
    job = office.project.load().resolve_job_def("shop_sync")
    run = office.instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.NOT_STARTED)
    error = SerializableErrorInfo("ConnectionError: the code server is gone\n", [], "ConnectionError")
    office.instance.report_engine_event("The run could not be launched.", run, EngineEventData.engine_error(error))
    office.instance.report_run_failed(run)
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop did not start"
    assert "The run could not be launched. ConnectionError: the code server is gone" in said(mail)


def test_a_run_whose_process_died_is_mailed_about(office: Office) -> None:
    """A run that run monitoring fails is reported with its message and the goals in progress."""
    office.connect("shop", STRICT, goal("orders"))
    job = office.project.load().resolve_job_def("shop_sync")
    run = office.instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.STARTED)
    begun = dg.DagsterEvent(
        dg.DagsterEventType.STEP_START.value, "shop_sync", step_key="shop__customers.scan_directory"
    )
    office.instance.report_dagster_event(begun, run.run_id)
    office.instance.report_run_failed(run, "Exceeded maximum runtime of 7200 seconds.")
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop failed: customers"
    assert "Exceeded maximum runtime of 7200 seconds." in said(mail)
    assert "customers did not finish" in said(mail)
    assert "orders was not run" in said(mail)


def test_an_unexpected_error_is_reported_by_its_type(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of an unexpected error may hold personal data; the mail has its type and step."""
    from cdp_sync.orchestration.goals.import_steps import FileSteps

    def burst(*_arguments: object) -> None:
        raise ZeroDivisionError(PERSON)

    monkeypatch.setattr(FileSteps, "parse", burst)
    office.connect()
    office.run(GOOD)
    office.tick()
    (mail,) = office.mails
    assert "An unexpected error in parse_files (ZeroDivisionError)" in said(mail)
    assert PERSON not in everything(mail)


def test_a_run_of_assets_is_reported_by_their_connection(office: Office) -> None:
    """A materialization in the UI has no tag of the job, and is reported by its assets' connection."""
    office.connect()
    office.connect("other")
    office.project.deliver("/inbox/customers_1.csv", RAGGED)
    job = office.project.load().resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(["other", "customers"])]
    result = job.execute_in_process(
        instance=office.instance, asset_selection=keys, raise_on_error=False, run_config=QUIET
    )
    run = office.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert "connection" not in run.tags
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] other failed: customers"


def test_a_run_of_several_connections_is_one_mail(office: Office) -> None:
    """A run of assets of several connections is one mail to all recipients."""
    office.connect()
    office.connect("other", notifications={"emails": ["other-team@example.net", TEAM], "on": "every_run"})
    office.connect("third")
    office.project.deliver("/inbox/customers_1.csv", GOOD)
    job = office.project.load().resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey([name, "customers"]) for name in ("other", "third")]
    job.execute_in_process(instance=office.instance, asset_selection=keys, run_config=QUIET)
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"].endswith(" succeeded")
    assert {"other", "third"} <= set(mail["Subject"].replace(",", "").split())
    assert mail["To"] == f"other-team@example.net, {TEAM}"
    assert "other/customers succeeded" in said(mail)
    assert "third/customers succeeded" in said(mail)


def test_other_runs_are_ignored(office: Office) -> None:
    """A run without a connection with notifications is neither reported nor marked."""
    office.connect()
    office.project.connect("silent", STRICT)
    run_id = office.run(RAGGED, "silent_sync")
    office.tick()
    assert office.mails == []
    assert office.state(run_id) is None


def test_old_runs_are_not_reported(office: Office) -> None:
    """The first evaluation covers the last hour only."""
    office.connect()
    run_id = office.run(RAGGED)
    office.tick(after=2 * HOUR)
    assert office.mails == []
    assert office.state(run_id) is None


def test_runs_of_a_night_without_daemon_are_reported(office: Office) -> None:
    """Runs that ended while no daemon ran are reported at the next tick."""
    office.connect()
    office.tick()
    office.run(RAGGED)
    office.tick(after=12 * HOUR)
    assert len(office.mails) == 1


def test_a_changed_tag_does_not_report_an_old_run(office: Office) -> None:
    """The end of a run counts, not a later change of its tags."""
    office.connect()
    run_id = office.run(RAGGED)
    office.tick(after=2 * HOUR)
    office.instance.add_run_tags(run_id, {"note": "looked at"})
    office.tick()
    assert office.mails == []


def test_every_run_includes_canceled_runs(office: Office) -> None:
    """A canceled run is reported for `on: every_run`."""
    office.connect("shop", on="every_run")
    office.connect("quiet")
    for name in ("shop", "quiet"):
        run = create_run_for_test(office.instance, job_name=f"{name}_sync", tags={"connection": name})
        office.instance.report_run_canceled(run)
    office.tick()
    assert [mail["Subject"] for mail in office.mails] == ["[cdp_sync] shop was stopped"]


def test_a_run_of_the_command_line_is_mailed_about(office: Office) -> None:
    """The sensor reports runs of `cdp-sync run`, which are in the same history."""
    from cdp_sync.orchestration.instance import open_instance
    from cdp_sync.orchestration.runs.launch import Order, launch
    from cdp_sync.orchestration.runs.progress import watcher

    office.connect()
    office.project.deliver("/inbox/customers_1.csv", RAGGED)
    launch(office.project.load(), Order("shop"), watcher())
    with open_instance() as instance:
        replace(office, instance=instance).tick()
    (mail,) = office.mails
    assert "Reason: by hand" in said(mail)
