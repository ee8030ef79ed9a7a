"""The contract with undocumented parts of Dagster: an upgrade that changes one fails here."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import AssetMaterializationPlannedData, JobFailureData, RunFailureReason
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster.components.core.load_defs import get_library_json_enriched_defs

import cdp_sync
from cdp_sync.orchestration import dagster_internals as internals
from cdp_sync.orchestration.instance import open_instance
from cdp_sync_tests.projects import Project

PACKAGE = Path(cdp_sync.__file__).parent
PRIVATE = ("dagster._", "dagster_shared", "dagster.components.core")
PATHS = {
    "dagster._core.definitions.data_version": {"DATA_VERSION_TAG"},
    "dagster._core.definitions.job_base": {"InMemoryJob"},
    "dagster._core.definitions.reconstruct": {"ReconstructableJob", "ReconstructableRepository"},
    "dagster._core.definitions.repository_definition": {"SINGLETON_REPOSITORY_NAME"},
    "dagster._core.definitions.run_request": {"InstigatorType"},
    "dagster._core.definitions.unresolved_asset_job_definition": {"UnresolvedAssetJobDefinition"},
    "dagster._core.events": {"AssetMaterializationPlannedData", "JobFailureData", "RunFailureReason"},
    "dagster._core.execution.api": {"execute_run"},
    "dagster._core.origin": {"JobPythonOrigin"},
    "dagster._core.remote_origin": {
        "CodeLocationOrigin",
        "ManagedGrpcPythonEnvCodeLocationOrigin",
        "RemoteJobOrigin",
        "RemoteRepositoryOrigin",
    },
    "dagster._core.scheduler.instigation": {"ScheduleInstigatorData", "TickStatus"},
    "dagster._core.storage.runs.schema": {"KeyValueStoreTable"},
    "dagster._core.storage.runs.sql_run_storage": {"SqlRunStorage"},
    "dagster._core.storage.tags": {
        "HIDDEN_TAG_PREFIX",
        "RUN_FAILURE_REASON_TAG",
        "RUN_KEY_TAG",
        "SCHEDULED_EXECUTION_TIME_TAG",
    },
    "dagster._core.types.loadable_target_origin": {"LoadableTargetOrigin"},
    "dagster._core.workspace.load": {"location_origins_from_yaml_paths"},
    "dagster.components.core.load_defs": {"get_library_json_enriched_defs"},
}
"""All private names that the package imports."""

INSTANCE = {
    "add_run_tags": ["run_id", "new_tags"],
    "all_instigator_state": ["instigator_type"],
    "create_run_for_job": [
        "job_def",
        "asset_selection",
        "run_config",
        "tags",
        "remote_job_origin",
        "job_code_origin",
    ],
    "get_daemon_heartbeats": [],
    "get_records_for_run": ["run_id", "of_type", "limit", "ascending"],
    "get_ticks": ["origin_id", "selector_id", "limit", "statuses"],
    "report_run_canceled": ["dagster_run", "message"],
    "report_run_failed": ["dagster_run", "message", "job_failure_data"],
    "storage_directory": [],
}
"""Undocumented methods of an instance that are called, with their parameters."""

STORAGE = {
    "free_concurrency_slots_for_run": ["run_id"],
    "get_concurrency_run_ids": [],
    "get_event_records": ["event_records_filter", "limit", "ascending"],
    "get_latest_asset_check_execution_by_key": ["check_keys"],
    "get_latest_tags_by_partition": ["asset_key", "event_type", "tag_keys"],
}
"""Methods of the event log that are called, with their parameters."""


def imported(file: Path) -> dict[str, set[str]]:
    """Return what a module imports of Dagster's private modules."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PRIVATE):
            found.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
        if isinstance(node, ast.Import):
            found |= {alias.name: set() for alias in node.names if alias.name.startswith(PRIVATE)}
    return found


def test_one_module_imports_private_names() -> None:
    """One module imports private names, and this test names all of them."""
    found = {str(file.relative_to(PACKAGE)): private for file in PACKAGE.rglob("*.py") if (private := imported(file))}
    assert found == {"orchestration/dagster_internals.py": PATHS}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PATHS.items() for name in sorted(names)]
)
def test_private_names_exist(module: str, name: str) -> None:
    """Each private name exists in its module."""
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("called", "parameters"),
    [
        (AssetMaterializationPlannedData, ["asset_key", "partition"]),
        (InMemoryJob, ["job_def"]),
        (JobFailureData, ["error", "failure_reason"]),
        (LoadableTargetOrigin, ["module_name"]),
        (ManagedGrpcPythonEnvCodeLocationOrigin, ["loadable_target_origin", "location_name"]),
        (RemoteRepositoryOrigin, ["code_location_origin", "repository_name"]),
        (RemoteRepositoryOrigin.get_job_origin, ["job_name"]),
        (SqliteEventLogStorage.path_for_shard, ["run_id"]),
        (SqlRunStorage.get_cursor_values, ["keys"]),
        (SqlRunStorage.set_cursor_values, ["pairs"]),
        (execute_run, ["job", "dagster_run", "instance"]),
        (get_library_json_enriched_defs, ["tree"]),
        (location_origins_from_yaml_paths, ["yaml_paths"]),
        *((getattr(dg.DagsterInstance, name), parameters) for name, parameters in INSTANCE.items()),
        *((getattr(EventLogStorage, name), parameters) for name, parameters in STORAGE.items()),
    ],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_methods_accept_their_parameters(called: Any, parameters: list[str]) -> None:
    """Each method accepts the parameters that are passed."""
    taken = {*inspect.signature(called).parameters, *inspect.get_annotations(called)}
    assert set(parameters) <= taken


def test_tags_and_reasons_match_former_histories() -> None:
    """The tags and reasons equal those in the histories of former versions."""
    assert internals.DATA_VERSION_TAG == "dagster/data_version"
    assert internals.HIDDEN_TAG_PREFIX == ".dagster/"
    assert internals.RUN_KEY_TAG == "dagster/run_key"
    assert internals.SCHEDULED_EXECUTION_TIME_TAG == ".dagster/scheduled_execution_time"
    assert {RunFailureReason.STEP_FAILURE.value, RunFailureReason.UNEXPECTED_TERMINATION.value} == {
        "STEP_FAILURE",
        "UNEXPECTED_TERMINATION",
    }


def test_a_crash_is_distinguished_from_a_failed_step(instance: dg.DagsterInstance) -> None:
    """Dagster tags a crashed run with its own reason, other than that of a failed step."""
    runs = [instance.add_run(dg.DagsterRun(job_name="job", status=dg.DagsterRunStatus.STARTED)) for _ in range(2)]
    internals.report_crash(instance, runs[0], "Its process is gone.")
    instance.report_run_failed(runs[1], "A step failed.", JobFailureData(None, RunFailureReason.STEP_FAILURE))
    ended = [instance.get_run_by_id(run.run_id) for run in runs]
    assert [run and run.status for run in ended] == [dg.DagsterRunStatus.FAILURE] * 2
    assert [run and internals.failed_in_step(run) for run in ended] == [False, True]


@dg.resource
def filtering(context: dg.InitResourceContext) -> None:
    """Filter the log of the run."""
    assert context.log
    internals.shorten_log(context.log)


@dg.op(required_resource_keys={"filtering"})
def log_two_lines(context: dg.OpExecutionContext) -> None:
    """Log two lines."""
    context.log.info("kept")
    context.log.info("Dependencies for step dropped failed: later. Not executing.")


def test_a_filter_sees_every_record_of_a_run(instance: dg.DagsterInstance) -> None:
    """A log filter sees every record of a run and of its steps."""
    job = dg.GraphDefinition("job", node_defs=[log_two_lines]).to_job(resource_defs={"filtering": filtering})
    result = job.execute_in_process(instance=instance)
    logged = [event.user_message for event in instance.all_logs(result.run_id)]
    assert "kept" in logged
    assert not any("dropped" in message for message in logged)


@pytest.mark.parametrize("place", ["memory", "files", "a server"])
def test_notes_are_kept_in_every_history(place: str, project: Project, request: pytest.FixtureRequest) -> None:
    """Notes are written, written once, replaced and removed wherever the history lies; only a server is shared."""
    if place == "a server":
        request.getfixturevalue("shared")
    with dg.DagsterInstance.ephemeral() if place == "memory" else open_instance() as instance:
        assert internals.is_on_a_server(instance) == (place == "a server")
        assert internals.note_of(instance, "cdp_sync/one") == ""
        assert [internals.note_once(instance, "cdp_sync/one", value) for value in "ab"] == ["a", "a"]
        internals.note(instance, "cdp_sync/one", "c")
        assert internals.notes_of(instance, ["cdp_sync/one", "cdp_sync/two"]) == {"cdp_sync/one": "c"}
        internals.remove_note(instance, "cdp_sync/one")
        assert internals.notes_of(instance, ["cdp_sync/one"]) == internals.notes_of(instance, []) == {}


def test_the_place_of_a_history_has_no_password(shared: Project) -> None:
    """The place of a history on a server names server and database, neither the user nor the password."""
    with open_instance() as instance:
        place = internals.history_place(instance)
    assert re.fullmatch(r"127\.0\.0\.1:\d+/runs_[0-9a-f]+", place)


def test_a_run_has_the_time_to_start_that_the_settings_give(instance: dg.DagsterInstance) -> None:
    """The time in which a run has to start is that of dagster.yaml, or Dagster's own."""
    assert internals.start_timeout(instance) > 0
