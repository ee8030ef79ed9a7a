"""Since when runs have shown no sign of life: how an observer judges processes that it cannot see.

No clock is compared with that of another machine: what counts is whether a sign has changed since the last look.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from cdp_sync.orchestration.runs.heartbeat import EVERY, beats_of
from cdp_sync.orchestration.runs.process import Process

LOOK_EVERY = 30
"""Seconds between two looks."""
SILENT_FOR = 18 * EVERY
"""Seconds without a beat after which a run of another machine is given up."""


@dataclass(frozen=True)
class Silence:
    """Since when runs have shown no sign of life, as one observer has seen it.

    The time between two looks counts, by the observer's own clock and never more than twice the usual: while the
    observer could not look, because it or the history was down, no run could show that it lives.
    """

    looked_at: float = 0.0
    """The last look, by `time.monotonic`."""
    runs: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """By the run's id: its last sign, and the seconds since it changed."""

    def after(self, signs: Mapping[str, str], now: float) -> "Silence":
        """Return it after a look that has found these signs of these runs."""
        passed = min(max(now - self.looked_at, 0.0), 2.0 * LOOK_EVERY)
        same = {run_id: seconds + passed for run_id, (sign, seconds) in self.runs.items() if signs.get(run_id) == sign}
        return Silence(now, {run_id: (sign, same.get(run_id, 0.0)) for run_id, sign in signs.items()})

    def of(self, run_id: str) -> float:
        """Return for how many seconds a run has shown no sign of life."""
        return self.runs.get(run_id, ("", 0.0))[1]

    def __str__(self) -> str:
        """Return it as text, such as the cursor of a sensor."""
        return json.dumps([self.looked_at, self.runs])

    @classmethod
    def read(cls, text: str | None) -> "Silence":
        """Return what a text says; without one nothing has been seen."""
        if not text:
            return cls()
        looked_at, runs = json.loads(text)
        return cls(looked_at, {run_id: (sign, seconds) for run_id, (sign, seconds) in runs.items()})


def look(instance: dg.DagsterInstance, runs: list[dg.DagsterRun], silence: Silence, now: float) -> Silence:
    """Return the silence of runs after a look for signs of life: another state, process or beat."""
    beats = beats_of(instance, [run.run_id for run in runs])
    signs = {run.run_id: f"{run.status.value} {Process.of(run)} {beats.get(run.run_id, '')}" for run in runs}
    return silence.after(signs, now)
