"""Refuses to sum once more what another goal has summed: most likely the goal was renamed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cdp_sync.errors import GoalFailed
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.scanning import matches
from cdp_sync.model import Connection, FileGoal, ImportGoal
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.renaming import Names, Summed, imported_by_others, names_before, rivals


def refuse_rivals(run: GoalRun, files: Iterable[tuple[str, int | None, datetime | None]]) -> None:
    """Make sure that no other goal has summed these files.

    Args:
        run: The run.
        files: Path, size and time of those that are due.

    Raises:
        GoalFailed: Another goal has imported some of them with the same links and sums.
    """
    goal = _summed(run.connection, run.goal)
    if not goal.sums_anything:
        return
    with run.warehouse.open("read") as session:
        found = rivals(session, goal, files)
    if found:
        raise _summed_before(goal.names, found[0])


def rival_problems(session: Session, declared: Sequence[tuple[Connection, FileGoal]]) -> list[str]:
    """Return what `check` has to say of goals that would sum what another goal has summed.

    Args:
        session: A session that reads.
        declared: All goals over files, each with its connection.
    """
    connections = {connection.name for connection, _ in declared}
    problems = []
    for connection, goal in declared:
        names = (connection.name, goal.name)
        former = names_before(names, (connection.was, goal.was))
        for other, other_goal, path in imported_by_others(session, _summed(connection.name, goal), connections):
            folder, _, name = path.rpartition("/")
            here = folder == goal.directory.rstrip("/") and matches(name, goal)
            if here and (other, other_goal) not in former:
                problems.append(str(_summed_before(names, (other, other_goal))))
                break
    return problems


def _summed(connection: str, goal: ImportGoal) -> Summed:
    return Summed((connection, goal.name), goal.links_as_json, goal.sums_as_json)


def _summed_before(names: Names, other: Names) -> GoalFailed:
    renamed = f"the goal, `was: {other[1]}`" if names[0] == other[0] else f"the connection, `was: {other[0]}`"
    return GoalFailed(
        f"{'/'.join(names)} reads files that {'/'.join(other)} has imported with the same links and sums: "
        "their amounts would be added once more.",
        needed="A goal that was renamed says so; any other has sums of its own.",
        remedy=f"If it was renamed, declare on {renamed}. If both are meant, sum into different properties.",
    )
