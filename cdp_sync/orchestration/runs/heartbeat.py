"""Shows that a process still works on a run, for machines that cannot see the process.

The process notes a new value in Dagster's history every few seconds; an observer sees whether it has changed since its
last look. So no clock of one machine is compared with that of another.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import dagster as dg
from sqlalchemy.exc import DBAPIError

from cdp_sync.orchestration.dagster_internals import note, notes_of, remove_note
from cdp_sync.orchestration.runs.process import note_process

EVERY = 10.0
"""Seconds between two beats. A run that ends earlier notes none."""
_ENDS_WITHIN = 10.0
"""Seconds to wait for a beat that is being noted when the run ends."""


def beats_of(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the latest beat of each run that has noted one, by the run's id."""
    noted = notes_of(instance, [_key(run_id) for run_id in run_ids])
    return {run_id: noted[_key(run_id)] for run_id in run_ids if _key(run_id) in noted}


def forget_beats(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove what a run that has ended has noted."""
    remove_note(instance, _key(run_id))


def _key(run_id: str) -> str:
    return f"cdp_sync/beat/{run_id}"


class Heartbeat:
    """Notes beats of a run in a thread of this process, and ends the process if somebody else has ended the run.

    A process that did not answer for minutes, as its machine was suspended, has lost its run: the next run of the
    connection may be under way.
    """

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance, self._run_id = instance, run_id
        self._stopped = threading.Event()
        self._has_beaten = False
        self._ended = 0
        self._thread = threading.Thread(target=self._beat_until_stopped, name=f"heartbeat {run_id}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, as the run has."""
        self._stopped.set()
        self._thread.join(_ENDS_WITHIN)
        if self._has_beaten:
            with suppress(DBAPIError):  # the run has ended all the same; the job `maintenance` removes it
                forget_beats(self._instance, self._run_id)

    def _beat_until_stopped(self) -> None:
        while not self._stopped.wait(EVERY):
            try:
                self._beat()
            except Exception:  # noqa: BLE001, S112 - the history cannot be reached; the next beat may
                continue

    def _beat(self) -> None:
        run = self._instance.get_run_by_id(self._run_id)
        if run is None or run.is_finished:
            # At the end of a run its own process says so, a moment before it stops this thread.
            self._ended += 1
            if self._ended > 1:
                end_process(self._run_id)
            return
        self._ended = 0
        # Dagster replaces all tags of a run at once: those that two processes write at a time may be lost.
        note_process(self._instance, run)
        note(self._instance, _key(self._run_id), uuid4().hex)
        self._has_beaten = True


def end_process(run_id: str) -> None:
    """End this process at once, as if it had been killed: what it would clean up may be the next run's by now."""
    sys.stderr.write(f"Run {run_id} was ended by somebody else than its process, which ends itself.\n")
    sys.stderr.flush()
    os._exit(1)  # a signal would not end the first process of a container
