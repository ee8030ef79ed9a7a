"""Keeps a table for each declared type of event."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import duckdb
from duckdb.sqltypes import DuckDBPyType

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import EventProperty, EventType, Profiles
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.clock import touch
from cdp_sync.warehouse.properties import type_changed
from cdp_sync.warehouse.session import Session

FIRST = {
    "event_id": "VARCHAR",
    "profile_id": "UUID",
    "happened_at": "TIMESTAMP WITH TIME ZONE",
    "_written_at": "TIMESTAMP WITH TIME ZONE",
    "connection": "VARCHAR",
    "goal": "VARCHAR",
    "run_id": "VARCHAR",
    "_named_profile": "UUID",
}
"""The columns of every type, before its properties. An event whose person or time is not known yet has none there.

`_named_profile` is the profile that rows named, while it is merged into that of `profile_id`; null otherwise.
`_written_at` is when a run last changed the event: it never decreases from one row to the next that is inserted.
"""

EventColumns = Mapping[str, Mapping[str, str]]
"""The columns of the tables of events and their SQL types, by type of event; without types that have no table yet."""


def sync_events(session: Session, profiles: Profiles) -> None:
    """Make the tables of new types of events, and add the columns of new properties, also those of items.

    A type or property that is no longer declared keeps its values.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; nothing is changed then.
    """
    if not profiles.event_types:
        return
    stored = event_columns(session)
    check_event_types(profiles, stored)
    statements = [sql for event in profiles.event_types for sql in _missing(event, stored.get(event.name))]
    if statements:
        session.begin()
        for sql in statements:
            session.execute(sql)
        session.commit()


def event_columns(session: Session) -> EventColumns:
    """Return the columns of the tables of events, by type."""
    query = """
        select table_name[7:], map_from_entries(list((column_name, data_type) order by column_index))
        from duckdb_columns()
        where database_name = 'warehouse' and schema_name = 'main' and starts_with(table_name, 'event_')
        group by table_name"""
    return {name: dict(columns) for name, columns in session.rows(query)}


def check_event_types(profiles: Profiles, stored: EventColumns) -> None:
    """Make sure that stored columns have the declared types.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; where several do, all are named.
    """
    if problems := event_type_problems(profiles, stored):
        raise PropertyTypeChanged("\n".join(map(str, problems)))


def event_type_problems(profiles: Profiles, stored: EventColumns) -> list[PropertyTypeChanged]:
    """Return an error for each property of an event, or of its items, whose declared type differs from the column's."""
    problems = []
    for event in profiles.event_types:
        for prop in event.properties:
            held = stored.get(event.name, {}).get(prop.name)
            for path, found, wanted in _differences(prop, held):
                named, column = f"{path!r} of the event {event.name!r}", _converted(prop, held)
                problems.append(type_changed(named, found, wanted, event.table, prop, column=column))
    return problems


def undeclared_events(session: Session, profiles: Profiles) -> dict[str, int]:
    """Return how many events there are of each type that is not declared any more; types without any are left out."""
    names = sorted(set(event_columns(session)) - set(profiles.event))
    counts = {
        name: session.value(f"select count(*) from warehouse.{quote_identifier(f'event_{name}')}") for name in names
    }
    return {name: int(count) for name, count in counts.items() if count}


def count_expired(session: Session, profiles: Profiles, now: datetime) -> dict[str, int]:
    """Return how many events are older than their type keeps them, by type; types without any are left out."""
    stored = event_columns(session)
    found = {}
    for event in (event for event in profiles.event_types if event.keep_days and event.name in stored):
        query = f"select count(*) from {_named(event)} where happened_at < $before"
        found[event.name] = int(session.value(query, _expiry(event, now)))
    return {name: count for name, count in found.items() if count}


def expire_events(session: Session, profiles: Profiles, now: datetime) -> dict[str, int]:
    """Remove the events that are older than their type keeps them, in one transaction; return how many, by type.

    Their ids stay known as digests, so that an old file does not bring them back.
    """
    found = count_expired(session, profiles, now)
    session.begin()
    for event in (profiles.event[name] for name in found):
        values = _expiry(event, now)
        session.execute(
            f"""insert into warehouse.expired_event
            select $type, uuid_of(md5_number(event_id)) from {_named(event)} where happened_at < $before""",
            {**values, "type": event.name},
        )
        owners = f"select profile_id from {_named(event)} where happened_at < $before and profile_id is not null"
        touch(session, now, owners, values)
        session.execute(f"delete from {_named(event)} where happened_at < $before", values)
    session.execute("update warehouse.revision set number = number + 1")
    session.commit()
    return found


def _expiry(event: EventType, now: datetime) -> dict[str, object]:
    return {"before": now - timedelta(days=event.keep_days or 0)}


def _named(event: EventType) -> str:
    """Return the table of a type, as SQL names it."""
    return f"warehouse.{quote_identifier(event.table)}"


def _differences(prop: EventProperty, stored: str | None) -> list[tuple[str, str, str]]:
    """Return what differs in a property: its path, the stored type and the declared one."""
    if stored is None:
        return []
    fields = item_columns(stored)
    if not prop.items or fields is None:
        different = stored != prop.sql_type if not prop.items else fields is None
        return [(prop.name, stored, "a list of items" if prop.items else prop.sql_type)] if different else []
    return [
        (f"{prop.name}.{item.name}", found, item.sql_type)
        for item in prop.items
        if (found := fields.get(item.name, item.sql_type)) != item.sql_type
    ]


def _converted(prop: EventProperty, stored: str | None) -> str:
    """Return the type of a column with the declared types; its items keep the fields that are not declared."""
    fields = (item_columns(stored) if prop.items and stored else None) or {}
    fields |= {item.name: item.sql_type for item in prop.items}
    items = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in fields.items())
    return f"STRUCT({items})[]" if fields else prop.sql_type


def item_columns(stored: str) -> dict[str, str] | None:
    """Return the fields of a list of structs and their SQL types; None for any other type."""
    kind = duckdb.sqltype(stored)
    if kind.id != "list":
        return None
    [(_, item)] = kind.children
    if not (isinstance(item, DuckDBPyType) and item.id == "struct"):
        return None
    return {str(name): str(field) for name, field in item.children}


def _missing(event: EventType, stored: Mapping[str, str] | None) -> list[str]:
    """Return the statements that make a table, or add what it lacks."""
    table = _named(event)
    if stored is None:
        declared = {**FIRST, **{prop.name: prop.sql_type for prop in event.properties}}
        columns = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in declared.items())
        return [f"create table {table} ({columns})"]
    statements = [f"alter table {table} add column {name} {kind}" for name, kind in FIRST.items() if name not in stored]
    for prop in event.properties:
        name = quote_identifier(prop.name)
        if prop.name not in stored:
            statements.append(f"alter table {table} add column {name} {prop.sql_type}")
            continue
        known = item_columns(stored[prop.name]) or {} if prop.items else {}
        for item in prop.items:
            if item.name not in known:
                field = f"{name}.element.{quote_identifier(item.name)}"
                statements.append(f"alter table {table} add column {field} {item.sql_type}")
    return statements
