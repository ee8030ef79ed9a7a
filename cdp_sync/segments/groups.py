"""Conditions about the groups of profiles, as SQL. Never null. A group that is not imported yet has no properties."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.sql.selectable import NamedFromClause

from cdp_sync.model import GROUP_ID, Condition, GroupType, Profiles, Property
from cdp_sync.segments.questions import Columns, Holds, Value, column_of, holds, known, nothing
from cdp_sync.segments.statements import SqlType


def group_value(holder: str, prop: Property, profiles: Profiles, columns: Columns) -> Value:
    """Return what the groups that a property holds have for one of their properties: `prop`, as a profile has it.

    Of several groups, or several values, it is each value once, in ascending order.
    """
    held = profiles.by_name[holder]
    group = profiles.group[str(held.group_type)]
    if columns is not None and f"{group.table}.{GROUP_ID}" not in columns:
        return nothing(prop)
    own = group.by_name[prop.name]
    table, value, mine = _table(group), column_of(own, columns, group.table), column_of(held, columns)
    if not held.multiple:
        found = sa.select(func.any_value(value)).select_from(table).where(_id(group) == mine)
        return sa.type_coerce(found.scalar_subquery(), SqlType(prop.sql_type))
    ids = sa.select(func.unnest(mine).label("id")).subquery("ids")
    every = func.flatten(func.list(value)) if own.multiple else func.list(value)
    made = func.nullif(func.list_sort(func.list_distinct(every)), sa.literal_column("[]"))
    found = sa.select(made).select_from(table.join(ids, _id(group) == ids.c.id))
    return sa.type_coerce(found.scalar_subquery(), SqlType(prop.sql_type))


def belongs(when: Condition, profiles: Profiles, now: datetime, columns: Columns) -> Holds:
    """Return the condition that one of the groups that a property names meets a declared condition."""
    prop = profiles.by_name[str(when.group)]
    group = profiles.group[str(prop.group_type)]
    if columns is not None and f"{group.table}.{GROUP_ID}" not in columns:
        return sa.false()
    values = {each.name: (each, column_of(each, columns, group.table)) for each in group.every}
    table, ids = _table(group), _id(group)
    met, mine = holds(when.part, values, now), column_of(prop, columns)
    if prop.multiple:
        every = sa.select(func.list(ids)).select_from(table).where(met).scalar_subquery()
        return known(func.list_has_any(mine, every))
    return known(mine.in_(sa.select(ids).select_from(table).where(met, ids.is_not(None))))


def _table(group: GroupType) -> NamedFromClause:
    return sa.table(group.table, schema="warehouse").alias(group.table)


def _id(group: GroupType) -> Value:
    return sa.literal_column(f'"{group.table}".{GROUP_ID}')
