"""A lake of each test: a database of one PostgreSQL, and a folder."""

import importlib.util
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_sync_tests.lakes import Lakes
from cdp_sync_tests.services import Service, postgres

if TYPE_CHECKING:
    from cdp_sync.warehouse.backend.lake import Lake

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def made_lakes(all_lakes: Lakes | None) -> Iterator[Lakes]:
    """PostgreSQL, and what makes lakes in it: those of all tests, where these run on lakes."""
    if all_lakes:
        yield all_lakes
        return
    if importlib.util.find_spec("duckdb_extensions") is None:
        pytest.skip("the extra ducklake is not installed")
    with postgres() as started:
        yield Lakes(started)


@pytest.fixture(scope="session")
def server(made_lakes: Lakes) -> Service:
    """PostgreSQL."""
    return made_lakes.server


@pytest.fixture
def lake(made_lakes: Lakes, tmp_path: Path) -> "Lake":
    """A lake that was made."""
    from cdp_sync.warehouse.backend.lake import Lake

    catalog = made_lakes.server.database(f"lake_{next(_NUMBERS)}")
    made = Lake(tmp_path / "here" / "lake", 20, catalog=catalog, data=str(tmp_path / "files"))
    made_lakes.make(made)
    return made
