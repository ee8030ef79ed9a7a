"""What a lake does where its store, its format or its catalog is not in order: a clear error, and nothing half done."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_sync.errors import DiskFull, WarehouseUnreachable, WarehouseUnusable
from cdp_sync_tests.disks import Small
from cdp_sync_tests.lakes import Lakes
from cdp_sync_tests.services import Service

if TYPE_CHECKING:
    from cdp_sync.warehouse.backend.lake import Lake

MANY = """insert into warehouse.watermark by name
select 'c' || range as connection, repeat(md5(range::text), 20) as value from range(20000)"""
"""More than stays in the catalog: 13 MB that hardly compress."""
COUNT = "select count(*) from warehouse.watermark"


def write(lake: "Lake", before_commit: Callable[[], object] = lambda: None) -> None:
    """Write to the store in one transaction."""
    with lake.open("write") as session:
        session.begin()
        session.execute(MANY)
        before_commit()
        session.commit()


def count(lake: "Lake") -> int:
    """Return how many rows have landed."""
    with lake.open("read") as session:
        return int(session.value(COUNT))


def test_a_store_that_is_no_folder(lake: "Lake") -> None:
    """A file stands where the store was: the error names it, and the lake goes on when the folder is back."""
    folder = Path(lake.data)
    shutil.move(folder, folder.with_name("aside")) if folder.exists() else None
    folder.touch()
    with pytest.raises(WarehouseUnusable, match="files"):
        write(lake)
    folder.unlink()
    if folder.with_name("aside").exists():
        shutil.move(folder.with_name("aside"), folder)
    assert count(lake) == 0
    write(lake)
    assert count(lake) == 20_000


def fill_up(lake: "Lake") -> None:
    """Write until something fails."""
    for _ in range(100):
        write(lake)


def test_a_full_store(made_lakes: Lakes, small: Small, tmp_path: Path) -> None:
    """A transaction that does not fit fails as a whole, and says that the disk is full."""
    from cdp_sync.warehouse.backend.lake import Lake

    catalog = made_lakes.server.database("lake_on_a_small_disk")
    lake = Lake(tmp_path / "here" / "lake", 20, catalog=catalog, data=str(small(32) / "files"))
    made_lakes.make(lake)
    with pytest.raises(DiskFull):
        fill_up(lake)
    before = count(lake)
    assert before % 20_000 == 0
    with lake.open("write") as session:  # a small one stays in the catalog
        session.begin()
        session.execute("insert into warehouse.watermark by name select 'last' as connection, 'v' as value")
        session.commit()
    assert count(lake) == before + 1


def test_a_lake_of_a_newer_format(lake: "Lake", server: Service) -> None:
    """It is neither read nor migrated."""
    database = lake.catalog.rpartition("dbname=")[2]
    server.sql("update ducklake_metadata set value = '9.9' where key = 'version'", database)
    for access in ("read", "write"):
        with pytest.raises(WarehouseUnusable, match="format that this version of DuckDB does not know"):
            lake.open(access).__enter__()  # type: ignore[arg-type]


def test_a_machine_that_names_another_store(lake: "Lake", tmp_path: Path) -> None:
    """Files of one lake do not get into two places."""
    write(lake)
    with pytest.raises(WarehouseUnusable, match="elsewhere than CDP_SYNC_WAREHOUSE_DATA says"):
        write(replace(lake, data=str(tmp_path / "elsewhere")))
    assert count(lake) == 20_000


def test_a_session_that_is_cut_before_it_commits(lake: "Lake", server: Service) -> None:
    """The catalog's connections are ended within the transaction: nothing of it has landed, and the turn is free."""
    database = lake.catalog.rpartition("dbname=")[2]
    cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
    with pytest.raises(WarehouseUnreachable):
        write(lake, lambda: server.sql(cut))
    assert count(lake) == 0
    write(lake)
    assert count(lake) == 20_000
