"""Goals and connections that were renamed: their ledger goes on under the new name.

Finds goals that were renamed without `was` as well: everything that they had summed would be added once more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from cdp_sync.warehouse.backend import Warehouse
from cdp_sync.warehouse.merging import merge_connections, merge_goals
from cdp_sync.warehouse.session import Session

Names = tuple[str, str]
"""A connection and a goal of it."""

_OF_GOALS = (
    "imported_file", "run", "quarantine", "changed_value", "waiting_row",
    "exported_file", "exported_goal", "list_member", "list_intent", "watermark",
)  # fmt: skip


def source_of(names: Names) -> UUID:
    """Return what the ledger knows a goal by, as the sender of rows with keys."""
    return uuid5(NAMESPACE_URL, "/".join(names))


def names_before(names: Names, was: tuple[str | None, str | None]) -> list[Names]:
    """Return the names that a goal may have had, given what its connection and it declare as `was`."""
    connections = [name for name in (names[0], was[0]) if name]
    goals = [name for name in (names[1], was[1]) if name]
    return [(connection, goal) for connection in connections for goal in goals][1:]


def adopt(warehouse: Warehouse, names: Names, was: tuple[str | None, str | None]) -> bool:
    """Let a goal go on with the ledger that it had under a former name; return whether there was one.

    Does nothing, and opens nothing, where no former name is declared. Idempotent, all or nothing.
    """
    former = names_before(names, was)
    if not former:
        return False
    with warehouse.open("read") as session:
        if not any(_is_known(session, each) for each in former) and not _is_doubled(session, names):
            return False
    with warehouse.open("write") as session:
        session.execute("begin")
        for each in former:
            if _is_known(session, each) or _is_doubled(session, names):
                _rename(session, each, names)
        session.execute("commit")
    return True


def _is_known(session: Session, names: Names) -> bool:
    """Whether a ledger has anything under these names."""
    parts = " union all ".join(
        f"select 1 from warehouse.{table} where connection = $connection and goal = $goal"
        for table in ("imported_file", "exported_goal", "run")
    )
    return bool(session.value(f"select count(*) from ({parts} limit 1)", _bound(names)))


def _is_doubled(session: Session, names: Names) -> bool:
    """Whether an earlier version has left an export goal with two numbers, with which it cannot run."""
    query = "select count(*) > 1 from warehouse.exported_goal where connection = $connection and goal = $goal"
    return bool(session.value(query, _bound(names)))


def _rename(session: Session, before: Names, now: Names) -> None:
    if before[0] != now[0]:
        merge_connections(session, before[0], now[0])
    values = {"old_connection": before[0], "old_goal": before[1], "connection": now[0], "goal": now[1]}
    sources = {"old_source": source_of(before), "source": source_of(now)}
    merge_goals(session, {**values, **sources})
    for table in _OF_GOALS:
        session.execute(
            f"""update warehouse.{table} set connection = $connection, goal = $goal
            where connection = $old_connection and goal = $old_goal""",
            values,
        )
    session.execute("update warehouse.keyed_row set source = $source where source = $old_source", sources)


@dataclass(frozen=True)
class Summed:
    """What a goal would sum: the files that it reads, and by which links and sums, as JSON."""

    names: Names
    links: str
    sums: str

    @property
    def sums_anything(self) -> bool:
        """Whether the goal has a mapping that sums."""
        return self.sums != "[]"


_SUMMED_ELSEWHERE = """(file.connection, file.goal) <> ($connection, $goal)
    and coalesce(file.links = $links and file.sums = $sums, file.source in (
        select source from warehouse.imported_row where sums is not null
    ))
    and path not in (
        select path from warehouse.imported_file where connection = $connection and goal = $goal
    )"""
"""The condition that another goal imported a file with the same links and sums, and this goal never did."""

_RIVALS = f"""
select distinct file.connection, file.goal
from warehouse.imported_file file
join asked using (path)
where {_SUMMED_ELSEWHERE}
    and (file.connection = $connection or (file.size, file.modified_at) = (asked.size, asked.modified_at))
order by all"""


def rivals(session: Session, goal: Summed, files: Iterable[tuple[str, int | None, datetime | None]]) -> list[Names]:
    """Return the goals that imported these files, with the same links and sums, before this goal ever did.

    Files have path, size and time of modification. Those of another connection are the same file only if all agree.
    """
    listed = list(files)
    if not (goal.sums_anything and listed):
        return []
    columns = {
        "paths": [path for path, _, _ in listed],
        "sizes": [size for _, size, _ in listed],
        "times": [at for _, _, at in listed],
    }
    asked = """with asked as (
    select unnest($paths) as path, unnest($sizes::bigint[]) as size, unnest($times::timestamptz[]) as modified_at
)"""
    bound = {**_bound(goal.names), "links": goal.links, "sums": goal.sums}
    return session.rows(asked + _RIVALS, {**bound, **columns})


def imported_by_others(session: Session, goal: Summed, connections: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return connection, goal and path of files that goals imported with the same links and sums.

    Of other connections only those are meant that are not declared any more: they may have been renamed.
    """
    if not goal.sums_anything:
        return []
    return session.rows(
        f"""select distinct connection, goal, path
        from warehouse.imported_file file
        where {_SUMMED_ELSEWHERE}
            and (connection = $connection or connection not in (select unnest($connections)))
        order by all""",
        {**_bound(goal.names), "links": goal.links, "sums": goal.sums, "connections": list(connections)},
    )


def _bound(names: Names) -> dict[str, str]:
    return {"connection": names[0], "goal": names[1]}
