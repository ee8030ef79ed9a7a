"""Opens the warehouse: as late and as briefly as possible, waiting for the process that holds it.

DuckDB lets one process write at a time, and while one writes no other can open the file. These parts rely on it; a
backend with several writers has to guarantee the same for each session that writes, by one lock across machines:

- `next_number` gives the next number of a table without a sequence.
- `sync_properties` adds columns in a transaction of its own, before the one that lands the rows.
- New profiles are recognized by `created_at`: the time of a run is later than the creation of any earlier profile.
- `begin_at` refuses to land what was linked against an earlier revision, so that this rule does not rely on the lock.
"""

from cdp_sync.warehouse.backend.identity import Identity, give_to, identity_of
from cdp_sync.warehouse.backend.migrating import Migration, latest_version, migrate, migrations, version_of
from cdp_sync.warehouse.backend.revision import begin_at, next_number, revision_of
from cdp_sync.warehouse.backend.setting import named_warehouse, names_lake, warehouse_setting
from cdp_sync.warehouse.backend.warehouse import NEW, Access, Guard, Warehouse

__all__ = [
    "NEW",
    "Access",
    "Guard",
    "Identity",
    "Migration",
    "Warehouse",
    "begin_at",
    "give_to",
    "identity_of",
    "latest_version",
    "migrate",
    "migrations",
    "named_warehouse",
    "names_lake",
    "next_number",
    "revision_of",
    "version_of",
    "warehouse_setting",
]
