"""Delivery of mail despite failures: none is lost, and none delays another."""

import json
import time
from typing import Any

import pytest

from cdp_sync.orchestration.notify import mail_sensor
from cdp_sync.orchestration.notify.mail_text import RunOutcome
from cdp_sync.orchestration.notify.run_outcome import outcome_of
from cdp_sync.orchestration.runs.run_tags import MAILED
from cdp_sync_tests.connectors.scripted_mail_server import GO_ON, GREETING, HELLO, YES, ScriptedMailServer
from cdp_sync_tests.orchestration.mail_project import HOUR, MINUTE, RAGGED, MailProject


def test_a_server_that_is_down_loses_no_mail(mail_project: MailProject) -> None:
    """While the server is down, mails wait with backoff; runs and sensor are unaffected."""
    mail_project.connect()
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    first, second = mail_project.run(RAGGED), mail_project.run(RAGGED)
    result = mail_project.tick()
    assert "cannot be reached" in str(result.skip_message)
    assert {mail_project.state(first), mail_project.state(second)} == {"waiting"}
    mail_project.tick(after=2 * MINUTE)
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_project.server.port))
    mail_project.tick(after=MINUTE)
    assert mail_project.mails == []  # the second pause is two minutes long
    mail_project.tick(after=2 * MINUTE)
    assert len(mail_project.mails) == 2
    assert {mail_project.state(first), mail_project.state(second)} == {"sent"}


def test_a_waiting_mail_survives_a_lost_cursor(mail_project: MailProject) -> None:
    """A waiting mail is marked on its run, and is found without the cursor for a run of any age."""
    mail_project.connect()
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    mail_project.run(RAGGED)
    mail_project.tick()
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_project.server.port))
    mail_project.cursor = None
    mail_project.tick(after=5 * HOUR)
    assert len(mail_project.mails) == 1


def test_a_mail_is_given_up_after_a_day(mail_project: MailProject) -> None:
    """A mail that cannot be delivered within a day is given up."""
    mail_project.connect()
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    run_id = mail_project.run(RAGGED)
    mail_project.tick()
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_project.server.port))
    mail_project.tick(after=25 * HOUR)
    assert (mail_project.mails, mail_project.state(run_id)) == ([], "given up")


def test_a_mail_whose_answer_is_lost_is_sent_again(mail_project: MailProject) -> None:
    """When the server's answer is lost the mail is sent again: delivery is at least once."""
    mail_project.connect()
    run_id = mail_project.run(RAGGED)
    with ScriptedMailServer(GREETING, HELLO, YES, YES, GO_ON) as mail_server:
        mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_server.port))
        mail_project.tick()
        assert b"customers failed" in mail_server.received
    mail_project.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_project.server.port))
    mail_project.tick(after=HOUR)
    (mail,) = mail_project.mails
    assert mail_project.state(run_id) == "sent"
    assert mail["Message-ID"].encode() in mail_server.received  # so that a reader's program can recognize the copy


def test_a_refused_mail_does_not_stop_others(mail_project: MailProject) -> None:
    """A mail that is refused, for good or for now, does not stop the next."""
    for name in ("refused", "later", "shop"):
        mail_project.connect(name)
    mail_project.tick()
    runs = [mail_project.run(RAGGED, f"{name}_sync") for name in ("refused", "later", "shop")]
    answers = iter(["550 5.1.1 nobody of that name", "450 4.2.1 not now", "250 2.1.5 yes"])

    async def handle_rcpt(_server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return next(answers)

    mail_project.monkeypatch.setattr(mail_project.server, "handle_RCPT", handle_rcpt, raising=False)
    mail_project.tick()
    assert [mail_project.state(run_id) for run_id in runs] == ["refused", "waiting", "sent"]
    assert [mail["Subject"] for mail in mail_project.mails] == ["[cdp_sync] shop failed: customers"]


def test_an_error_in_one_mail_does_not_stop_others(mail_project: MailProject) -> None:
    """An error in composing one mail is logged and retried later; the others are sent."""
    for name in ("broken", "shop"):
        mail_project.connect(name)
    runs = [mail_project.run(RAGGED, f"{name}_sync") for name in ("broken", "shop")]

    def outcome(instance: Any, record: Any, connections: Any, base_url: str) -> RunOutcome:
        if "broken" in connections:
            raise ZeroDivisionError
        return outcome_of(instance, record, connections, base_url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_sensor, "outcome_of", outcome)
        mail_project.tick()
    assert [mail_project.state(run_id) for run_id in runs] == ["waiting", "sent"]
    mail_project.tick(after=2 * MINUTE)
    assert [mail_project.state(run_id) for run_id in runs] == ["sent", "sent"]


@pytest.mark.parametrize("missing", ["HOST", "SENDER"])
def test_a_missing_setting_is_one_message_and_the_mail_waits(mail_project: MailProject, missing: str) -> None:
    """A missing variable is named by the sensor, and the mail waits."""
    mail_project.connect()
    mail_project.monkeypatch.delenv(f"CDP_SYNC_SMTP_{missing}")
    run_id = mail_project.run(RAGGED)
    result = mail_project.tick()
    assert f"CDP_SYNC_SMTP_{missing} is not set" in str(result.skip_message)
    assert mail_project.state(run_id) == "waiting"
    mail_project.monkeypatch.setenv(f"CDP_SYNC_SMTP_{missing}", {"HOST": "127.0.0.1"}.get(missing, "cdp@example.net"))
    mail_project.tick(after=2 * MINUTE)
    assert len(mail_project.mails) == 1


def test_a_mail_is_sent_again_after_a_crash(mail_project: MailProject) -> None:
    """After a crash between the server's answer and the run's tag, the mail is sent again."""
    mail_project.connect()
    run_id = mail_project.run(RAGGED)
    mail_project.tick()
    mail_project.cursor = None
    mail_project.instance.add_run_tags(run_id, {MAILED: ""})
    mail_project.tick()
    first, second = mail_project.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert mail_project.state(run_id) == "sent"


def test_a_cursor_of_a_former_version_is_read(mail_project: MailProject) -> None:
    """A cursor of a former version is read, including the pause of a waiting mail."""
    mail_project.connect()
    run_id = mail_project.run(RAGGED)
    mail_project.instance.add_run_tags(run_id, {MAILED: "waiting"})
    now = time.time()
    mail_project.cursor = json.dumps({"looked_at": now, "pauses": {run_id: {"attempts": 3, "until": now + HOUR}}})
    mail_project.tick()
    assert mail_project.mails == []
    mail_project.tick(after=2 * HOUR)
    assert len(mail_project.mails) == 1
