"""Mail about ended runs: which runs, which recipients, which content."""

from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test
from dagster._utils.error import SerializableErrorInfo

from cdp_sync_tests.orchestration.mail_project import (
    GOOD,
    HOUR,
    PERSON,
    RAGGED,
    STRICT,
    TEAM,
    MailProject,
    header_and_text,
    text_of,
)
from cdp_sync_tests.projects import QUIET, Project, goal


def test_a_failed_run_is_mailed_about(mail_project: MailProject) -> None:
    """The mail names connection, goal, error and run, and has no personal data."""
    mail_project.connect("shop", STRICT, goal("orders"), title="Web shop")
    run_id = mail_project.run(RAGGED)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert (mail["Subject"], mail["To"]) == ("[cdp_sync] shop failed: customers", TEAM)
    content = text_of(mail)
    assert "Web shop (shop): the run failed." in content
    assert "customers failed\n  /inbox/customers_1.csv failed: " in content
    assert "orders succeeded\n  Nothing new to import." in content
    assert f"https://dagster.example.net/ui/runs/{run_id}\n" in content
    assert mail_project.state(run_id) == "sent"


def test_goals_are_listed_in_running_order(mail_project: MailProject) -> None:
    """Goals are listed in declared order, which is the running order; Dagster plans them by name."""
    mail_project.connect("shop", goal("zebra"), STRICT, goal("apple"))
    mail_project.run(RAGGED)
    mail_project.tick()
    content = text_of(mail_project.mails[0])
    assert content.index("zebra succeeded") < content.index("customers failed") < content.index("apple succeeded")


def test_no_mail_holds_values_of_a_file(mail_project: MailProject) -> None:
    """No mail holds values of a file, for any kind of problem."""
    mail_project.connect("shop", goal(), on="every_run")
    without_header = GOOD.splitlines()[1]
    for text in (GOOD, RAGGED, GOOD.replace("1.5", "none"), f'{GOOD}"{PERSON}', without_header):
        mail_project.run(text)
    mail_project.tick()
    assert len(mail_project.mails) == 5
    content = "\n".join(header_and_text(mail) for mail in mail_project.mails)
    assert [value for value in (PERSON, "uetzalcoatl", "surplus") if value in content] == []


def test_a_run_is_reported_once(mail_project: MailProject) -> None:
    """A run is reported once, also after a second evaluation or a lost cursor."""
    mail_project.connect()
    mail_project.run(RAGGED)
    mail_project.tick()
    mail_project.tick()
    mail_project.cursor = None
    mail_project.tick()
    mail_project.cursor = "no cursor of ours"
    mail_project.tick()
    assert len(mail_project.mails) == 1


def test_every_run_includes_successes(mail_project: MailProject) -> None:
    """`on: every_run` reports a success, `on: failure` does not."""
    mail_project.connect("shop", on="every_run")
    mail_project.connect("quiet")
    mail_project.run(GOOD)
    mail_project.run(GOOD, "quiet_sync")
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"] == "[cdp_sync] shop succeeded"
    assert "customers succeeded\n  1 file, 1 row: 1 applied; 1 profile created, 0 updated." in text_of(mail)


def test_the_key_on_needs_no_quotes(mail_project: MailProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unquoted key `on`, which is a boolean in YAML, is accepted also in strict mode."""
    mail_project.connect()
    file = mail_project.project.defs / "shop" / "defs.yaml"
    text = file.read_text(encoding="utf-8")
    assert "'on': failure" in text
    file.write_text(text.replace("'on': failure", "on: every_run"), encoding="utf-8")
    mail_project.run(GOOD)
    mail_project.tick()
    assert len(mail_project.mails) == 1
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    assert mail_project.project.load().resolve_sensor_def("mail").name == "mail"


def test_without_declared_notifications_there_is_no_sensor(project: Project) -> None:
    """Without declared notifications there is no sensor."""
    project.connect("shop", goal())
    assert "mail" not in {sensor.name for sensor in project.load().sensors or ()}


def test_the_sensor_runs_unless_switched_off(mail_project: MailProject) -> None:
    """The sensor runs by default as soon as notifications are declared."""
    mail_project.connect()
    sensor = mail_project.project.load().resolve_sensor_def("mail")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_run_that_never_started_is_mailed_about(mail_project: MailProject) -> None:
    """A run whose launch failed is reported with Dagster's message."""
    mail_project.connect()
    job = mail_project.project.load().resolve_job_def("shop_sync")
    run = mail_project.instance.create_run_for_job(
        job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.NOT_STARTED
    )
    mail_project.instance.report_run_failed(run, "Run timed out due to taking longer than 180 seconds to start.")
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"] == "[cdp_sync] shop did not start"
    assert "longer than 180 seconds to start." in text_of(mail)
    assert "customers was not run" in text_of(mail)


def test_a_failed_launch_is_reported_with_its_error(mail_project: MailProject) -> None:
    """When Dagster's last event has no message, the error before it is reported."""
    mail_project.connect()
    job = mail_project.project.load().resolve_job_def("shop_sync")
    run = mail_project.instance.create_run_for_job(
        job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.NOT_STARTED
    )
    error = SerializableErrorInfo("ConnectionError: the code server is gone\n", [], "ConnectionError")
    mail_project.instance.report_engine_event(
        "The run could not be launched.", run, EngineEventData.engine_error(error)
    )
    mail_project.instance.report_run_failed(run)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"] == "[cdp_sync] shop did not start"
    assert "The run could not be launched. ConnectionError: the code server is gone" in text_of(mail)


def test_a_run_whose_process_died_is_mailed_about(mail_project: MailProject) -> None:
    """A run that run monitoring fails is reported with its message and the goals in progress."""
    mail_project.connect("shop", STRICT, goal("orders"))
    job = mail_project.project.load().resolve_job_def("shop_sync")
    run = mail_project.instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.STARTED)
    begun = dg.DagsterEvent(
        dg.DagsterEventType.STEP_START.value, "shop_sync", step_key="shop__customers.scan_directory"
    )
    mail_project.instance.report_dagster_event(begun, run.run_id)
    mail_project.instance.report_run_failed(run, "Exceeded maximum runtime of 7200 seconds.")
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"] == "[cdp_sync] shop failed: customers"
    assert "Exceeded maximum runtime of 7200 seconds." in text_of(mail)
    assert "customers did not finish" in text_of(mail)
    assert "orders was not run" in text_of(mail)


def test_an_unexpected_error_is_reported_by_its_type(
    mail_project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of an unexpected error may hold personal data; the mail has its type and step."""
    from cdp_sync.orchestration.goals.import_steps import FileSteps

    def raise_unexpected_error(*_arguments: object) -> None:
        raise ZeroDivisionError(PERSON)

    monkeypatch.setattr(FileSteps, "parse", raise_unexpected_error)
    mail_project.connect()
    mail_project.run(GOOD)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert "An unexpected error in parse_files (ZeroDivisionError)" in text_of(mail)
    assert PERSON not in header_and_text(mail)


def test_a_run_of_assets_is_reported_by_their_connection(mail_project: MailProject) -> None:
    """A materialization in the UI has no tag of the job, and is reported by its assets' connection."""
    mail_project.connect()
    mail_project.connect("other")
    mail_project.project.deliver("/inbox/customers_1.csv", RAGGED)
    job = mail_project.project.load().resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(["other", "customers"])]
    result = job.execute_in_process(
        instance=mail_project.instance, asset_selection=keys, raise_on_error=False, run_config=QUIET
    )
    run = mail_project.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert "connection" not in run.tags
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"] == "[cdp_sync] other failed: customers"


def test_a_run_of_several_connections_is_one_mail(mail_project: MailProject) -> None:
    """A run of assets of several connections is one mail to all recipients."""
    mail_project.connect()
    mail_project.connect("other", notifications={"emails": ["other-team@example.net", TEAM], "on": "every_run"})
    mail_project.connect("third")
    mail_project.project.deliver("/inbox/customers_1.csv", GOOD)
    job = mail_project.project.load().resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey([name, "customers"]) for name in ("other", "third")]
    job.execute_in_process(instance=mail_project.instance, asset_selection=keys, run_config=QUIET)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert mail["Subject"].endswith(" succeeded")
    assert {"other", "third"} <= set(mail["Subject"].replace(",", "").split())
    assert mail["To"] == f"other-team@example.net, {TEAM}"
    assert "other/customers succeeded" in text_of(mail)
    assert "third/customers succeeded" in text_of(mail)


def test_other_runs_are_ignored(mail_project: MailProject) -> None:
    """A run without a connection with notifications is neither reported nor marked."""
    mail_project.connect()
    mail_project.project.connect("silent", STRICT)
    run_id = mail_project.run(RAGGED, "silent_sync")
    mail_project.tick()
    assert mail_project.mails == []
    assert mail_project.state(run_id) is None


def test_old_runs_are_not_reported(mail_project: MailProject) -> None:
    """The first evaluation covers the last hour only."""
    mail_project.connect()
    run_id = mail_project.run(RAGGED)
    mail_project.tick(after=2 * HOUR)
    assert mail_project.mails == []
    assert mail_project.state(run_id) is None


def test_runs_of_a_night_without_daemon_are_reported(mail_project: MailProject) -> None:
    """Runs that ended while no daemon ran are reported at the next tick."""
    mail_project.connect()
    mail_project.tick()
    mail_project.run(RAGGED)
    mail_project.tick(after=12 * HOUR)
    assert len(mail_project.mails) == 1


def test_a_changed_tag_does_not_report_an_old_run(mail_project: MailProject) -> None:
    """The end of a run counts, not a later change of its tags."""
    mail_project.connect()
    run_id = mail_project.run(RAGGED)
    mail_project.tick(after=2 * HOUR)
    mail_project.instance.add_run_tags(run_id, {"note": "looked at"})
    mail_project.tick()
    assert mail_project.mails == []


def test_every_run_includes_canceled_runs(mail_project: MailProject) -> None:
    """A canceled run is reported for `on: every_run`."""
    mail_project.connect("shop", on="every_run")
    mail_project.connect("quiet")
    for name in ("shop", "quiet"):
        run = create_run_for_test(mail_project.instance, job_name=f"{name}_sync", tags={"connection": name})
        mail_project.instance.report_run_canceled(run)
    mail_project.tick()
    assert [mail["Subject"] for mail in mail_project.mails] == ["[cdp_sync] shop was stopped"]


def test_a_run_of_the_command_line_is_mailed_about(mail_project: MailProject) -> None:
    """The sensor reports runs of `cdp-sync run`, which are in the same history."""
    from cdp_sync.orchestration.instance import open_instance
    from cdp_sync.orchestration.runs.launch import Order, launch
    from cdp_sync.orchestration.runs.progress import watcher

    mail_project.connect()
    mail_project.project.deliver("/inbox/customers_1.csv", RAGGED)
    launch(mail_project.project.load(), Order("shop"), watcher())
    with open_instance() as instance:
        replace(mail_project, instance=instance).tick()
    (mail,) = mail_project.mails
    assert "Reason: by hand" in text_of(mail)
