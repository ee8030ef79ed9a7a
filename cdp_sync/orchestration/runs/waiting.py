"""Runs that wait to start: while one does, its connection needs no other, for it will find all that there is.

And runs that have not ended: what arrives meanwhile may be imported by them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_GIVEN_UP_AFTER = timedelta(minutes=10)
"""A run that is not even queued so long after it was made was left behind by a crash, and waits for nothing."""


def waiting_runs(instance: dg.DagsterInstance, connection: str) -> Iterator[dg.DagsterRun]:
    """Yield the runs of a connection that have not started yet."""
    yield from _runs(instance, connection, _WAITING)


def unfinished_runs(instance: dg.DagsterInstance, connection: str) -> Iterator[dg.DagsterRun]:
    """Yield the runs of a connection that have not ended yet."""
    yield from _runs(instance, connection, [*_WAITING, *_UNDER_WAY])


def _runs(
    instance: dg.DagsterInstance, connection: str, statuses: list[dg.DagsterRunStatus]
) -> Iterator[dg.DagsterRun]:
    asked = dg.RunsFilter(tags={"connection": connection}, statuses=statuses)
    for record in instance.get_run_records(asked):
        run, made = record.dagster_run, record.create_timestamp
        if run.status != dg.DagsterRunStatus.NOT_STARTED or made + _GIVEN_UP_AFTER > datetime.now(UTC):
            yield run
