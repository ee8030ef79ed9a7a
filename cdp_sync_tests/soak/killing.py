"""Kills a run at some point, runs it again, and checks the invariants."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from shutil import rmtree
from typing import Any

from cdp_sync_tests.soak.exercises import Exercise
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.project import Project

_PATIENCE = 250.0
"""The time limit of the repeated run, in seconds."""


@dataclass(frozen=True)
class Undisturbed:
    """A run without a kill."""

    exercise: Exercise
    seconds: float
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Kill:
    """A run that was killed and run again."""

    exercise: str
    at: float
    """Seconds from its start to the kill."""
    hit: bool
    """Whether it was killed, or ended before."""
    problems: tuple[str, ...]


def undisturbed(exercise: Exercise, folder: Path) -> Undisturbed:
    """Run an exercise twice without a kill; the second run has no load time."""
    first, second = (_undisturbed(exercise, folder / name) for name in ("first", "second"))
    assert first.outcome == second.outcome
    return second


def _undisturbed(exercise: Exercise, folder: Path) -> Undisturbed:
    project = exercise.begin(folder)
    before = exercise.outcome(project)
    began = time.monotonic()
    project.answer(*exercise.command())
    seconds = time.monotonic() - began
    after = exercise.outcome(project)
    assert after != before, "the run has nothing to do"
    assert not (problems := broken(project)), problems
    return Undisturbed(exercise, seconds, after)


def soak(exercises: Sequence[Exercise], folder: Path, kills: int, seed: int) -> Iterator[Kill]:
    """Kill the exercises in turn, at points spread over their duration.

    Args:
        exercises: The runs to kill.
        folder: The folder of the projects.
        kills: The total number of kills.
        seed: The seed of the points of the kills.
    """
    chance = random.Random(seed)
    known = [undisturbed(each, folder / each.name) for each in exercises]
    for number, one in enumerate(islice(cycle(known), kills)):
        own = folder / one.exercise.name / f"kill{number}"
        yield kill(one, own, chance.uniform(0, one.seconds))
        rmtree(own)


def kill(one: Undisturbed, folder: Path, at: float) -> Kill:
    """Kill a run at some point, and run it again."""
    exercise = one.exercise
    project = exercise.begin(folder)
    process = project.start(*exercise.command())
    process.join(at)
    process.kill()
    hit = victim.exit_code(process) == victim.KILLED
    again = victim.exit_code(project.start(*exercise.command()), _PATIENCE)
    problems = [f"the next run ended with status {again}"] if again else []
    outcome = exercise.outcome(project)
    problems += [f"{name} differ" for name, held in one.outcome.items() if held != outcome[name]]
    return Kill(exercise.name, at, hit, tuple(problems + broken(project)))


def broken(project: Project) -> list[str]:
    """Return the violated invariants of a project: no leftovers, and counters that add up."""
    data = project.folder / "data"
    left = [path.name for name in ("staging", "downloads", "spill") for path in (data / name).glob("*")]
    problems = [f"left lying: {', '.join(left)}"] if left else []
    with project.warehouse.open("read") as session:
        read = "sum(rows_read), sum(rows_applied + rows_unchanged + rows_rejected + rows_without_identifier"
        rest = "+ rows_unmatched + rows_without_consent)"
        for table in ("imported_file", "run"):
            counted, accounted = session.row(f"select {read} {rest} from warehouse.{table}")
            problems += [f"of {counted} rows {accounted} in {table}"] if counted != accounted else []
    return problems


def summary(kills: Sequence[Kill]) -> str:
    """Return how many runs of each exercise were killed, and the violated invariants."""
    hits = Counter(each.exercise for each in kills if each.hit)
    every = Counter(each.exercise for each in kills)
    lines = [f"{name}: {hits[name]} of {number} killed, the others had ended" for name, number in every.items()]
    lines += [f"{each.exercise} at {each.at:.3f} s: {'; '.join(each.problems)}" for each in kills if each.problems]
    return "\n".join([*lines, f"{sum(bool(each.problems) for each in kills)} broke the promise"])
