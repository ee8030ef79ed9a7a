"""Files as partitions: their status in the catalog, and repeated imports of selected ones."""

import os
from collections.abc import Iterable
from typing import Any

import dagster as dg
import paramiko
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from cdp_sync.orchestration.goals.files import files_key, partitions_of
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.projects import QUIET, Project, goal

SUMMED = goal(map=[{"field": "Total", "property": "total", "mode": "sum"}])
FILES = files_key("shop", "customers")
FIRST, SECOND, THIRD = (f"customers_{number}.csv" for number in (1, 2, 3))


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with a goal that sums amounts, and two files on the server."""
    project.connect("shop", SUMMED)
    project.deliver(f"/inbox/{FIRST}", "Email,Total\nada@example.com,1.5\n")
    project.deliver(f"/inbox/{SECOND}", "Email,Total\nbob@example.com,2\n", minutes=1)
    return project


def status(project: Project, instance: dg.DagsterInstance) -> dict[str, set[str]]:
    """Return the files by their status in the catalog."""
    definition = partitions_of("shop", "customers")
    cached = get_and_update_asset_status_cache_value(instance, FILES, definition)
    assert cached
    known = set(instance.get_dynamic_partitions("shop__customers__files"))
    imported = set(cached.deserialize_materialized_partition_subsets(definition).get_partition_keys())
    failed = set(cached.deserialize_failed_partition_subsets(definition).get_partition_keys())
    return {"imported": imported - failed, "failed": failed, "missing": known - imported - failed}


def totals(project: Project) -> dict[str, float]:
    """Return the total of each profile."""
    with project.warehouse.open("read") as session:
        return {email: float(total) for email, total in session.rows("select email, total from warehouse.profile")}


def backfill(project: Project, instance: dg.DagsterInstance, names: Iterable[str]) -> dg.ExecuteInProcessResult:
    """Materialize a range of partitions as a backfill does."""
    first, *_, last = sorted(names) * 2
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    job = project.load().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, raise_on_error=False, run_config=QUIET, asset_selection=[FILES], tags=tags
    )


def counters(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Return the latest metadata of the goal."""
    made = instance.get_latest_materialization_event(dg.AssetKey(["shop", "customers"]))
    assert made
    assert made.asset_materialization
    return {name: value.value for name, value in made.asset_materialization.metadata.items()}


def test_every_file_is_a_partition(shop: Project, instance: dg.DagsterInstance) -> None:
    """An imported file is materialized and an incomplete one is missing.

    A run without a selection needs no partition.
    """
    shop.connect("shop", SUMMED | {"complete": {"marker": "{name}.done"}})
    shop.deliver(f"/inbox/{FIRST}.done", "")
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST}, "failed": set(), "missing": {SECOND}}


def test_a_rejected_file_is_failed_until_it_is_corrected(shop: Project, instance: dg.DagsterInstance) -> None:
    """A rejected file is failed until it is corrected; the other files of the run are materialized."""
    shop.deliver(f"/inbox/{THIRD}", "Mail;Total\nada@example.com;3\n", minutes=2)
    assert not shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND}, "failed": {THIRD}, "missing": set()}
    shop.deliver(f"/inbox/{THIRD}", "Email,Total\nada@example.com,3\n", minutes=3)
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND, THIRD}, "failed": set(), "missing": set()}


def test_files_of_a_broken_run_are_failed(
    shop: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a run that ends early, every file it was to import is failed."""
    monkeypatch.setattr("cdp_sync.importing.pipeline.parse_files", lambda *_, **__: 1 / 0)
    assert not shop.run("shop_sync", instance).success
    assert status(shop, instance)["failed"] == {FIRST, SECOND}


def test_a_backfill_imports_only_the_selected_files(shop: Project, instance: dg.DagsterInstance) -> None:
    """A backfill applies all rows of the selected file again, keeps sums, and leaves new files alone."""
    shop.run("shop_sync", instance)
    shop.deliver(f"/inbox/{THIRD}", "Email,Total\ncleo@example.com,4\n", minutes=5)
    result = backfill(shop, instance, [SECOND])
    assert result.success
    assert counters(instance)["rows_read"] == 1
    assert counters(instance)["rows_applied"] == 1
    assert totals(shop) == {"ada@example.com": 1.5, "bob@example.com": 2}
    assert status(shop, instance) == {"imported": {FIRST, SECOND}, "failed": set(), "missing": set()}


def test_a_backfill_imports_a_missing_file(shop: Project, instance: dg.DagsterInstance) -> None:
    """A backfill imports a file that was never imported, once."""
    shop.run("shop_sync", instance)
    shop.deliver(f"/inbox/{THIRD}", "Email,Total\nada@example.com,4\n", minutes=5)
    instance.add_dynamic_partitions("shop__customers__files", [THIRD])
    assert backfill(shop, instance, [THIRD]).success
    assert backfill(shop, instance, [FIRST, SECOND, THIRD]).success
    assert shop.run("shop_sync", instance).success
    assert totals(shop) == {"ada@example.com": 5.5, "bob@example.com": 2}


def test_a_selected_file_that_is_gone_is_named(shop: Project, instance: dg.DagsterInstance) -> None:
    """A selected file that is gone is named in the message; the other files land."""
    shop.run("shop_sync", instance)
    (shop.root / "inbox" / FIRST).unlink()
    result = backfill(shop, instance, [FIRST, SECOND])
    assert not result.success
    assert counters(instance)["rows_applied"] == 1
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert f"/inbox/{FIRST} failed: It is not on the server any more." in str(failed.step_failure_data)
    assert status(shop, instance) == {"imported": {SECOND}, "failed": {FIRST}, "missing": set()}


def test_the_run_config_selects_files(shop: Project, instance: dg.DagsterInstance) -> None:
    """A wildcard in the run config selects files."""
    chosen = {"config": {"files": "*_2.csv"}}
    config = QUIET | {"ops": {"shop__customers": {"ops": {"scan_directory": chosen}}}}
    job = shop.load().resolve_job_def("shop_sync")
    assert job.execute_in_process(instance=instance, run_config=config).success
    assert totals(shop) == {"bob@example.com": 2}


def test_a_wildcard_without_a_match_fails(shop: Project, instance: dg.DagsterInstance) -> None:
    """A wildcard without a match is an error, not a run without new files."""
    chosen = {"config": {"files": "nothing*", "again": True}}
    config = QUIET | {"ops": {"shop__customers": {"ops": {"scan_directory": chosen}}}}
    job = shop.load().resolve_job_def("shop_sync")
    result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "No file of this run's goals matches 'nothing*'." in str(failed.step_failure_data)


def test_a_file_needs_no_partition(shop: Project, instance: dg.DagsterInstance) -> None:
    """A file whose name is no valid partition key is imported without a partition."""
    shop.deliver("/inbox/customers_...csv", "Email,Total\ncleo@example.com,4\n", minutes=5)
    assert shop.run("shop_sync", instance).success
    assert totals(shop)["cleo@example.com"] == 4
    assert status(shop, instance)["imported"] == {FIRST, SECOND}


def test_a_file_whose_name_is_not_utf8_is_imported(shop: Project, instance: dg.DagsterInstance) -> None:
    """A file whose name is not UTF-8 is a partition by its escaped name, and is imported once."""
    content = b"Email,Total\ncleo@example.com,4\n"
    shop.deliver(f"/inbox/{os.fsdecode(b'customers_' + bytes([0xE9]) + b'.csv')}", content, minutes=2)
    assert shop.run("shop_sync", instance).success
    assert shop.run("shop_sync", instance).success
    assert totals(shop) == {"ada@example.com": 1.5, "bob@example.com": 2, "cleo@example.com": 4}
    assert status(shop, instance)["imported"] == {FIRST, SECOND, "customers_\\xe9.csv"}


class GrowingFiles(Files):
    """After each listing the first file grows by a row and keeps its old time."""

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """List, then append a row."""
        listed = super().list_folder(path)
        file = self.root / "inbox" / FIRST
        time = file.stat().st_mtime
        with file.open("a", encoding="utf-8") as longer:
            longer.write("ada@example.com,1\n")
        os.utime(file, (time, time))
        return listed


def test_a_growing_file_is_skipped(shop: Project, instance: dg.DagsterInstance) -> None:
    """A growing file is skipped; once it is stable it is imported whole and its record is removed."""
    shop.connect("shop", SUMMED | {"complete": {"settle_seconds": 0.2}})
    shop.sandbox.files = GrowingFiles
    assert shop.run("shop_sync", instance).success
    assert totals(shop) == {"bob@example.com": 2}
    assert status(shop, instance)["missing"] | status(shop, instance)["failed"] == {FIRST}
    shop.sandbox.files = Files
    assert shop.run("shop_sync", instance).success
    assert totals(shop) == {"ada@example.com": 3.5, "bob@example.com": 2}
    assert shop.run("shop_sync", instance).success
    assert list((shop.data / "sightings").iterdir()) == []


def test_a_file_that_landed_before_a_crash_is_not_failed(shop: Project, instance: dg.DagsterInstance) -> None:
    """When a run breaks off after the rows landed, the next run marks the file and imports nothing again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdp_sync.orchestration.goals.import_steps.note_files", lambda *_: 1 / 0)
        assert not shop.run("shop_sync", instance).success
    assert status(shop, instance)["failed"] == {FIRST, SECOND}
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND}, "failed": set(), "missing": set()}
    assert totals(shop) == {"ada@example.com": 1.5, "bob@example.com": 2}


def fail_third(shop: Project, instance: dg.DagsterInstance) -> None:
    """Run the connection with a file that cannot be imported."""
    shop.deliver(f"/inbox/{THIRD}", "Mail;Total\nada@example.com;3\n", minutes=2)
    assert not shop.run("shop_sync", instance).success
    assert status(shop, instance)["failed"] == {THIRD}


def test_a_removed_failed_file_leaves_the_catalog(shop: Project, instance: dg.DagsterInstance) -> None:
    """A failed file that the sender removes leaves the catalog; when it returns it is new."""
    fail_third(shop, instance)
    (shop.root / "inbox" / THIRD).unlink()
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND}, "failed": set(), "missing": set()}
    shop.deliver(f"/inbox/{THIRD}", "Email,Total\nada@example.com,3\n", minutes=3)
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND, THIRD}, "failed": set(), "missing": set()}


def test_a_failed_file_outside_the_pattern_leaves_the_catalog(shop: Project, instance: dg.DagsterInstance) -> None:
    """A failed file leaves the catalog once its goal's pattern excludes it."""
    fail_third(shop, instance)
    chosen = {"config": {"files": "*_2.csv"}}
    config = QUIET | {"ops": {"shop__customers": {"ops": {"scan_directory": chosen}}}}
    job = shop.load().resolve_job_def("shop_sync")
    assert job.execute_in_process(instance=instance, run_config=config).success
    assert status(shop, instance)["failed"] == {THIRD}
    shop.connect("shop", SUMMED | {"files": "customers_[12].csv"})
    assert shop.run("shop_sync", instance).success
    assert status(shop, instance) == {"imported": {FIRST, SECOND}, "failed": set(), "missing": set()}
