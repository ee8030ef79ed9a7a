"""Fixtures shared by several packages. Slow imports are made inside the fixtures that need them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cdp_sync_tests.disks import small
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.lakes import ON_LAKES, Lakes, lakes
from cdp_sync_tests.projects import project

__all__ = ["project", "small"]

settings.load_profile("always")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty warehouse to which all migrations were applied."""
    from cdp_sync.warehouse import Warehouse

    made = Warehouse(tmp_path_factory.mktemp("migrated") / "warehouse.duckdb")
    with made.open("write"):
        return made.path


@pytest.fixture(scope="session", autouse=True)
def all_lakes() -> Iterator[Lakes | None]:
    """With `CDP_SYNC_TEST_LAKE=1` every warehouse is a lake, but for tests that are about the file: see `lakes`."""
    if not ON_LAKES:
        yield None
        return
    with lakes() as made:
        yield made


@pytest.fixture(autouse=True)
def new_warehouses(migrated: Path) -> Iterator[None]:
    """Make a new warehouse by copying the migrated file: to migrate each of them takes 0.1 s.

    Other processes migrate theirs, and so do tests that declare other migrations and those of the warehouse itself.
    """
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.backend import migrating

    attach, migrations = Warehouse._attach, migrating.migrations

    def attach_copy(warehouse: Warehouse, session: Any, path: Path, name: str, options: str = "") -> None:
        if name == "new" and migrating.migrations is migrations:
            shutil.copyfile(migrated, path)
        attach(warehouse, session, path, name, options)

    # With the test's own `monkeypatch`, that one would be undone after the project whose variables the test changes.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "_attach", attach_copy)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On lakes leave out what is about the file."""
    for item in items:
        if ON_LAKES and (mark := item.get_closest_marker("native")):
            item.add_marker(pytest.mark.skip(reason=f"about the file: {mark.args[0]}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed of the generated input in the summary."""
    terminalreporter.write_line(f"generated input: CDP_SYNC_SEED={SEED}")
