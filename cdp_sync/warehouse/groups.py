"""What the warehouse knows of one group."""

from typing import Any

from cdp_sync.model import GROUP_ID, GroupType, Profiles
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.properties import profile_columns, stored_columns
from cdp_sync.warehouse.session import Session

_HIDDEN = ("_group", "_created_by")


def group_named(session: Session, group: GroupType, group_id: str) -> dict[str, Any] | None:
    """Return the group of this id: its values, and when it was created and last changed; None where it is not there."""
    shown = [quote_identifier(name) for name in stored_columns(session, group.table) if name not in _HIDDEN]
    if not shown:
        return None
    query = f"select {', '.join(shown)} from warehouse.{group.table} where {GROUP_ID} = ?"
    return next(iter(session.records(query, [group_id.strip()])), None)


def count_members(session: Session, profiles: Profiles, group: GroupType, group_id: str) -> dict[str, int]:
    """Return how many live profiles hold this id, by the property that holds it."""
    stored = profile_columns(session)
    counts = {}
    for prop in profiles.properties:
        if prop.group_type == group.name:
            name = quote_identifier(prop.name)
            holds = f"list_contains({name}, ?)" if prop.multiple else f"{name} = ?"
            query = f"select count(*) from warehouse.live_profile where {holds}"
            counts[prop.name] = int(session.value(query, [group_id.strip()])) if prop.name in stored else 0
    return counts
