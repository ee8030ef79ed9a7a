"""DuckDB and nothing else: opening, migrations, fixed SQL, ledger and history. Knows no server, no Dagster."""

from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse.backend import Access, Warehouse
from cdp_sync.warehouse.session import Session, Step, fixed, statement

__all__ = ["Access", "Session", "Step", "Warehouse", "fixed", "quote_identifier", "quote_literal", "statement"]
