"""Finds goals that would sum once more what another goal has summed: most likely they were renamed without `was`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cdp_sync.errors import GoalFailed
from cdp_sync.model import Connection, ImportGoal, Profiles
from cdp_sync.warehouse.renaming import Names, names_before
from cdp_sync.warehouse.session import Session

_NO_SUMS = "[]"

_SUMMED_ELSEWHERE = """(file.connection, file.goal) <> ($connection, $goal)
    and coalesce(file.links = $links and file.sums = $sums, file.source in (
        select source from warehouse.imported_row where sums is not null
    ))
    and path not in (
        select path from warehouse.imported_file where connection = $connection and goal = $goal
    )"""
"""The condition that another goal imported a file with the same links and sums, and this goal never did."""

_RIVALS = f"""
with asked as (
    select unnest($paths) as path, unnest($sizes::bigint[]) as size, unnest($times::timestamptz[]) as modified_at
)
select distinct file.connection, file.goal
from warehouse.imported_file file
join asked using (path)
where {_SUMMED_ELSEWHERE}
    and (file.connection = $connection or (file.size, file.modified_at) = (asked.size, asked.modified_at))
order by all"""
"""Files of another connection are the same only if path, size and time all agree."""

_IMPORTED_BY_OTHERS = f"""
select distinct connection, goal, path
from warehouse.imported_file file
where {_SUMMED_ELSEWHERE}
    and (connection = $connection or connection not in (select unnest($connections)))
order by all"""
"""Of other connections only those that are not declared any more: they may have been renamed."""


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
    listed = list(files)
    if goal.sums_as_json == _NO_SUMS or not listed:
        return None
    columns = dict(zip(("paths", "sizes", "times"), map(list, zip(*listed, strict=True)), strict=True))
    found = session.rows(_RIVALS, {**_summed(connection, goal), **columns})
    rival = next((names for names in found if names not in former), None)
    return _summed_before((connection, goal.name), rival) if rival else None


def rival_problems(session: Session, connections: Sequence[Connection], profiles: Profiles) -> list[str]:
    """Return what `check` has to say of goals that would sum what another goal has summed, of all that are declared."""
    declared = sorted(connection.name for connection in connections)
    problems = []
    for connection in connections:
        for each in connection.import_profiles:
            goal, names = each.importing(connection, profiles), (connection.name, each.name)
            if goal.sums_as_json == _NO_SUMS:
                continue
            former = names_before(names, (connection.was, each.was))
            imported = session.rows(_IMPORTED_BY_OTHERS, {**_summed(connection.name, goal), "connections": declared})
            for *other, path in imported:
                if each.reads(path) and (rival := (other[0], other[1])) not in former:
                    problems.append(str(_summed_before(names, rival)))
                    break
    return problems


def _summed(connection: str, goal: ImportGoal) -> dict[str, object]:
    return {"connection": connection, "goal": goal.name, "links": goal.links_as_json, "sums": goal.sums_as_json}


def _summed_before(names: Names, other: Names) -> GoalFailed:
    renamed = f"the goal, `was: {other[1]}`" if names[0] == other[0] else f"the connection, `was: {other[0]}`"
    return GoalFailed(
        f"{'/'.join(names)} reads files that {'/'.join(other)} has imported with the same links and sums: "
        "their amounts would be added once more.",
        needed="A goal that was renamed says so; any other has sums of its own.",
        remedy=f"If it was renamed, declare on {renamed}. If both are meant, sum into different properties.",
    )
