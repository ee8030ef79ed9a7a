"""Imports, exports and exchanges that are killed at random points and run again end as those without a kill."""

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
    """After a few kills everything has landed exactly once, without leftovers, and the counters add up."""
    with exercises(tmp_path) as three:
        kills = list(soak(three, tmp_path / "kills", FEW, SEED))
    assert not any(each.problems for each in kills), f"seed {SEED}\n{summary(kills)}"


def test_leftovers_are_found(tmp_path: Path) -> None:
    """A leftover staging file violates the invariants."""
    project = Project(tmp_path)
    left = tmp_path / "data" / "staging" / "run__goal.duckdb"
    left.parent.mkdir(parents=True)
    with project.warehouse.open("write"):
        pass
    assert broken(project) == []
    left.touch()
    assert broken(project) == ["left lying: run__goal.duckdb"]
