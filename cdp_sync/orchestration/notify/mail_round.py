"""One round of the mail sensor: runs that ended are looked at, and mailed about at most once.

A run bears its mail's state as a tag. It is marked before the mail is handed over, so that neither a crash nor a lost
cursor sends it twice; the mark is taken back where the server has certainly not taken the mail.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import Logger

import dagster as dg

from cdp_sync.connectors.smtp.client import Mail, send
from cdp_sync.connectors.smtp.server import SmtpServer
from cdp_sync.errors import CdpSyncError, MailPutOff, MailRefused, MailUnconfirmed
from cdp_sync.model import Notifications
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.notify.mail_cursor import Cursor, Pause
from cdp_sync.orchestration.notify.mail_news import news_of, planned_goals
from cdp_sync.orchestration.notify.mail_text import subject_of, text_of
from cdp_sync.orchestration.runs.run_tags import MAILED

_WAITING = "waiting"
_UI_URL = "CDP_SYNC_UI_URL"
_DEFAULT_UI_URL = "http://localhost:3000"
_GIVEN_UP_AFTER = 24 * 3600.0
_LONGEST_ROUND = 15.0
"""Seconds after which a round begins no further mail: Dagster cuts it off after 60, and a mail may take 40."""

_STATUSES = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Notified:
    """A connection whose runs are mailed about."""

    label: str
    notifications: Notifications


@dataclass
class Round:
    """One round.

    Args:
        instance: Whose runs.
        notified: The connections whose runs are mailed about, by name.
        log: The sensor's log.
        cursor: What the last round remembered.
        now: The time.
    """

    instance: dg.DagsterInstance
    notified: Mapping[str, Notified]
    log: Logger
    cursor: Cursor
    now: float
    sent: int = 0
    pauses: dict[str, Pause] = field(default_factory=dict)
    """Of the mails that wait after this round."""
    trouble: str = ""
    """What keeps mails from being sent."""

    def go(self) -> Cursor:
        """Send what is due; return what the next round is to remember."""
        began = time.monotonic()
        due = list(self._due())
        up = True
        while due and up and time.monotonic() - began < _LONGEST_ROUND:
            up = self._deliver(due.pop(0))
        for record in due:
            self._wait(record, tried=not up)
        return Cursor(self.now, self.pauses)

    @property
    def told(self) -> str:
        """Return what was done, in a sentence or two."""
        waiting = f"To be sent later: {len(self.pauses)}." if self.pauses else ""
        return " ".join(part for part in (f"Mails sent: {self.sent}.", waiting, self.trouble) if part)

    def _due(self) -> Iterator[dg.RunRecord]:
        """Yield the runs to mail about now, in the order in which they ended; what waits otherwise keeps its pause."""
        for record in self._candidates():
            run_id = record.dagster_run.run_id
            pause = self.cursor.pause(run_id)
            if self.now - _ended(record) > _GIVEN_UP_AFTER:
                self._give_up(record)
            elif pause.until > self.now:
                self.pauses[run_id] = pause
            else:
                yield record

    def _candidates(self) -> list[dg.RunRecord]:
        since = datetime.fromtimestamp(self.cursor.since, UTC)
        recent = self.instance.get_run_records(dg.RunsFilter(statuses=self._statuses, updated_after=since))
        # A tag renews the time of a run's last change, but not that of its end.
        fresh = [r for r in recent if not r.dagster_run.tags.get(MAILED) and _ended(r) >= self.cursor.since]
        waiting = self.instance.get_run_records(dg.RunsFilter(statuses=self._statuses, tags={MAILED: _WAITING}))
        return sorted((r for r in (*fresh, *waiting) if self._recipients(r.dagster_run)), key=_ended)

    @property
    def _statuses(self) -> list[dg.DagsterRunStatus]:
        """How the runs ended that somebody wants mail about."""
        failures_only = all(each.notifications.on == "failure" for each in self.notified.values())
        return [dg.DagsterRunStatus.FAILURE] if failures_only else _STATUSES

    def _connections(self, run: dg.DagsterRun) -> list[str]:
        """Return the notified connections that a run belongs to: by its tag or, where it has none, by its assets."""
        tagged = run.tags.get("connection")
        named = [tagged] if tagged else [key.path[0] for key in planned_goals(self.instance, run)]
        return [name for name in dict.fromkeys(named) if name in self.notified]

    def _recipients(self, run: dg.DagsterRun) -> Sequence[str]:
        failed = run.status == dg.DagsterRunStatus.FAILURE
        declared = [self.notified[name].notifications for name in self._connections(run)]
        return list(dict.fromkeys(email for each in declared if each.wanted(failed=failed) for email in each.emails))

    def _deliver(self, record: dg.RunRecord) -> bool:
        """Mail about a run; return whether the server can be expected to take further mails."""
        try:
            self._send(SmtpServer.from_environment(os.environ), self._mail(record), record)
        except (MailRefused, MailUnconfirmed) as error:
            self._mark(record, "refused" if isinstance(error, MailRefused) else "unconfirmed")
            self.log.warning(f"The mail about run {record.dagster_run.run_id} is not sent again. {error}")
        except CdpSyncError as error:
            self._wait(record, tried=True)
            self.trouble = str(error)
            self.log.warning(f"The mail about run {record.dagster_run.run_id} is tried again later. {error}")
            return isinstance(error, MailPutOff)
        except Exception:
            self._wait(record, tried=True)
            self.log.exception(f"The mail about run {record.dagster_run.run_id} cannot be written.")
        return True

    def _send(self, server: SmtpServer, mail: Mail, record: dg.RunRecord) -> None:
        current = self.instance.get_run_by_id(record.dagster_run.run_id)
        if current is None or (current.tags.get(MAILED) or _WAITING) != _WAITING:
            return  # another round was quicker
        self._mark(record, "sending")
        try:
            refused = send(server, mail)
        except CdpSyncError:
            raise
        except Exception as error:
            raise MailUnconfirmed(f"An unexpected error while it was sent: {type(error).__name__}.") from error
        self._mark(record, "sent")
        self.sent += 1
        if refused:
            self.log.warning(
                f"The mail server refused {refused} of {counted(len(mail.recipients), 'address', 'addresses')}."
            )

    def _mail(self, record: dg.RunRecord) -> Mail:
        run = record.dagster_run
        labels = {name: self.notified[name].label for name in self._connections(run)}
        news = news_of(self.instance, record, labels, os.environ.get(_UI_URL) or _DEFAULT_UI_URL)
        return Mail(subject_of(news), text_of(news), self._recipients(run), run.run_id)

    def _wait(self, record: dg.RunRecord, *, tried: bool) -> None:
        run_id = record.dagster_run.run_id
        pause = self.cursor.pause(run_id)
        self.pauses[run_id] = pause.longer(self.now) if tried else pause
        self._mark(record, _WAITING)

    def _give_up(self, record: dg.RunRecord) -> None:
        self._mark(record, "given up")
        self.log.warning(f"The mail about run {record.dagster_run.run_id} is given up: it ended more than a day ago.")

    def _mark(self, record: dg.RunRecord, state: str) -> None:
        self.instance.add_run_tags(record.dagster_run.run_id, {MAILED: state})


def _ended(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()
