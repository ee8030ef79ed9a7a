"""A project whose runs are reported by mail to a real mail server on loopback."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.notify import mail_sensor
from cdp_sync.orchestration.runs.run_tags import MAILED
from cdp_sync.sandbox.smtp import SmtpSandbox
from cdp_sync_tests.projects import Project, goal

TEAM = "data-team@example.net"
PERSON = "quetzalcoatl.unlikely@example.com"
GOOD = f"Email,FirstName,Total\n{PERSON},Quetzalcoatl,1.5\n"
RAGGED = f"Email,FirstName,Total\n{PERSON},Quetzalcoatl,1.5,surplus\n"
STRICT = goal(max_rejected_percent=0)
UI = "https://dagster.example.net/ui/"
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class MailProject:
    """A project, its instance, a mail server, and the clock of the mail sensor."""

    project: Project
    instance: dg.DagsterInstance
    server: SmtpSandbox
    monkeypatch: pytest.MonkeyPatch
    cursor: str | None = None
    later: float = 0.0

    def connect(self, name: str = "shop", *goals: Mapping[str, Any], on: str = "failure", **attributes: object) -> None:
        """Declare a connection with notifications."""
        notified = {"emails": [TEAM], "on": on}
        self.project.connect(name, *(goals or (STRICT,)), **{"notifications": notified} | attributes)

    def run(self, text: str, job: str = "shop_sync", **options: Any) -> str:
        """Import a file and return the run's id."""
        self.project.deliver("/inbox/customers_1.csv", text)
        return self.project.run(job, self.instance, **options).run_id

    def tick(self, *, after: float = 0.0) -> dg.SensorResult:
        """Evaluate the sensor, so many seconds after its last evaluation; keep its cursor."""
        self.later += after
        real = mail_sensor.time.time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mail_sensor, "time", _Clock(real + self.later))
            context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
            result = self.project.load().resolve_sensor_def("mail").evaluate_tick(context)
        self.cursor = result.cursor
        return result

    def state(self, run_id: str) -> str | None:
        """Return the run's tag about its mail."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.tags.get(MAILED)

    @property
    def mails(self) -> list[EmailMessage]:
        """The received mails."""
        return self.server.mails


@dataclass(frozen=True)
class _Clock:
    now: float

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def mail_project(
    project: Project, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailProject]:
    """A project with a mail server that is up."""
    with SmtpSandbox(tmp_path / "mail") as server:
        settings = {"HOST": server.host, "PORT": str(server.port), "TLS": "none", "SENDER": "cdp@example.net"}
        for name, value in settings.items():
            monkeypatch.setenv(f"CDP_SYNC_SMTP_{name}", value)
        monkeypatch.setenv("CDP_SYNC_UI_URL", UI)
        yield MailProject(project, instance, server, monkeypatch)


def text_of(mail: EmailMessage) -> str:
    """Return the text of a mail."""
    return str(mail.get_content()).replace("\r\n", "\n")


def header_and_text(mail: EmailMessage) -> str:
    """Return header and text of a mail."""
    return f"{mail.items()}\n{text_of(mail)}"
