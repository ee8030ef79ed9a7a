"""Refuses to sum once more what another goal has summed: most likely the goal was renamed."""

from collections.abc import Iterable
from datetime import datetime

from cdp_sync.importing.run import GoalRun
from cdp_sync.warehouse.rivals import rival_problem


def refuse_rivals(run: GoalRun, files: Iterable[tuple[str, int | None, datetime | None]]) -> None:
    """Make sure that no other goal has summed these files, given by path, size and time.

    Raises:
        GoalFailed: Another goal has imported some of them with the same links and sums.
    """
    if run.goal.sums_as_json == "[]":
        return
    with run.warehouse.open("read") as session:
        problem = rival_problem(session, run.connection, run.goal, files)
    if problem:
        raise problem
