"""Which warehouse a project has: the setting `CDP_SYNC_WAREHOUSE`."""

import os
import re
from pathlib import Path

from cdp_sync.errors import SettingUnusable
from cdp_sync.warehouse.backend.warehouse import Warehouse

SETTING, DATA_SETTING = "CDP_SYNC_WAREHOUSE", "CDP_SYNC_WAREHOUSE_DATA"

_LAKE = "ducklake:"
_POSTGRES = f"{_LAKE}postgres:"


def warehouse_setting(folder: Path) -> str:
    """Return the setting, or the file in the data folder that is the warehouse without one."""
    return os.environ.get(SETTING, "").strip() or str(folder / "warehouse.duckdb")


def names_lake(named: str) -> bool:
    """Return whether a setting names a lake, not a file."""
    return named.startswith(_LAKE)


def named_warehouse(named: str, folder: Path, lock_timeout: float = 120.0) -> Warehouse:
    """Return the warehouse that a setting names.

    Args:
        named: The path of a file, or `ducklake:postgres:dbname=… host=…`.
        folder: The data folder of this machine, where a lake spills what does not fit into memory.
        lock_timeout: Seconds to wait for the process that writes.

    Raises:
        SettingUnusable: It names neither, or holds a password.
    """
    if not names_lake(named):
        return Warehouse(Path(named).absolute(), lock_timeout)
    from cdp_sync.warehouse.backend.lake import Lake

    catalog, data = named.removeprefix(_POSTGRES), os.environ.get(DATA_SETTING, "").strip()
    if not named.startswith(_POSTGRES) or "dbname=" not in catalog:
        raise SettingUnusable(
            f"{SETTING} names a lake without a PostgreSQL database.",
            needed="Needed is `ducklake:postgres:dbname=NAME host=HOST`, with whatever else libpq takes.",
            remedy=f"Correct {SETTING}.",
        )
    if re.search(r"\bpassword\s*=", catalog):
        raise SettingUnusable(
            f"{SETTING} holds a password.",
            needed="Settings are shown; the password has to come from PGPASSWORD or from a password file.",
            remedy="Take it out, and change it: it may have been logged.",
        )
    if not data:
        raise SettingUnusable(
            f"{DATA_SETTING} is not set.",
            needed="A lake needs a folder that all machines share, or `s3://BUCKET/PREFIX`.",
            remedy=f"Set {DATA_SETTING}.",
        )
    where = data if data.startswith("s3://") else str(Path(data).absolute())
    return Lake(folder / "lake", lock_timeout, catalog=catalog, data=where.rstrip("/"))
