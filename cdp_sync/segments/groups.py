"""Conditions about the groups of profiles, as SQL. Never null. A group that is not imported yet has no properties."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import func

from cdp_sync.model import GROUP_ID, Condition, Profiles
from cdp_sync.segments.questions import Columns, Holds, Value, column_of, holds, known


def belongs(when: Condition, profiles: Profiles, now: datetime, columns: Columns) -> Holds:
    """Return the condition that one of the groups that a property names meets a declared condition."""
    prop = profiles.by_name[str(when.group)]
    group = profiles.group[str(prop.group_type)]
    if columns is not None and f"{group.table}.{GROUP_ID}" not in columns:
        return sa.false()
    values = {each.name: (each, column_of(each, columns, group.table)) for each in group.every}
    table = sa.table(group.table, schema="warehouse").alias(group.table)
    ids: Value = sa.literal_column(f'"{group.table}".{GROUP_ID}')
    met, mine = holds(when.part, values, now), column_of(prop, columns)
    if prop.multiple:
        every = sa.select(func.list(ids)).select_from(table).where(met).scalar_subquery()
        return known(func.list_has_any(mine, every))
    return known(mine.in_(sa.select(ids).select_from(table).where(met, ids.is_not(None))))
