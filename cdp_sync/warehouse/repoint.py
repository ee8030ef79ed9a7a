"""Re-points all that names a profile to another one; each table is in `REFERENCES` or `HISTORY`, as a test proves."""

from dataclasses import dataclass

from cdp_sync.warehouse.events import event_columns
from cdp_sync.warehouse.session import Session


@dataclass(frozen=True)
class Reference:
    """A table whose rows follow their profile.

    Args:
        table: Its name in `warehouse`.
        key: The columns that identify a row together with the profile; empty where a profile may have equal rows.
        column: The column with the profile.
        first: Of several rows with one key, the row that stays: the first by this order. `replaced` is true for a row
            of a profile that is re-pointed, so by default the target's own row stays, and else the one written last.
    """

    table: str
    key: tuple[str, ...] = ()
    column: str = "profile_id"
    first: str = "replaced, place desc"


REFERENCES = (
    Reference("profile", column="merged_into"),
    Reference("profile_identifier", ("property", "value")),
    Reference("imported_profile", ("connection",)),
    Reference("imported_row"),
    Reference("keyed_row"),
    Reference("exported_profile", ("goal_number",)),
    Reference("exported_event_profile", ("goal_number",)),
    Reference("list_member", ("connection", "goal", "list")),
    # Of two runs that did not record how they ended the first counts: it may have put the profile on the list.
    Reference("list_intent", ("connection", "goal"), first="began"),
)

HISTORY = ("profile_change", "changed_value", "quarantine")
"""Tables whose rows say what happened to a profile under the id that it had then."""


def repoint_profiles(session: Session, pairs: str) -> None:
    """Make all that names one profile name another, in the caller's transaction. Idempotent.

    Where both profiles have a row under the same key, one of the two rows stays. The columns of `profile` are left
    alone: which values the target takes over is decided by the caller, who keeps `profile_identifier` equal to them.
    `pairs` is a table with `old_id` (once each) and `new_id`, both uuid; no `new_id` is an `old_id`.
    """
    session.execute(_CREATORS.format(pairs=pairs))
    for reference in REFERENCES:
        names = {"pairs": pairs, "table": reference.table, "column": reference.column}
        if reference.key:
            key = ", ".join(reference.key)
            session.execute(_COLLIDING.format(**names, key=key, first=reference.first))
        session.execute(_REPOINTED.format(**names))
    for event_type in event_columns(session):
        session.execute(_REPOINTED.format(pairs=pairs, table=f"event_{event_type}", column="profile_id"))


_CREATORS = """
insert into warehouse.imported_profile
select known.connection, pairs.new_id
from {pairs} pairs
join warehouse.profile old on old.profile_id = pairs.old_id
join warehouse.profile new on new.profile_id = pairs.new_id
join warehouse.connection_number known on known.number = old._created_by
where new._created_by is distinct from old._created_by"""
"""The connection that created the replaced profile has imported the target as well."""

_COLLIDING = """
delete from warehouse.{table}
where rowid in (
    select place
    from (
        select row.rowid as place, row.*, pairs.old_id is not null as replaced,
            coalesce(pairs.new_id, row.{column}) as target
        from warehouse.{table} row
        left join {pairs} pairs on pairs.old_id = row.{column}
        where row.{column} in (select old_id from {pairs} union all select new_id from {pairs})
    )
    qualify row_number() over (partition by target, {key} order by {first}) > 1
)"""

_REPOINTED = """
update warehouse.{table} row
set {column} = pairs.new_id
from {pairs} pairs
where row.{column} = pairs.old_id"""
