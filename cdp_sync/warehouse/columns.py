"""All columns that segments and exports can read."""

from cdp_sync.model import Profiles
from cdp_sync.warehouse.events import check_event_types, event_columns, item_columns
from cdp_sync.warehouse.properties import check_types, profile_columns, stored_columns
from cdp_sync.warehouse.session import Session


def warehouse_columns(session: Session) -> dict[str, str]:
    """Return the columns of the warehouse and their SQL types, by name.

    `city` is a column of profiles, `event_order.coupon` one of events of a type, `event_order.products.netprice` a
    field of the items in one of its lists, `group_store.city` a column of groups of a type.
    """
    query = """
        select table_name || '.' || column_name, data_type
        from duckdb_columns()
        where database_name = 'warehouse' and schema_name = 'main'
            and (starts_with(table_name, 'event_') or starts_with(table_name, 'group_'))"""
    further = dict(session.rows(query))
    lists = {name: item_columns(kind) for name, kind in further.items() if kind.endswith(")[]")}
    fields = {f"{name}.{field}": kind for name, items in lists.items() for field, kind in (items or {}).items()}
    return {**profile_columns(session), **further, **fields}


def readable_columns(session: Session, profiles: Profiles) -> dict[str, str]:
    """Return the same, after it is verified that they have the declared types.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; where several do, all are named.
    """
    columns = warehouse_columns(session)
    for records in (profiles, *profiles.group_types):
        check_types(records, columns if records is profiles else stored_columns(session, records.table))
    if profiles.event_types:
        check_event_types(profiles, event_columns(session))
    return columns
