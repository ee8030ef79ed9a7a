"""The same tests on a lake: what a test opens as a file is a lake with a PostgreSQL database of its own.

With `CDP_SYNC_TEST_LAKE=1` every warehouse of a test that is named by a path is made in DuckLake: a database beside
others in one PostgreSQL, and a folder for its files where the file would be. Other processes get the same by the
settings that they inherit. Tests that are about the file itself are marked `native`.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.services import Service, postgres

ON_LAKES = bool(os.environ.get("CDP_SYNC_TEST_LAKE"))
"""Whether warehouses of tests are lakes."""

_TEMPLATE = "migrated"
_running: dict[str, "Lakes"] = {}


def running_lakes() -> "Lakes | None":
    """Return the lakes that stand for files just now, if tests run on lakes."""
    return _running.get("lakes")


@dataclass
class Lakes:
    """The lakes of one process of tests."""

    server: Service
    known: set[str] = field(default_factory=set)
    """Databases that exist."""

    def settings(self, path: Path) -> dict[str, str]:
        """Return the settings by which a process finds the lake that stands for a file."""
        name = f"w{hashlib.sha256(str(path).encode()).hexdigest()[:20]}"
        if name not in self.known:
            self.server.database(name)
            self.known.add(name)
        catalog = f"host={self.server.host} port={self.server.port} user={self.server.user} dbname={name}"
        return {"CDP_SYNC_WAREHOUSE": f"ducklake:postgres:{catalog}", "CDP_SYNC_WAREHOUSE_DATA": f"{path}.files"}

    def lake(self, warehouse: Any) -> Any:
        """Return the lake that stands for a warehouse in a file."""
        from cdp_sync.warehouse.backend.lake import Lake

        settings = self.settings(warehouse.path)
        catalog = settings["CDP_SYNC_WAREHOUSE"].removeprefix("ducklake:postgres:")
        return Lake(
            warehouse.path.with_name("lake"), warehouse.lock_timeout, warehouse.memory_limit,
            catalog=catalog, data=settings["CDP_SYNC_WAREHOUSE_DATA"],
        )  # fmt: skip

    def make(self, lake: Any) -> None:
        """Make a lake by copying the catalog of a migrated one: to migrate each of them takes seconds."""
        name = lake.catalog.rpartition("dbname=")[2]
        if _TEMPLATE not in self.known:
            from cdp_sync.warehouse.backend.lake import Lake

            self.known.add(_TEMPLATE)
            catalog = self.server.database(_TEMPLATE)
            with Lake(lake.path, catalog=catalog, data=str(lake.path.parent / "template")).open("write"):
                pass
        self.server.sql(f'drop database "{name}"')
        self.server.sql(f'create database "{name}" template "{_TEMPLATE}"')
        self.server.sql(f"update ducklake_metadata set value = '{lake.data}/' where key = 'data_path'", name)


@contextmanager
def lakes() -> Iterator[Lakes]:
    """Start PostgreSQL, and let every warehouse in a file be a lake inside the block."""
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.backend import migrating

    migrations = migrating.migrations
    with postgres() as server, pytest.MonkeyPatch.context() as patch:
        made = Lakes(server)

        def open_lake(warehouse: Any, session: Any, access: str, held: ExitStack) -> None:
            lake = made.lake(warehouse)
            if access == "write" and migrating.migrations is migrations and not lake.exists():
                made.make(lake)
            lake._open_warehouse(session, access, held)

        patch.setitem(_running, "lakes", made)
        patch.setattr(Warehouse, "_open_warehouse", open_lake)
        patch.setattr(Warehouse, "exists", lambda warehouse: made.lake(warehouse).exists())
        patch.setattr(Warehouse, "state", lambda warehouse: made.lake(warehouse).state())
        patch.setattr(Warehouse, "copy_to", lambda warehouse, path: made.lake(warehouse).copy_to(path))
        patch.setattr(Warehouse, "verify_room", lambda warehouse, size: made.lake(warehouse).verify_room(size))
        yield made
