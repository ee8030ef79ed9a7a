"""Writes the users of a run to local files, one JSON object a line: complete, or not at all."""

from pathlib import Path

from cdp_sync.exporting.run import UserRun
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, quote_literal, statement

_USERS = "select line from staging.selected where ending = 'written' order by rowid"

_LEAVERS = """
select json_object('id', id, 'key', key, 'lists', list(list order by list))::varchar
from staging.leaver
group by key, id
order by key, id"""


def write_users(run: UserRun) -> tuple[int, int]:
    """Write the users to create or change, and the users to take off lists; return how many each.

    Raises:
        DiskFull: There is no room for it.
        WarehouseLocked: Another process held the warehouse for too long.
    """
    private_folder(run.folder)
    with run.open("none") as session:
        users, leavers = _write(session, _USERS, run.lines), _write(session, _LEAVERS, run.leavers)
    if users and run.goal.memberships:
        # Record which profiles the run is about to put on lists, for the next run to know if this one is killed.
        values = {"connection": run.connection, "goal": run.goal.name, "now": run.now}
        with run.open("write") as session:
            session.execute(statement("exporting/audiences/list_intent"), values)
    return users, leavers


def _write(session: Session, query: str, target: Path) -> int:
    """Write a query's one column as it is."""
    count = int(session.value(f"select count(*) from ({query})"))
    if count:
        options = "format csv, header false, quote '', escape '', delimiter ''"
        session.execute(f"copy ({query}) to {quote_literal(str(target))} ({options})")
    return count
