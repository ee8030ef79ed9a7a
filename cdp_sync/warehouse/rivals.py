"""Finds goals that would sum once more what another goal has summed: most likely they were renamed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cdp_sync.errors import GoalFailed
from cdp_sync.model import Connection, ImportGoal, Profiles
from cdp_sync.warehouse.renaming import Names, Summed, imported_by_others, names_before, rivals
from cdp_sync.warehouse.session import Session


def rival_problem(
    session: Session,
    connection: str,
    goal: ImportGoal,
    files: Iterable[tuple[str, int | None, datetime | None]],
    *,
    former: Sequence[Names] = (),
) -> GoalFailed | None:
    """Return what keeps a goal from importing these files; None where no other goal has summed any of them.

    Files have path, size and time. What was imported under the names in `former` is the goal's own.
    """
    summed = _summed(connection, goal)
    found = [names for names in rivals(session, summed, files) if names not in former]
    return _summed_before(summed.names, found[0]) if found else None


def rival_problems(session: Session, connections: Sequence[Connection], profiles: Profiles) -> list[str]:
    """Return what `check` has to say of goals that would sum what another goal has summed, of all that are declared."""
    declared = {connection.name for connection in connections}
    problems = []
    for connection in connections:
        for goal in connection.import_profiles:
            names = (connection.name, goal.name)
            former = names_before(names, (connection.was, goal.was))
            summed = _summed(connection.name, goal.importing(connection, profiles))
            for *other, path in imported_by_others(session, summed, declared):
                if goal.reads(path) and (rival := (other[0], other[1])) not in former:
                    problems.append(str(_summed_before(names, rival)))
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
