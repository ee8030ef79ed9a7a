"""Runs that wait to start: while one does, its connection needs no other, for it will find all that there is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_GIVEN_UP_AFTER = timedelta(minutes=10)
"""A run that is not even queued so long after it was made was left behind by a crash, and waits for nothing."""


def waiting_runs(instance: dg.DagsterInstance, connection: str) -> Iterator[dg.DagsterRun]:
    """Yield the runs of a connection that have not started yet."""
    asked = dg.RunsFilter(tags={"connection": connection}, statuses=_WAITING)
    for record in instance.get_run_records(asked):
        run, made = record.dagster_run, record.create_timestamp
        if run.status != dg.DagsterRunStatus.NOT_STARTED or made + _GIVEN_UP_AFTER > datetime.now(UTC):
            yield run
