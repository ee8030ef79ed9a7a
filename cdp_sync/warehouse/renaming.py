"""Goals and connections that were renamed: their ledger goes on under the new name."""

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


def _bound(names: Names) -> dict[str, str]:
    return {"connection": names[0], "goal": names[1]}
