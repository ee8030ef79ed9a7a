"""The sensor `mail`: one for all connections of the project.

A plain sensor, not one of run failures: that takes five runs a tick, and loses a run whose turn ends in an error.
"""

import time
from collections.abc import Iterable
from typing import Any

import dagster as dg

from cdp_sync.model import Connection, Notifications
from cdp_sync.orchestration.notify.mail_cursor import Cursor
from cdp_sync.orchestration.notify.mail_round import Notified, Round

_KEY = "cdp_sync/notified/"
_EVERY_SECONDS = 30


def notified_metadata(connection: Connection) -> dict[str, Any]:
    """Return what a connection's definitions say of mail; the sensor of the whole project is made of it."""
    if connection.notifications is None:
        return {}
    declared = {"label": connection.label, "notifications": connection.notifications.model_dump(mode="json")}
    return {f"{_KEY}{connection.name}": dg.MetadataValue.json(declared)}


def build_mail(parts: Iterable[dg.Definitions]) -> dg.Definitions:
    """Return the sensor that mails about the runs of all connections in these definitions that ask for it."""
    notified = {
        key.removeprefix(_KEY): _notified(value.value)
        for part in parts
        for key, value in part.metadata.items()
        if key.startswith(_KEY)
    }
    return dg.Definitions(sensors=[_sensor(notified)] if notified else [])


def _notified(declared: Any) -> Notified:  # noqa: ANN401 - JSON
    return Notified(declared["label"], Notifications.model_validate(declared["notifications"]))


def _sensor(notified: dict[str, Notified]) -> dg.SensorDefinition:
    @dg.sensor(
        name="mail",
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Mails about runs that ended, at most once each, of: {', '.join(notified)}.",
    )
    def mail(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = time.time()
        this = Round(context.instance, notified, context.log, Cursor.read(context.cursor, now), now)
        cursor = this.go()
        return dg.SensorResult(skip_reason=this.told, cursor=cursor.write())

    return mail
