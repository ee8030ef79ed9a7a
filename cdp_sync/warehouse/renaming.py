"""Goals and connections that were renamed: their ledger goes on under the new name.

One that was renamed without `was`, ran under its new name, and declares `was` since has two ledgers: they become one,
so that nothing is in it twice. What was written last counts; rows are numbered in the order in which they were written.
One that declares none would sum once more what it has summed under its former name: it is found as a rival.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from cdp_sync.errors import GoalFailed
from cdp_sync.model import Connection, ImportGoal, Profiles
from cdp_sync.warehouse.backend import Warehouse
from cdp_sync.warehouse.session import Session

Names = tuple[str, str]
"""A connection and a goal of it."""

_OF_GOALS = (
    "imported_file", "run", "quarantine", "changed_value", "waiting_row",
    "exported_file", "removed_file", "campaign", "exported_goal", "list_member", "list_intent", "watermark",
    "touchpoint", "touch_reservation", "capped_profile", "learned_file",
)  # fmt: skip

_FIRST = ("imported_file", "exported_goal", "run", "touch_reservation", "list_intent", "campaign", "learned_file")
"""What a goal writes first; of one that was killed, that waits, or has only learned a file, nothing else is there."""


def source_of(names: Names) -> UUID:
    """Return what the ledger knows a goal by, as the sender of rows with keys."""
    return uuid5(NAMESPACE_URL, "/".join(names))


def names_before(names: Names, was: tuple[str | None, str | None]) -> list[Names]:
    """Return the names that a goal may have had, given what its connection and it declare as `was`."""
    connections = [name for name in (names[0], was[0]) if name]
    goals = [name for name in (names[1], was[1]) if name]
    return [(connection, goal) for connection in connections for goal in goals][1:]


def adopt(warehouse: Warehouse, names: Names, was: tuple[str | None, str | None]) -> bool:
    """Let a goal go on with the ledger of its former name, all or nothing; return whether there was one. Idempotent."""
    former = names_before(names, was)
    if not former:
        return False
    with warehouse.open("read") as session:
        if not any(_has_ledger(session, each, names) for each in former):
            return False
    with warehouse.open("write") as session:
        session.begin()
        for each in former:
            if _has_ledger(session, each, names):
                _rename(session, each, names)
        session.commit()
    return True


def _has_ledger(session: Session, before: Names, now: Names) -> bool:
    """Whether anything stands under a former name, or an export goal has two numbers, as an earlier version left it."""
    parts = [f"select 1 from warehouse.{table} where {_FORMER}" for table in _FIRST]
    doubled = "select count(*) > 1 from warehouse.exported_goal where (connection, goal) = ($connection, $goal)"
    return bool(session.value(f"select exists ({' union all '.join(parts)}) or ({doubled})", _values(before, now)))


def _values(before: Names, now: Names) -> dict[str, object]:
    return {"old_connection": before[0], "old_goal": before[1], "connection": now[0], "goal": now[1]}


def _rename(session: Session, before: Names, now: Names) -> None:
    if before[0] != now[0]:
        merge_connections(session, before[0], now[0])
    values, sources = _values(before, now), {"old_source": source_of(before), "source": source_of(now)}
    for table, replaced in _REPLACED_ROWS.items():
        needed = {name: value for name, value in {**values, **sources}.items() if f"${name}" in replaced}
        session.execute(f"delete from warehouse.{table} where {replaced}", needed)
    _merge_exports(session, values)
    for table in _OF_GOALS:
        changed = f"update warehouse.{table} set connection = $connection, goal = $goal where {_FORMER}"
        session.execute(changed, values)
    session.execute("update warehouse.keyed_row set source = $source where source = $old_source", sources)


_FORMER = "(connection, goal) = ($old_connection, $old_goal)"

_BOTH = "(connection, goal) in (($old_connection, $old_goal), ($connection, $goal))"

_SOURCES = "source in ($old_source, $source)"


def _replaced(table: str, key: str, rows: str = _BOTH, kept: str = "max(rowid)") -> str:
    """Return the condition that of some rows of a table another one with the same key counts: the last one written."""
    return f"{rows} and rowid not in (select {kept} from warehouse.{table} where {rows} group by {key})"


_REPLACED_ROWS = {
    "list_member": _replaced("list_member", "profile_id, list"),
    # Of two runs that did not record how they ended the first counts: it may have put the profile on the list.
    "list_intent": _replaced("list_intent", "profile_id", kept="arg_min(rowid, began)"),
    "watermark": _replaced("watermark", "stream"),
    "capped_profile": _replaced("capped_profile", "profile_id"),
    "keyed_row": _replaced("keyed_row", "row_key", _SOURCES),
    "waiting_row": f"""{_BOTH} and (
        source not in (
            select source from warehouse.imported_file where {_BOTH}
            qualify row_number() over (partition by path order by rowid desc) = 1
        )
        or coalesce(row_key in (select row_key from warehouse.keyed_row where {_SOURCES}), false)
    )""",
}
"""Which rows of a goal another one has replaced."""


_EXPORTED = {
    "exported_profile": "profile_id",
    "exported_event": "event_type, event_hash",
    "exported_until": "event_type",
    "exported_event_profile": "profile_id",
    "exported_mailing": "mailing",
}
"""The tables that know an export goal by its number, and what identifies a row of the goal there."""


def _merge_exports(session: Session, values: Mapping[str, object]) -> None:
    order = "connection = $connection and goal = $goal, number"
    numbers = session.rows(f"select number from warehouse.exported_goal where {_BOTH} order by {order}", values)
    if len(numbers) < 2:
        return
    *former, kept = (number for (number,) in numbers)
    for table, key in _EXPORTED.items():
        replaced = _replaced(table, key, "goal_number in (select unnest($numbers))")
        session.execute(f"delete from warehouse.{table} where {replaced}", {"numbers": [*former, kept]})
        session.execute(
            f"update warehouse.{table} set goal_number = $kept where goal_number in (select unnest($former))",
            {"kept": kept, "former": former},
        )
    for table in ("export_state", "export_exception"):  # what is known of one is not true of both: a full pass comes
        session.execute(
            f"delete from warehouse.{table} where goal_number in (select unnest($numbers))",
            {"numbers": [*former, kept]},
        )
    session.execute("delete from warehouse.exported_goal where number in (select unnest($former))", {"former": former})


_IN_BOTH = {
    "import": """(
        select profile_id from warehouse.imported_profile where connection = $before
        union select profile_id from warehouse.profile where _created_by = $old_number
    ) intersect (
        select profile_id from warehouse.imported_profile where connection = $now
        union select profile_id from warehouse.profile where _created_by = $number
    )""",
    "export": """select profile_id
    from warehouse.exported_profile
    join warehouse.exported_goal on number = goal_number
    where connection in ($before, $now)
    group by profile_id
    having count(distinct connection) = 2""",
}
"""The profiles that a connection has exchanged under both of its names."""


def merge_connections(session: Session, before: str, now: str) -> None:
    """Merge the counts of a connection's two names, before its goals are renamed and in their transaction."""
    names = {"before": before, "now": now}
    numbers = dict(session.rows("select connection, number from warehouse.connection_number"))
    values = {**names, "old_number": numbers.get(before), "number": numbers.get(now)}
    for direction, in_both in _IN_BOTH.items():
        _merge_counts(session, direction, in_both, values)
    session.execute(
        """delete from warehouse.imported_profile
        where connection in ($before, $now) and (
            profile_id in (select profile_id from warehouse.profile where _created_by in ($old_number, $number))
            or rowid not in (
                select max(rowid) from warehouse.imported_profile
                where connection in ($before, $now)
                group by profile_id
            )
        )""",
        values,
    )
    session.execute("update warehouse.imported_profile set connection = $now where connection = $before", names)
    if before in numbers and now in numbers:
        session.execute(
            "update warehouse.profile set _created_by = $number where _created_by = $old_number",
            {name: values[name] for name in ("number", "old_number")},
        )
        session.execute("delete from warehouse.connection_number where connection = $before", {"before": before})
    session.execute("update warehouse.connection_number set connection = $now where connection = $before", names)
    session.execute("update warehouse.forgotten_user set connection = $now where connection = $before", names)


def _merge_counts(session: Session, direction: str, in_both: str, values: Mapping[str, object]) -> None:
    names = {"before": values["before"], "now": values["now"], "direction": direction}
    which = "connection in ($before, $now) and direction = $direction"
    counted = session.rows(f"select profiles from warehouse.data_exchange where {which}", names)
    if not counted:
        return
    needed = {name: value for name, value in values.items() if f"${name}" in in_both}
    twice = session.value(f"select count(*) from ({in_both})", needed) if len(counted) == 2 else 0
    session.execute(f"delete from warehouse.data_exchange where {which}", names)
    total = sum(profiles for (profiles,) in counted) - twice
    session.execute("insert into warehouse.data_exchange values (?, ?, ?)", [values["now"], direction, total])


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
        for each in connection.imports:
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
