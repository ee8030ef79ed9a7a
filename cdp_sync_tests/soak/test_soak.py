"""Killed at random instants and run again, imports, exports and exchanges end where undisturbed ones end."""

from pathlib import Path

import pytest

from cdp_sync_tests.generated import SEED
from cdp_sync_tests.soak.exercises import exercises
from cdp_sync_tests.soak.killing import broken, soak, summary
from cdp_sync_tests.trail.project import Project

FEW = 6
"""`make soak` does two hundred."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_few_kills(tmp_path: Path) -> None:
    """Everything landed exactly once, nothing is left lying, and the counters add up."""
    with exercises(tmp_path) as three:
        kills = list(soak(three, tmp_path / "kills", FEW, SEED))
    assert not any(each.problems for each in kills), f"seed {SEED}\n{summary(kills)}"


def test_what_is_left_lying_is_found(tmp_path: Path) -> None:
    """A staging file that no run removed breaks the promise."""
    project = Project(tmp_path)
    left = tmp_path / "data" / "staging" / "run__goal.duckdb"
    left.parent.mkdir(parents=True)
    with project.warehouse.open("write"):
        pass
    assert broken(project) == []
    left.touch()
    assert broken(project) == ["left lying: run__goal.duckdb"]
