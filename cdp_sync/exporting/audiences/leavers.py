"""Which users leave lists: those whose profiles left, or are other users by now."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.sql.selectable import NamedFromClause

from cdp_sync.exporting.changes.candidates import CANDIDATES
from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.select import allowed, on
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step

_LEAVER = """create or replace table staging.leaver as
with linked as (
{linked}
),
-- What a profile joined that was merged since is its survivor's. `is_plain`: it is known by what it was linked by.
member as (
    select
        member.profile_id, coalesce(profile.merged_into, member.profile_id) as live_id,
        member.list, member.key, member.id, coalesce(member.link_key, member.key) as link_key,
        coalesce(member.link_hash, md5(concat(member.key, ' ', member.id))) as link_hash,
        coalesce(member.link_key, member.key) = member.key as is_plain,
        member.profile_id in (select unnest([left_id, right_id]) from warehouse.decision) as is_decided
    from warehouse.list_member member
    left join warehouse.profile profile on profile.profile_id = member.profile_id
    where member.connection = $connection and member.goal = $goal{among}
),
stays as (
    select
        profile_id, key, case when key is not null then md5(concat(key, ' ', id)) end as link_hash,
        profile_id in (select profile_id from staging.selected where ending = 'written') as is_written
    from linked{filtered}
    semi join member on member.live_id = linked.profile_id
),
known as (
    select profile_id, value
    from warehouse.profile_identifier
    where profile_id in (select live_id from member where is_decided and not is_plain)
),
-- A profile with another address is another user by now. So is one that was merged or unmerged, also where the platform
-- knows it by an id of its own. In other profiles such a user may have got another address.
former as (
    select member.profile_id, member.list, member.key, member.id
    from member
    join stays on stays.profile_id = member.live_id
    where member.link_hash is distinct from stays.link_hash and case
        when not is_decided then is_written and is_plain and member.link_key = stays.key
        when not is_plain and (live_id, member.id) in (select (profile_id, value) from known) then false
        when member.link_key <> stays.key then is_written and member.profile_id <> live_id
        else true
    end
),
staying as (
    select member.list, member.key, member.id
    from member
    semi join stays on stays.profile_id = member.live_id
    anti join former using (profile_id, list, key, id)
    where member.list in (select unnest($lists::text[]))
)
-- A user that another profile stands for by now stays, too.
select profile_id, list, key, id from member anti join staying using (list, key, id) where $removes"""


_AMONG = """
        and (member.list, member.key, member.id) in (select (list, key, id) from staging.shared_member)"""

_IS_IN_STAGE = """profile.profile_id in (
    select profile_id from warehouse.lifecycle_stage
    where lifecycle = $lifecycle and list_contains($stages::text[], stage)
)"""


def leaver_step(run: UserRun, columns: Collection[str], *, short: bool = False) -> Step:
    """Return the step that makes `staging.leaver`: each user who leaves a list, and by which key.

    Profiles that may no longer be processed, or are in none of the goal's stages any more, leave like those that left
    the segment; those at their cap stay. While the lifecycle is off nobody leaves. All users leave a list that the goal
    no longer names. Where a profile is sent under another address, the user of the former one leaves. So does the user
    of a profile that was merged into another one, unless that is the same user. A property that `columns`, those of the
    warehouse, does not hold is empty. In `short` only those are looked at who are members as a candidate is or was.
    """
    linked = linked_step(run, columns, CANDIDATES if short else PROFILE)
    values = {**linked.values, "connection": run.connection, "goal": run.goal.name}
    values |= {"lists": list(run.goal.memberships), "removes": run.goal.removes and not run.note}
    dropped = "\n    anti join (select profile_id from staging.selected where ending = 'filtered') using (profile_id)"
    filtered, among = dropped if run.goal.processors else "", _AMONG if short else ""
    sql = _LEAVER.format(linked=linked.sql, filtered=filtered, among=among)
    return Step("leaver", sql, values)


def linked_step(run: UserRun, columns: Collection[str], among: NamedFromClause = PROFILE) -> Step:
    """Return the query for those profiles of segment and stages that may be processed, with `id` and `key` of users."""
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    may: ColumnElement[bool] = literal_column(f"({allowed(run, columns)})")
    rows, values = run.rows(columns), dict[str, Any]()
    named: list[ColumnElement[Any]] = [literal_column("profile.profile_id").label("profile_id")]
    named += [value.label(name) for name, value in rows.links.items()]
    chosen = select(*named).select_from(among).where(inside, may)
    if lifecycle := run.goal.lifecycle:
        chosen = chosen.where(literal_column(_IS_IN_STAGE))
        values = {"lifecycle": lifecycle.name, "stages": list(lifecycle.stages_of(run.profiles))}
    linked = step("linked", chosen)
    return Step("linked", on(linked.sql, rows.user), {**linked.values, **values})
