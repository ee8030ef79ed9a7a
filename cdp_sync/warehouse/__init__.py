"""DuckDB and nothing else: opening, migrations, fixed SQL, ledger and history. Knows no server, no Dagster."""

from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse.backend import Access, Warehouse
from cdp_sync.warehouse.columns import readable_columns, warehouse_columns
from cdp_sync.warehouse.events import (
    EventColumns,
    check_event_types,
    event_columns,
    event_type_problems,
    item_columns,
    sync_events,
)
from cdp_sync.warehouse.ledger import KnownFile, known_files, watermarks_of, write_watermarks
from cdp_sync.warehouse.properties import (
    Entity,
    check_types,
    profile_columns,
    stored_columns,
    sync_groups,
    sync_properties,
)
from cdp_sync.warehouse.session import Session, Step, fixed, statement
