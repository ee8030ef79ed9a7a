"""Follows a run that another machine executes, by what Dagster's history says of it."""

import time

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.errors import Terminal
from cdp_sync.orchestration.dagster_internals import dequeuer_beat
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.runs.history import PastRun, past_runs
from cdp_sync.orchestration.runs.progress import Watcher
from cdp_sync.orchestration.runs.run_events import goal_of

_EVERY = 0.5
"""Seconds between two looks: the history does not call."""
_DAEMON_BEATS_WITHIN = 90.0
"""Seconds in which a daemon that takes runs from the queue shows it; it does so every 30."""


def follow(instance: dg.DagsterInstance, run_id: str, connection: str, watcher: Watcher) -> PastRun:
    """Wait until a run has ended, and return what it did; meanwhile `watcher` receives which steps begin.

    Raises:
        Terminal: Ctrl-C was pressed, or no daemon takes runs from the queue. The run stays as it is.
    """
    try:
        _wait(instance, run_id, connection, watcher)
    except KeyboardInterrupt:
        raise Terminal(
            f"Run {run_id} is not followed any more. It goes on.",
            remedy=f"`{call(f'runs --run {run_id[:8]}')}` shows how it goes; the UI can end it.",
        ) from None
    return past_runs(project_warehouse(), connection, 1, run_id=run_id).runs[0]


def _wait(instance: dg.DagsterInstance, run_id: str, connection: str, watcher: Watcher) -> None:
    cursor, begun = None, time.monotonic()
    beat = dequeuer_beat(instance)
    while (run := instance.get_run_by_id(run_id)) and not run.is_finished:
        if run.status == dg.DagsterRunStatus.QUEUED:
            watcher.phase(connection, "waiting in the queue")
            if time.monotonic() - begun > _DAEMON_BEATS_WITHIN and dequeuer_beat(instance) == beat:
                raise _no_daemon(run_id)
        found = instance.get_records_for_run(run_id, cursor, of_type=dg.DagsterEventType.STEP_START)
        cursor = found.cursor
        for record in found.records:
            step = record.event_log_entry.step_key or ""
            doing = step.rpartition(".")[2].replace("_", " ")
            watcher.phase(f"{connection}__{goal_of(step, connection)}", doing)
        time.sleep(_EVERY)


def _no_daemon(run_id: str) -> Terminal:
    return Terminal(
        f"Run {run_id} waits in the queue, and no daemon takes runs from it.",
        needed=f"One machine of the project has to run the daemon, as `{call('up')}` does.",
        remedy=f"Start it; the run then begins. `{call(f'runs --run {run_id[:8]}')}` shows how it goes.",
    )
