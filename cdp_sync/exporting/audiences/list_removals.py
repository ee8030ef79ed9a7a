"""The users to take off lists: those that this goal put there, and whose profiles have left the segment."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, literal_column, select

from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.select.plan import allowed
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step

_LEAVER = """create or replace table staging.leaver as
with stays as (
{stays}
),
member as (
    select profile_id, list, key, id from warehouse.list_member where connection = $connection and goal = $goal
),
staying as (
    select member.list, member.key, member.id
    from member
    semi join stays using (profile_id)
    where member.list in (select unnest($lists::text[]))
)
-- A user that another profile stands for by now stays, too.
select profile_id, list, key, id from member anti join staying using (list, key, id) where $removes"""


def leaver_step(run: UserRun, columns: Collection[str]) -> Step:
    """Return the step that makes `staging.leaver`: each user who leaves a list, and by which key.

    Profiles that may no longer be processed leave like those that left the segment; all users leave a list that the
    goal no longer names. A property that `columns`, those of the warehouse, does not hold is empty.
    """
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    may: ColumnElement[bool] = literal_column(f"({allowed(run, columns)})")
    stays = step("stays", select(literal_column("profile.profile_id")).select_from(PROFILE).where(inside, may))
    values = {
        **stays.values,
        "connection": run.connection,
        "goal": run.goal.name,
        "lists": list(run.goal.memberships),
        "removes": run.goal.removes,
    }
    return Step("leaver", _LEAVER.format(stays=stays.sql), values)
