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
from cdp_sync_tests.orchestration.office import HOUR, MINUTE, RAGGED, Office


def test_a_server_that_is_down_loses_no_mail(office: Office) -> None:
    """While the server is down, mails wait with backoff; runs and sensor are unaffected."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    first, second = office.run(RAGGED), office.run(RAGGED)
    result = office.tick()
    assert "cannot be reached" in str(result.skip_message)
    assert {office.state(first), office.state(second)} == {"waiting"}
    office.tick(after=2 * MINUTE)
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=MINUTE)
    assert office.mails == []  # the second pause is two minutes long
    office.tick(after=2 * MINUTE)
    assert len(office.mails) == 2
    assert {office.state(first), office.state(second)} == {"sent"}


def test_a_waiting_mail_survives_a_lost_cursor(office: Office) -> None:
    """A waiting mail is marked on its run, and is found again without the cursor, for a run of any age."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    office.run(RAGGED)
    office.tick()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.cursor = None
    office.tick(after=5 * HOUR)
    assert len(office.mails) == 1


def test_a_mail_is_given_up_after_a_day(office: Office) -> None:
    """A mail that cannot be delivered within a day is given up."""
    office.connect()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", "1")
    run_id = office.run(RAGGED)
    office.tick()
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=25 * HOUR)
    assert (office.mails, office.state(run_id)) == ([], "given up")


def test_a_mail_whose_answer_is_lost_is_sent_again(office: Office) -> None:
    """When the server's answer is lost the mail is sent again: delivery is at least once."""
    office.connect()
    run_id = office.run(RAGGED)
    with ScriptedMailServer(GREETING, HELLO, YES, YES, GO_ON) as mail_server:
        office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(mail_server.port))
        office.tick()
        assert b"customers failed" in mail_server.received
    office.monkeypatch.setenv("CDP_SYNC_SMTP_PORT", str(office.server.port))
    office.tick(after=HOUR)
    (mail,) = office.mails
    assert office.state(run_id) == "sent"
    assert mail["Message-ID"].encode() in mail_server.received  # so that a reader's program can recognize the copy


def test_a_refused_mail_does_not_stop_others(office: Office) -> None:
    """A mail that is refused, for good or for now, does not stop the next."""
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


def test_an_error_in_one_mail_does_not_stop_others(office: Office) -> None:
    """An error in composing one mail is logged and retried later; the others are sent."""
    for name in ("broken", "shop"):
        office.connect(name)
    runs = [office.run(RAGGED, f"{name}_sync") for name in ("broken", "shop")]

    def outcome(instance: Any, record: Any, connections: Any, base_url: str) -> RunOutcome:
        if "broken" in connections:
            raise ZeroDivisionError
        return outcome_of(instance, record, connections, base_url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_sensor, "outcome_of", outcome)
        office.tick()
    assert [office.state(run_id) for run_id in runs] == ["waiting", "sent"]
    office.tick(after=2 * MINUTE)
    assert [office.state(run_id) for run_id in runs] == ["sent", "sent"]


@pytest.mark.parametrize("missing", ["HOST", "SENDER"])
def test_a_missing_setting_is_one_message_and_the_mail_waits(office: Office, missing: str) -> None:
    """A missing variable is named by the sensor, and the mail waits."""
    office.connect()
    office.monkeypatch.delenv(f"CDP_SYNC_SMTP_{missing}")
    run_id = office.run(RAGGED)
    result = office.tick()
    assert f"CDP_SYNC_SMTP_{missing} is not set" in str(result.skip_message)
    assert office.state(run_id) == "waiting"
    office.monkeypatch.setenv(f"CDP_SYNC_SMTP_{missing}", {"HOST": "127.0.0.1"}.get(missing, "cdp@example.net"))
    office.tick(after=2 * MINUTE)
    assert len(office.mails) == 1


def test_a_mail_is_sent_again_after_a_crash(office: Office) -> None:
    """After a crash between the server's answer and the run's tag, the mail is sent again."""
    office.connect()
    run_id = office.run(RAGGED)
    office.tick()
    office.cursor = None
    office.instance.add_run_tags(run_id, {MAILED: ""})
    office.tick()
    first, second = office.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert office.state(run_id) == "sent"


def test_a_cursor_of_a_former_version_is_read(office: Office) -> None:
    """A cursor of a former version is read, including the pause of a waiting mail."""
    office.connect()
    run_id = office.run(RAGGED)
    office.instance.add_run_tags(run_id, {MAILED: "waiting"})
    now = time.time()
    office.cursor = json.dumps({"looked_at": now, "pauses": {run_id: {"attempts": 3, "until": now + HOUR}}})
    office.tick()
    assert office.mails == []
    office.tick(after=2 * HOUR)
    assert len(office.mails) == 1
