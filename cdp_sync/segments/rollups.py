"""The values of properties as SQL expressions over a profile: a column, what a rollup makes of the events, or a score.

A rollup is a scalar subquery that names the profile. DuckDB makes one join with an aggregate of it, and one for all
that are alike: measured over 5 million events, within twice the time of a join that is written by hand.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import aggregate_order_by

from cdp_sync.model import Profiles, Property, Rollup
from cdp_sync.segments.events import PROFILE_ID, Events
from cdp_sync.segments.questions import Columns, OverEach, Value, column_of, nothing
from cdp_sync.segments.statements import SqlType


def value_of(prop: Property, profiles: Profiles, now: datetime, columns: Columns = None) -> Value:
    """Return the value of a readable property: its column, the value of the rollup of this name, or its percentile.

    A property that `columns`, those of the warehouse, does not hold is empty; a count of events without table is 0.
    """
    if prop.name in profiles.score:
        return _percentile(prop)
    rollup = profiles.rollup.get(prop.name)
    if rollup is None:
        return column_of(prop, columns)
    events = Events(profiles.event[rollup.event], now, columns)
    if not events.are_stored:
        return sa.cast(sa.literal_column("0"), SqlType(prop.sql_type)) if rollup.count else nothing(prop)
    made = sa.select(_aggregate(rollup, prop, events)).select_from(events.table)
    made = made.where(events.column("profile_id") == PROFILE_ID, *events.counted(rollup.where, rollup))
    return sa.type_coerce(made.scalar_subquery(), SqlType(prop.sql_type))


def _percentile(prop: Property) -> Value:
    """Return the percentile of a score as it was last computed; null where the profile has none."""
    table = sa.table("score", schema="warehouse").alias("score")
    name: Value = sa.literal_column("score.score")
    owner: Value = sa.literal_column("score.profile_id")
    percentile: Value = sa.literal_column("max(score.percentile)")
    is_this = name == sa.bindparam("score", prop.name, unique=True)
    found = sa.select(percentile).select_from(table).where(is_this, owner == PROFILE_ID)
    return sa.cast(found.scalar_subquery(), SqlType(prop.sql_type))


def _aggregate(rollup: Rollup, prop: Property, events: Events) -> Value:
    """Return the aggregate of events that a rollup is, in the type of the property that it is read as."""
    if rollup.count:
        return func.count()
    value, is_list = _value(rollup, events)
    match rollup.aggregate:
        case "first" | "last":
            return _at_end(rollup, value, events)
        case "all_values" | "most_frequent":
            return _of_all(rollup, func.flatten(func.list(value)) if is_list else func.list(value))
        case "minimum":
            return func.min(func.list_min(value) if is_list else value)
        case "maximum":
            return func.max(func.list_max(value) if is_list else value)
    made: Value = func.sum(func.list_sum(value) if is_list else value)
    if rollup.aggregate == "average":
        made = made.op("/")(func.sum(func.list_count(value))) if is_list else func.avg(value)
    return sa.TryCast(made, SqlType(prop.sql_type))


def _at_end(rollup: Rollup, value: Value, events: Events) -> Value:
    """Return the value in the earliest or latest event; of a list of items, that of its first or last one."""
    if len(rollup.path) > 1:
        value = func.list_extract(value, 1 if rollup.first else -1)
    # Of events at the same time, the id decides: the value must not differ from one run to the next.
    ordered = aggregate_order_by(value, events.column("happened_at"), events.column("event_id"))
    made: Value = getattr(func, rollup.aggregate)(ordered)
    return made


def _of_all(rollup: Rollup, every: Value) -> Value:
    """Return what a rollup makes of the list of all values: each once, or the one that occurs most often."""
    if rollup.most_frequent:
        # Of values that are equally frequent, DuckDB's mode is the first one.
        return func.list_aggregate(func.list_sort(every), sa.literal_column("'mode'"))
    return func.nullif(func.list_sort(func.list_distinct(every)), sa.literal_column("[]"))


def _value(rollup: Rollup, events: Events) -> tuple[Value, bool]:
    """Return what a rollup is made of in one event: a value, or a list of them."""
    name, *item = rollup.path
    prop = events.type.by_name[name]
    if not item:
        return events.value(prop), prop.multiple
    return func.list_transform(events.value(prop), OverEach(events.field(prop, prop.item[item[0]]))), True
