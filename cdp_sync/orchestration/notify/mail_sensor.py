"""The sensor `mail`: one for all connections of the project. It mails about each run that ended, at least once.

A plain sensor, not one of run failures: that takes five runs a tick, and loses a run whose turn ends in an error. A run
bears its mail's state as a tag, written after the server took the mail; a crash in between sends the mail again, with
the same Message-ID.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.connectors.smtp import Mail, SmtpServer, send
from cdp_sync.errors import CdpSyncError, MailPutOff, MailRefused
from cdp_sync.model import Connection, Declared, Notifications
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.notify.mail_text import subject_of, text_of
from cdp_sync.orchestration.notify.run_outcome import outcome_of, planned_goals
from cdp_sync.orchestration.runs.run_tags import CONNECTION, MAILED
from cdp_sync.retrying import Backoff, Pauses

_KEY = "cdp_sync/notified/"
_FIRST_LOOK_BACK = 3600.0
"""Seconds before a first tick whose runs are mailed about."""
_OVERLAP = 600.0
"""Seconds that the ticks' spans overlap: an event may be written later than its time."""
_PAUSES = Pauses(60.0, 2.0, 900.0)
_GIVEN_UP_AFTER = 24 * 3600.0
_LONGEST_TICK = 15.0
"""Seconds after which a tick begins no further mail: Dagster cuts it off after 60, and a mail may take 40."""
_WAITING = "waiting"
_STATUSES = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED]


class Notified(Declared):
    """The notifications of a connection, who gets its imports' reports, and its label."""

    label: str
    notifications: Notifications | None = None
    report_emails: tuple[str, ...] = ()
    """They get mail about the runs in which an import read or refused a file."""

    @property
    def about_every_run(self) -> bool:
        """Whether runs that did not fail are of interest as well."""
        return bool(self.report_emails) or (self.notifications is not None and self.notifications.on == "every_run")

    def recipients(self, *, failed: bool, reported: bool) -> tuple[str, ...]:
        """Return who gets mail about a run, given whether it failed and whether an import in it has a report."""
        wanted = self.notifications is not None and self.notifications.wanted(failed=failed)
        emails = self.notifications.emails if self.notifications and wanted else ()
        return (*emails, *(self.report_emails if reported else ()))


def notified_metadata(connection: Connection) -> dict[str, Any]:
    """Return the metadata of a connection's definitions about mail; the sensor of the whole project is made of it."""
    notified = Notified(
        label=connection.label, notifications=connection.notifications, report_emails=connection.report_emails
    )
    if not (notified.notifications or notified.report_emails):
        return {}
    return {f"{_KEY}{connection.name}": dg.MetadataValue.json(notified.model_dump(mode="json"))}


def build_mail(parts: Iterable[dg.Definitions]) -> dg.Definitions:
    """Return the sensor that mails about the runs of all connections in these definitions that ask for it."""
    metadata = {key: value for part in parts for key, value in part.metadata.items() if key.startswith(_KEY)}
    notified = {key.removeprefix(_KEY): Notified.model_validate(value.value) for key, value in metadata.items()}
    if not notified:
        return dg.Definitions()

    @dg.sensor(
        name="mail",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Mails about runs that ended, once each, of: {', '.join(notified)}.",
    )
    def mail(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _Tick(context, notified).run()

    return dg.Definitions(sensors=[mail])


class _Tick:
    def __init__(self, context: dg.SensorEvaluationContext, notified: Mapping[str, Notified]) -> None:
        self.context, self.instance, self.notified, self.now = context, context.instance, notified, time.time()
        # Where there is no cursor of ours, waiting mails are found by their tags.
        self.looked_at, self.waited = self.now - _FIRST_LOOK_BACK + _OVERLAP, {}
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            found = json.loads(context.cursor or "")
            waited = {run: Backoff(*each.values()) for run, each in found["pauses"].items()}
            self.looked_at, self.waited = float(found["looked_at"]), waited
        self.waiting: dict[str, Backoff] = {}
        self.sent, self.problem, self.reachable = 0, "", True

    def run(self) -> dg.SensorResult:
        """Send the mails that are due, in the order in which the runs ended."""
        last_start = time.monotonic() + _LONGEST_TICK
        for record in self._candidates():
            run_id = record.dagster_run.run_id
            backoff = self.waited.get(run_id, Backoff())
            if self.now - _ended(record) > _GIVEN_UP_AFTER:
                state = "given up"
                self.context.log.warning(f"The mail about run {run_id} is given up: the run ended more than a day ago.")
            elif backoff.not_before > self.now or (self.reachable and time.monotonic() >= last_start):
                state, self.waiting[run_id] = _WAITING, backoff
            else:
                state = self._deliver(record) if self.reachable else _WAITING
                if state == _WAITING:
                    self.waiting[run_id] = backoff.failed(self.now, _PAUSES)
            if record.dagster_run.tags.get(MAILED) != state:
                self.instance.add_run_tags(run_id, {MAILED: state})
        waiting = f"To be sent later: {len(self.waiting)}." if self.waiting else ""
        summary = " ".join(filter(None, (f"Mails sent: {self.sent}.", waiting, self.problem)))
        pauses = {run_id: vars(backoff) for run_id, backoff in self.waiting.items()}
        return dg.SensorResult(skip_reason=summary, cursor=json.dumps({"looked_at": self.now, "pauses": pauses}))

    def _candidates(self) -> list[dg.RunRecord]:
        """Return the runs that ended since the last tick, and those whose mail waits; a lost cursor loses neither."""
        failures_only = not any(each.about_every_run for each in self.notified.values())
        statuses = [dg.DagsterRunStatus.FAILURE] if failures_only else _STATUSES
        since = datetime.fromtimestamp(self.looked_at - _OVERLAP, UTC)
        recent = self.instance.get_run_records(dg.RunsFilter(statuses=statuses, updated_after=since))
        waiting = self.instance.get_run_records(dg.RunsFilter(statuses=statuses, tags={MAILED: _WAITING}))
        # A tag renews the time of a run's last change, but not that of its end.
        fresh = [one for one in recent if not one.dagster_run.tags.get(MAILED) and _ended(one) >= since.timestamp()]
        return sorted(
            (one for one in (*fresh, *waiting) if self._recipients(one.dagster_run, reported=True)), key=_ended
        )

    def _connections(self, run: dg.DagsterRun) -> dict[str, Notified]:
        """Return the notified connections that a run belongs to: by its tag or, where it has none, by its assets."""
        tagged = run.tags.get(CONNECTION)
        named = [tagged] if tagged else [key.path[0] for key in planned_goals(self.instance, run)]
        return {name: self.notified[name] for name in named if name in self.notified}

    def _recipients(self, run: dg.DagsterRun, *, reported: bool) -> list[str]:
        failed = run.status == dg.DagsterRunStatus.FAILURE
        wanting = (each.recipients(failed=failed, reported=reported) for each in self._connections(run).values())
        return list(dict.fromkeys(email for emails in wanting for email in emails))

    def _deliver(self, record: dg.RunRecord) -> str:
        run, log = record.dagster_run, self.context.log
        try:
            labels = {name: each.label for name, each in self._connections(run).items()}
            base_url = os.environ.get("CDP_SYNC_UI_URL") or "http://localhost:3000"
            outcome = outcome_of(self.instance, record, labels, base_url)
            recipients = self._recipients(run, reported=any(goal.report for goal in outcome.goals))
            if not recipients:
                return "not needed"  # it imported nothing that there is a report about
            mail = Mail(subject_of(outcome), text_of(outcome), recipients, run.run_id)
            refused = send(SmtpServer.from_environment(os.environ), mail)
        except MailRefused as error:
            log.warning(f"The mail about run {run.run_id} is not sent again. {error}")
            return "refused"
        except CdpSyncError as error:
            self.problem, self.reachable = str(error), isinstance(error, MailPutOff)
            log.warning(f"The mail about run {run.run_id} is tried again later. {error}")
            return _WAITING
        except Exception:
            log.exception(f"The mail about run {run.run_id} cannot be written.")
            return _WAITING
        self.sent += 1
        if refused:
            of = counted(len(mail.recipients), "address", "addresses")
            log.warning(f"The mail server refused {refused} of {of}.")
        return "sent"


def _ended(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()
