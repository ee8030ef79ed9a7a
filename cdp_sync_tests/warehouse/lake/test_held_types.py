"""What a lake writes to Parquet comes back as it was: each type that tables have, at its borders."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_sync_tests.warehouse.held_types import HELD

if TYPE_CHECKING:
    from cdp_sync.warehouse.backend.lake import Lake

ROWS = 1000
"""More than stay in the catalog."""


@pytest.mark.parametrize("kind", HELD)
def test_a_value_comes_back_as_it_was(kind: str, lake: "Lake") -> None:
    """Its type and its value, also null, after it was written to a file and read in another session."""
    every = ", ".join(f"(({value})::{kind})" for value in (*HELD[kind], "null"))
    kept = "select of::varchar, typeof(of), count(*) from {} group by all order by all"
    with lake.open("write") as session:
        session.execute(f"create temp table given as select of from (values {every}) v(of), range({ROWS})")
        session.execute(f"create table warehouse.held (of {kind})")
        session.execute("insert into warehouse.held from given")
        given = session.rows(kept.format("given"))
    assert any("held" in file.parts for file in Path(lake.data).rglob("*.parquet"))
    with lake.open("read") as session:
        assert session.rows(kept.format("warehouse.held")) == given
