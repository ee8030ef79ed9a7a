"""Declared retention of runs: valid settings and messages."""

from datetime import time

import pytest

from cdp_sync.model import Maintenance
from cdp_sync.model.reading import read_text


def problems_of(attributes: str) -> list[str]:
    """Return the problems of these attributes."""
    return list(read_text(f"type: cdp_sync.components.Maintenance\nattributes: {attributes}\n").problems)


def test_maintenance_has_defaults() -> None:
    """The defaults are 90 days, three days for runs without work, and a time at night."""
    assert Maintenance() == Maintenance(keep_runs_days=90, keep_idle_runs_days=3, at=time(3, 30), time_zone="UTC")
    assert problems_of("{}") == []
    assert problems_of("") == []
    assert problems_of('{keep_runs_days: 3650, at: "23:59", time_zone: Europe/Amsterdam}') == []


@pytest.mark.parametrize("key", ["keep_runs_days", "keep_idle_runs_days"])
@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "ninety", '"90"', "true"])
def test_days_are_whole_and_limited(key: str, days: str) -> None:
    """Days are whole numbers from one to ten years."""
    (problem,) = problems_of(f"{{{key}: {days}}}")
    assert problem.startswith(f"attributes.{key}: found ")


def test_every_problem_is_reported_at_once() -> None:
    """All problems are reported at once, with place, value found and values allowed."""
    problems = problems_of("{keep_run_days: 9, at: 3:30, time_zone: Amsterdam}")
    assert [problem.partition(": ")[0] for problem in problems] == [
        "attributes.at",
        "attributes.time_zone",
        "attributes.keep_run_days",
    ]
    assert 'needed is HH:MM in quotes, such as "03:30"' in problems[0]
    assert "did you mean" in problems[1]
    allowed = "keep_runs_days, keep_idle_runs_days, keep_states_days, at, time_zone"
    assert f"did you mean 'keep_runs_days'? allowed: {allowed}" in problems[2]
