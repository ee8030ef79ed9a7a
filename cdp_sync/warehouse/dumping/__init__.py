"""Moves a whole warehouse: a dump is a folder with a Parquet file for each table, and a manifest of counts and digests.

Any backend and any version of DuckDB reads what another has dumped; a file of DuckDB 2 cannot be read by DuckDB 1.
Views and the tables' definitions are not dumped: migrations make them.
"""

from cdp_sync.warehouse.dumping.dump import dump
from cdp_sync.warehouse.dumping.manifest import Manifest, Table
from cdp_sync.warehouse.dumping.restore import restore

__all__ = ["Manifest", "Table", "dump", "restore"]
