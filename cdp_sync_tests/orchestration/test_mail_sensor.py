"""Mail about runs that ended: about which, to whom, at most once, and none is lost while the server is away."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test
from dagster._utils.error import SerializableErrorInfo

from cdp_sync.orchestration import mail_round, mail_sensor
from cdp_sync.orchestration.mail_news import news_of
from cdp_sync.orchestration.mail_round import MAILED
from cdp_sync.orchestration.mail_text import RunNews
from cdp_sync.sandbox.smtp import SmtpSandbox
from cdp_sync_tests.connectors.mail_line import GO_ON, GREETING, HELLO, YES, Scene
from cdp_sync_tests.projects import QUIET, Project, goal

TEAM = "data-team@example.net"
PERSON = "quetzalcoatl.unlikely@example.com"
GOOD = f"Email,FirstName,Total\n{PERSON},Quetzalcoatl,1.5\n"
RAGGED = f"Email,FirstName,Total\n{PERSON},Quetzalcoatl,1.5,surplus\n"
STRICT = goal(max_rejected_percent=0)
UI = "https://dagster.example.net/ui/"
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Office:
    """A project, its instance, a mail server, and a clock that the sensor goes by."""

    project: Project
    instance: dg.DagsterInstance
    server: SmtpSandbox
    monkeypatch: pytest.MonkeyPatch
    cursor: str | None = None
    later: float = 0.0

    def connect(self, name: str = "shop", *goals: Mapping[str, Any], on: str = "failure", **attributes: object) -> None:
        """Declare a connection whose runs are mailed about."""
        notified = {"emails": [TEAM], "on": on}
        self.project.connect(name, *(goals or (STRICT,)), **{"notifications": notified} | attributes)

    def run(self, text: str, job: str = "shop_sync", **options: Any) -> str:
        """Import a file and return the run's id."""
        self.project.deliver("/inbox/customers_1.csv", text)
        return self.project.run(job, self.instance, **options).run_id

    def tick(self, *, after: float = 0.0) -> dg.SensorResult:
        """Let the sensor look, so many seconds after its last look; its cursor is kept."""
        self.later += after
        real = mail_sensor.time.time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mail_sensor, "time", _Clock(real + self.later))
            context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
            told = self.project.load().resolve_sensor_def("mail").evaluate_tick(context)
        self.cursor = told.cursor
        return told

    def state(self, run_id: str) -> str | None:
        """Return what a run's tag says of its mail."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.tags.get(MAILED)

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived."""
        return self.server.mails


@dataclass(frozen=True)
class _Clock:
    now: float

    def time(self) -> float:
        return self.now


@pytest.fixture
def office(
    project: Project, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    """A project with a mail server that is up."""
    with SmtpSandbox(tmp_path / "mail") as server:
        settings = {"HOST": server.host, "PORT": str(server.port), "TLS": "none", "SENDER": "cdp@example.net"}
        for name, value in settings.items():
            monkeypatch.setenv(f"CDP_SYNC_SMTP_{name}", value)
        monkeypatch.setenv("CDP_SYNC_UI_URL", UI)
        yield Office(project, instance, server, monkeypatch)


def said(mail: EmailMessage) -> str:
    """Return the text of a mail."""
    return str(mail.get_content()).replace("\r\n", "\n")


def everything(mail: EmailMessage) -> str:
    """Return header and text of a mail."""
    return f"{mail.items()}\n{said(mail)}"


def test_a_failed_run_is_mailed_about(office: Office) -> None:
    """The mail names connection, goal, error and run, and shows nobody's data."""
    office.connect("shop", STRICT, goal("orders"), title="Web shop")
    run_id = office.run(RAGGED)
    office.tick()
    (mail,) = office.mails
    assert (mail["Subject"], mail["To"]) == ("[cdp_sync] shop failed: customers", TEAM)
    told = said(mail)
    assert "Web shop (shop): the run failed." in told
    assert "customers failed\n  /inbox/customers_1.csv failed: " in told
    assert "orders succeeded\n  Nothing new to import." in told
    assert f"https://dagster.example.net/ui/runs/{run_id}\n" in told
    assert office.state(run_id) == "sent"


def test_no_mail_holds_what_a_file_holds(office: Office) -> None:
    """Neither addresses nor names of a file's people are in a mail, whatever went wrong with them."""
    office.connect("shop", goal(), on="every_run")
    without_header = GOOD.splitlines()[1]
    for text in (GOOD, RAGGED, GOOD.replace("1.5", "none"), f'{GOOD}"{PERSON}', without_header):
        office.run(text)
    office.tick()
    assert len(office.mails) == 5
    told = "\n".join(everything(mail) for mail in office.mails)
    assert [value for value in (PERSON, "uetzalcoatl", "surplus") if value in told] == []


def test_a_run_is_mailed_about_once(office: Office) -> None:
    """Neither a second look nor a lost cursor sends a mail again."""
    office.connect()
    office.run(RAGGED)
    office.tick()
    office.tick()
    office.cursor = None
    office.tick()
    office.cursor = "no cursor of ours"
    office.tick()
    assert len(office.mails) == 1


def test_a_run_that_succeeded_is_mailed_about_where_every_run_is(office: Office) -> None:
    """`on: every_run` mails about success, `on: failure` does not."""
    office.connect("shop", on="every_run")
    office.connect("quiet")
    office.run(GOOD)
    office.run(GOOD, "quiet_sync")
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop succeeded"
    assert "customers succeeded\n  1 file, 1 row: 1 applied; 1 profiles created, 0 updated." in said(mail)


def test_the_key_on_may_stand_without_quotes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """As written in a file it is no string to YAML; Dagster takes it as well, also where it is strict."""
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
    """Nobody wants mail: nothing looks for something to mail about."""
    project.connect("shop", goal())
    assert [sensor.name for sensor in project.load().sensors or ()] == []


def test_the_sensor_runs_unless_switched_off(office: Office) -> None:
    """Declaring notifications is enough; nobody has to switch the sensor on."""
    office.connect()
    sensor = office.project.load().resolve_sensor_def("mail")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_run_that_never_started_is_mailed_about(office: Office) -> None:
    """A launch that failed is told, with what Dagster says of it."""
    office.connect()
    job = office.project.load().resolve_job_def("shop_sync")
    run = office.instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.NOT_STARTED)
    office.instance.report_run_failed(run, "Run timed out due to taking longer than 180 seconds to start.")
    office.tick()
    (mail,) = office.mails
    assert mail["Subject"] == "[cdp_sync] shop did not start"
    assert "longer than 180 seconds to start." in said(mail)
    assert "customers was not run" in said(mail)


def test_a_launch_that_failed_tells_the_error(office: Office) -> None:
    """Where Dagster's last word says nothing, the error in front of it does."""
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
    """What run monitoring marks as failed is told, with its words; goals that were under way are named."""
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


def test_an_unexpected_error_is_told_by_its_type(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an error that nobody foresaw says may be personal data: the mail tells its type and the step."""
    from cdp_sync.orchestration.steps import ImportSteps

    def burst(*_arguments: object) -> None:
        raise ZeroDivisionError(PERSON)

    monkeypatch.setattr(ImportSteps, "parse", burst)
    office.connect()
    office.run(GOOD)
    office.tick()
    (mail,) = office.mails
    assert "An unexpected error in parse_files (ZeroDivisionError)" in said(mail)
    assert PERSON not in everything(mail)


def test_a_run_of_assets_is_told_by_their_connection(office: Office) -> None:
    """What the UI's "Materialize" starts bears no tag of the job: the assets say whose run it is."""
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


def test_runs_of_others_are_left_alone(office: Office) -> None:
    """A run that belongs to no connection with notifications is not mailed about, and not marked."""
    office.connect()
    office.project.connect("silent", STRICT)
    run_id = office.run(RAGGED, "silent_sync")
    office.tick()
    assert office.mails == []
    assert office.state(run_id) is None


def test_old_history_is_no_news(office: Office) -> None:
    """The first look ever goes back an hour."""
    office.connect()
    run_id = office.run(RAGGED)
    office.tick(after=2 * HOUR)
    assert office.mails == []
    assert office.state(run_id) is None


def test_runs_that_ended_while_nobody_looked_are_mailed_about(office: Office) -> None:
    """After a night without a daemon the next look tells what happened."""
    office.connect()
    office.tick()
    office.run(RAGGED)
    office.tick(after=12 * HOUR)
    assert len(office.mails) == 1


def test_a_tag_on_an_old_run_makes_no_news_of_it(office: Office) -> None:
    """What counts is when a run ended, not when somebody wrote to it."""
    office.connect()
    run_id = office.run(RAGGED)
    office.tick(after=2 * HOUR)
    office.instance.add_run_tags(run_id, {"note": "looked at"})
    office.tick()
    assert office.mails == []


def test_a_server_that_is_down_loses_no_mail(office: Office) -> None:
    """The mails wait, with growing pauses, and are sent when the server is back; the runs and the sensor are fine."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    first, second = office.run(RAGGED), office.run(RAGGED)
    told = office.tick()
    assert "cannot be reached" in str(told.skip_message)
    assert {office.state(first), office.state(second)} == {"waiting"}
    office.tick(after=2 * MINUTE)
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=MINUTE)
    assert office.mails == []  # the second pause is two minutes long
    office.tick(after=2 * MINUTE)
    assert len(office.mails) == 2
    assert {office.state(first), office.state(second)} == {"sent"}


def test_a_waiting_mail_outlives_a_lost_cursor(office: Office) -> None:
    """What waits is marked on the run, so it is found again however long ago the run ended."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    office.run(RAGGED)
    office.tick()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.cursor = None
    office.tick(after=5 * HOUR)
    assert len(office.mails) == 1


def test_a_mail_is_given_up_after_a_day(office: Office) -> None:
    """A server that is away for longer than a day gets no mails of before."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    run_id = office.run(RAGGED)
    office.tick()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=25 * HOUR)
    assert (office.mails, office.state(run_id)) == ([], "given up")


def test_an_answer_that_is_lost_is_not_asked_for_again(office: Office) -> None:
    """The server has the mail and hangs up without a word: the mail may have arrived, so it is not sent again."""
    office.connect()
    run_id = office.run(RAGGED)
    with Scene(GREETING, HELLO, YES, YES, GO_ON) as scene:
        office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(scene.port))
        office.tick()
        assert b"customers failed" in scene.heard
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=HOUR)
    assert (office.mails, office.state(run_id)) == ([], "unconfirmed")


def test_a_refused_mail_keeps_no_other_from_being_sent(office: Office) -> None:
    """The server will not have the first mail, ever, nor the second, for now; the third it takes."""
    for name in ("refused", "later", "shop"):
        office.connect(name)
    office.tick()
    runs = [office.run(RAGGED, f"{name}_sync") for name in ("refused", "later", "shop")]
    answers = iter(["550 5.1.1 nobody of that name", "450 4.2.1 not now", "250 2.1.5 yes"])

    async def handle_rcpt(_server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return next(answers)

    office.monkeypatch.setattr(office.server, "handle_RCPT", handle_rcpt, raising=False)
    office.tick()
    assert [office.state(run_id) for run_id in runs] == ["refused", "waiting", "sent"]
    assert [mail["Subject"] for mail in office.mails] == ["[cdp_sync] shop failed: customers"]


def test_a_broken_mail_keeps_no_other_from_being_sent(office: Office) -> None:
    """An error in writing one mail is logged; the others go, and it is tried again later."""
    for name in ("broken", "shop"):
        office.connect(name)
    runs = [office.run(RAGGED, f"{name}_sync") for name in ("broken", "shop")]

    def news(instance: Any, record: Any, connections: Any, base_url: str) -> RunNews:
        if "broken" in connections:
            raise ZeroDivisionError
        return news_of(instance, record, connections, base_url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_round, "news_of", news)
        office.tick()
    assert [office.state(run_id) for run_id in runs] == ["waiting", "sent"]
    office.tick(after=2 * MINUTE)
    assert [office.state(run_id) for run_id in runs] == ["sent", "sent"]


@pytest.mark.parametrize("missing", ["HOST", "SENDER"])
def test_a_missing_setting_is_one_message_and_the_mail_waits(office: Office, missing: str) -> None:
    """The sensor does not crash: it says which variable is missing, and sends when it is there."""
    office.connect()
    office.monkeypatch.delenv(f"CDP_SYNC_SMTP_{missing}")
    run_id = office.run(RAGGED)
    told = office.tick()
    assert f"CDP_SYNC_SMTP_{missing} is not set" in str(told.skip_message)
    assert office.state(run_id) == "waiting"
    office.monkeypatch.setenv(f"CDP_SYNC_SMTP_{missing}", {"HOST": "127.0.0.1"}.get(missing, "cdp@example.net"))
    office.tick(after=2 * MINUTE)
    assert len(office.mails) == 1


def test_a_mail_that_was_being_sent_when_all_crashed_is_not_sent_again(office: Office) -> None:
    """The mark in front of sending is what a crash leaves: once at most, if need be never."""
    office.connect()
    run_id = office.run(RAGGED)
    office.instance.add_run_tags(run_id, {MAILED: "sending"})
    office.tick()
    assert office.mails == []


def test_a_stopped_run_is_mailed_about_where_every_run_is(office: Office) -> None:
    """Somebody stopped it: no failure, but a run."""
    office.connect("shop", on="every_run")
    office.connect("quiet")
    for name in ("shop", "quiet"):
        run = create_run_for_test(office.instance, job_name=f"{name}_sync", tags={"connection": name})
        office.instance.report_run_canceled(run)
    office.tick()
    assert [mail["Subject"] for mail in office.mails] == ["[cdp_sync] shop was stopped"]


def test_a_run_of_the_command_line_is_mailed_about(office: Office) -> None:
    """`cdp-sync run` writes to the same history; the daemon's sensor finds it there."""
    from cdp_sync.orchestration.launching import launch, open_instance
    from cdp_sync.orchestration.progress import watcher

    office.connect()
    office.project.deliver("/inbox/customers_1.csv", RAGGED)
    launch(office.project.load(), "shop", None, watcher())
    with open_instance() as instance:
        replace(office, instance=instance).tick()
    (mail,) = office.mails
    assert "Reason: by hand" in said(mail)
