"""Who is looked at beside the candidates of a short pass: the profiles that are the same user as one of them.

Of those that are one user the oldest is sent, and a user leaves a list only where no profile that put it there stays.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.sql.selectable import NamedFromClause

from cdp_sync.exporting.changes.candidates import CANDIDATES
from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.select import on
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step, fixed

_SQL = "exporting/audiences"

_SAME_USER = """insert into staging.candidate
select profile_id
from ({everybody}) named
where id in (select id from ({candidates}) candidate where id is not null)"""


def related_steps(run: UserRun, columns: Collection[str], *, found: bool) -> list[Step]:
    """Return the steps that add them to `staging.candidate`, and stage the memberships in question.

    A former user of a candidate needs no look at other profiles: those that stood back for it could not be delivered,
    and are candidates in each run.
    """
    if not found:
        return [Step("shared_member", "create or replace table staging.shared_member (list text, key text, id text)")]
    of_goal = {"connection": run.connection, "goal": run.goal.name}
    return [
        fixed("shared_member", f"{_SQL}/shared_member", of_goal),
        fixed("candidate", f"{_SQL}/sharing_member", of_goal),
        _same_user(run, columns),
    ]


def _same_user(run: UserRun, columns: Collection[str]) -> Step:
    everybody, candidates = (_users(run, columns, among) for among in (PROFILE, CANDIDATES))
    sql = _SAME_USER.format(everybody=everybody.sql, candidates=candidates.sql)
    return Step("candidate", sql, {**everybody.values, **candidates.values})


def _users(run: UserRun, columns: Collection[str], among: NamedFromClause) -> Step:
    """Return the query for the ids of profiles and of the users that they are."""
    rows = run.rows(columns)
    named: list[ColumnElement[Any]] = [literal_column("profile.profile_id").label("profile_id")]
    named += [value.label(name) for name, value in rows.links.items()]
    linked = step("users", select(*named).select_from(among))
    return Step("users", on(linked.sql, rows.user), linked.values)
