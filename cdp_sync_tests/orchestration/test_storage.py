"""The history of runs in Dagster's own storage, as the repository's dagster.yaml configures it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from cdp_sync.errors import HistoryUnusable
from cdp_sync.orchestration.instance import open_instance
from cdp_sync_tests.projects import Project, goal, shown

REPOSITORY = Path(__file__).parents[2]
HEAD = "Email,FirstName,Total\n"
_OF_HANDLES = {"HANDLED_OUTPUT", "LOADED_INPUT", "STEP_INPUT"}


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with a connection that has run once."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,1\n")
    return project


@pytest.fixture
def kept(shop: Project) -> Iterator[dg.DagsterInstance]:
    """The project's own instance, on disk."""
    with dg.DagsterInstance.from_config(str(shop.folder)) as made:
        yield made


def event_types(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return the types of a run's events, without log lines."""
    return [event.dagster_event_type.value for event in instance.all_logs(run_id) if event.dagster_event_type]


def test_the_repository_names_dagsters_own_storage() -> None:
    """Dagster's own SQLite storage is configured, so that another database is a matter of settings."""
    declared = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    assert declared["storage"] == {"sqlite": {"base_dir": "data/dagster"}}
    assert declared["compute_logs"]["class"] == "NoOpComputeLogManager"


def test_a_run_records_no_unused_events(shop: Project, kept: dg.DagsterInstance) -> None:
    """A run records no event about storing handles, but all events for UI, mails and retries."""
    found = event_types(kept, shop.run("shop_sync", kept).run_id)
    assert not _OF_HANDLES & set(found)
    assert found.count("STEP_OUTPUT") == found.count("STEP_SUCCESS") == found.count("STEP_START") == 4
    assert len(found) <= 28, found
    idle = event_types(kept, shop.run("shop_sync", kept).run_id)
    assert len(idle) <= 20, idle


def test_a_retried_step_reads_earlier_handles(
    shop: Project, kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retried step reads the handles of the steps before it without their events."""
    with monkeypatch.context() as patch:
        patch.setattr("cdp_sync.importing.pipeline.upsert_profiles", lambda _: 1 / 0)
        failed = shop.run("shop_sync", kept)
    assert failed.get_failed_step_keys() == {"shop__customers.upsert_profiles"}
    options = dg.ReexecutionOptions.from_failure(failed.run_id, kept)
    job = dg.reconstructable(shop_sync)
    with dg.execute_job(job, kept, reexecution_options=options) as again:
        assert again.success
        assert "shop__customers.parse_files" not in {event.step_key for event in again.all_events}
    with shop.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 1


def shop_sync() -> dg.JobDefinition:
    """Return the job of the project in the working directory."""
    from cdp_sync.orchestration.project import load_project

    return load_project().resolve_job_def("shop_sync")


def test_a_history_of_the_former_storage_is_extended(shop: Project, kept: dg.DagsterInstance) -> None:
    """A history of the former storage, with smaller pages and open logs, is read and extended."""
    (shop.folder / "former.py").write_text(_FORMER, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "former.py"], cwd=shop.folder, env=shop.environment, capture_output=True, text=True, check=True
    )
    former = made.stdout.split()[-1]
    assert event_types(kept, former)[-1] == "PIPELINE_SUCCESS"
    latest = kept.get_latest_materialization_event(dg.AssetKey("numbers"))
    assert latest
    assert latest.run_id == former
    result = shop.run("shop_sync", kept)
    assert shown(result, "shop", "customers")["rows_applied"] == 1
    assert {run.run_id for run in kept.get_runs()} == {former, result.run_id}
    kept.delete_run(former)
    assert kept.fetch_materializations(dg.AssetKey("numbers"), limit=9).records == []


_FORMER = '''
"""Writes a history as the former storage did: pages of 512 bytes, events of handles left out, nothing closed."""
import os
import sqlite3

import dagster as dg


@dg.asset
def numbers(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.log.info("counting")
    return dg.MaterializeResult(metadata={"how_many": 3})


with dg.DagsterInstance.from_config(os.getcwd()) as instance:
    run_id = "0fb6a8b4-1f3f-4f9e-8a2c-5d1f6f7f3f10"
    path = instance.event_log_storage.path_for_shard(run_id)
    made = sqlite3.connect(path)
    made.execute("pragma page_size = 512")
    made.execute("pragma journal_mode = wal")
    made.execute("select count(*) from sqlite_schema").fetchall()
    job = dg.Definitions([numbers], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
    job.execute_in_process(instance=instance, run_id=run_id)
    assert made.execute("pragma page_size").fetchone() == (512,)
    print(run_id, flush=True)
    os._exit(0)
'''


def test_a_former_dagster_yaml_is_refused_with_a_remedy(shop: Project) -> None:
    """A dagster.yaml that names the removed classes is refused with the lines to write."""
    file = shop.folder / "dagster.yaml"
    text = file.read_text(encoding="utf-8")
    former = "{custom: {module: cdp_sync.orchestration.storage, class: RunHistory, config: {base_dir: dagster}}}"
    file.write_text(text.replace("{sqlite: {base_dir: dagster}}", former), encoding="utf-8")
    with pytest.raises(HistoryUnusable) as refused, open_instance():
        pass
    assert "cdp_sync.orchestration.storage" in refused.value.found
    assert "sqlite" in (refused.value.remedy or "")
    assert "NoOpComputeLogManager" in (refused.value.remedy or "")
