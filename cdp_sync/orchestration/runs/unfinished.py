"""Runs of a connection that have not ended: one that waits to start finds all that there is, so no other is needed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from cdp_sync.errors import Terminal

WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
"""States of a run that has not started."""
UNFINISHED = [*WAITING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""States of a run that has not ended: it may import what arrives now."""
_GIVEN_UP_AFTER = timedelta(minutes=10)
"""A run that is older and not even queued was left by a crash and never starts."""


def runs_in(
    instance: dg.DagsterInstance, connection: str, statuses: list[dg.DagsterRunStatus]
) -> Iterator[dg.DagsterRun]:
    """Yield the runs of a connection that are in one of these states, but for those that never start."""
    for record in instance.get_run_records(dg.RunsFilter(tags={"connection": connection}, statuses=statuses)):
        run, made = record.dagster_run, record.create_timestamp
        if run.status != dg.DagsterRunStatus.NOT_STARTED or made + _GIVEN_UP_AFTER > datetime.now(UTC):
            yield run


def refuse_second_run(instance: dg.DagsterInstance, connection: str) -> None:
    """Make sure that no run of a connection is under way.

    Raises:
        Terminal: One is.
    """
    started = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    if running := next(runs_in(instance, connection, started), None):
        raise Terminal(
            f"Run {running.run_id} of connection {connection} is under way.",
            needed="One run of a connection at a time is allowed.",
            remedy="Wait until it is done, or end it in the UI.",
        )
