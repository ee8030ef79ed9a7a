"""What strict imports learned of their files: the columns, the type, the separator, and where cells may be empty."""

from datetime import datetime

from cdp_sync.model.expected_file import G, LearnedFile, like
from cdp_sync.warehouse.backend import Warehouse
from cdp_sync.warehouse.session import Session

_NAMED = "connection = $connection and goal = $goal"


def learned_file(session: Session, connection: str, goal: str) -> LearnedFile | None:
    """Return what was learned last for a goal; None where nothing was."""
    query = f"""select columns, type, separator, may_be_empty from warehouse.learned_file
        where {_NAMED} order by learned_at desc limit 1"""
    found = session.records(query, {"connection": connection, "goal": goal})
    return LearnedFile.model_validate(found[0]) if found else None


def learned_goal(warehouse: Warehouse, connection: str, goal: G) -> G:
    """Return a goal that, where it is strict, expects files like the one that it learned."""
    if goal.expected is None:
        return goal
    with warehouse.open("read") as session:
        return like(goal, learned_file(session, connection, goal.name))


def keep_learned(session: Session, connection: str, goal: str, learned: LearnedFile, now: datetime) -> None:
    """Replace what was learned for a goal, in one transaction."""
    names = {"connection": connection, "goal": goal}
    values = {name: list(each) if isinstance(each, tuple) else each for name, each in learned}
    session.begin()
    session.execute(f"delete from warehouse.learned_file where {_NAMED}", names)
    session.execute(
        """insert into warehouse.learned_file
        values ($connection, $goal, $columns, $type, $separator, $may_be_empty, $now)""",
        {**names, **values, "now": now},
    )
    session.commit()
