"""The session of a run: kept from step to step while what is staged is small."""

from pathlib import Path

import pytest

from cdp_sync.importing import run as runs
from cdp_sync.warehouse import instances
from cdp_sync_tests.trail.importer import Importer


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_small_staging_file_stays_open_for_the_next_step(
    large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next step has the same session, or where much is staged one of its own; the rows are there either way."""
    if large:
        monkeypatch.setattr(runs, "_LARGEST_KEPT", 0)
    run = Importer(tmp_path).new_run()
    with run.open("none") as first:
        first.execute("create table staging.one as select 1 as x")
    with run.open("none") as second:
        assert (second is first) is not large
        assert second.value("select x from staging.one") == 1
    run.close()


def test_after_an_import_nobody_holds_the_staging_file(tmp_path: Path) -> None:
    """It is closed once the profiles are written, so that it can be removed."""
    importer = Importer(tmp_path)
    importer.deliver({"/a.csv": "Email,Name\na@x,Ann\n"})
    assert instances.instances._kept is None
