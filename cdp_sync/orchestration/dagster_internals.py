"""Everything that this package uses of Dagster and Dagster does not document, so that an upgrade breaks one file.

No other module imports Dagster's private ones. `test_dagster_internals.py` is the contract of this one.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.events import AssetMaterializationPlannedData, JobFailureData, RunFailureReason
from dagster._core.execution.api import execute_run
from dagster._core.origin import JobPythonOrigin
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.runs.schema import KeyValueStoreTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import (
    HIDDEN_TAG_PREFIX,
    RUN_FAILURE_REASON_TAG,
    RUN_KEY_TAG,
    SCHEDULED_EXECUTION_TIME_TAG,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster.components.core.load_defs import get_library_json_enriched_defs
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

__all__ = [  # of Dagster's; what is defined below is public as well
    "DATA_VERSION_TAG", "HIDDEN_TAG_PREFIX", "RUN_KEY_TAG", "SCHEDULED_EXECUTION_TIME_TAG",
    "AssetMaterializationPlannedData", "UnresolvedAssetJobDefinition",
]  # fmt: skip

AssetJob = dg.JobDefinition | UnresolvedAssetJobDefinition
"""What `dg.define_asset_job` returns, or the job that it resolves to."""

_NOT_RUN = ("Dependencies for step ", ". Not executing.")
_OF_HANDLES = {
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.LOADED_INPUT,
    dg.DagsterEventType.STEP_INPUT,
}
"""Events that say how the output of a step is stored and read: a quarter of all events. STEP_OUTPUT is the record."""

_MODULE, _LOCATION = "cdp_sync.definitions", "cdp_sync"
_WORKSPACE = Path("workspace.yaml")


@cache
def component_types(kinds: frozenset[str]) -> dg.Definitions:
    """Return what the Docs tab shows of the component types, where these kinds of connections are known.

    To describe them takes as long as to load a project; a process does so once for the same kinds.
    """
    return get_library_json_enriched_defs(None)


def execute_here(job: dg.JobDefinition, run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Execute in this process a run that the instance has already recorded; return whether it succeeded."""
    return execute_run(InMemoryJob(job), run, instance).success


def report_crash(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    """Record that a run failed because its process ended."""
    crash = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
    instance.report_run_failed(run, message, crash)


def start_timeout(instance: dg.DagsterInstance) -> float:
    """Return the seconds that `dagster.yaml` gives a run to start."""
    return float(instance.run_monitoring_start_timeout_seconds)


def failed_in_step(run: dg.DagsterRun) -> bool:
    """Return whether a run failed because a step did, and not because its process ended."""
    return run.tags.get(RUN_FAILURE_REASON_TAG) == RunFailureReason.STEP_FAILURE.value


def remove_event_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove the file in which Dagster's SQLite storage kept the events of a run: deleting the run only empties it."""
    if path_of := getattr(instance.event_log_storage, "path_for_shard", None):
        for kind in ("", "-wal", "-shm"):
            Path(path_of(run_id) + kind).unlink(missing_ok=True)


def note_of(instance: dg.DagsterInstance, key: str) -> str:
    """Return what the history notes under a key; empty where it notes nothing."""
    return instance.daemon_cursor_storage.get_cursor_values({key}).get(key, "")


def notes_of(instance: dg.DagsterInstance, keys: Sequence[str]) -> Mapping[str, str]:
    """Return what the history notes under these keys."""
    return instance.daemon_cursor_storage.get_cursor_values(set(keys)) if keys else {}


def note(instance: dg.DagsterInstance, key: str, value: str) -> None:
    """Note a value in the history, in place of the former one."""
    instance.daemon_cursor_storage.set_cursor_values({key: value})


def note_once(instance: dg.DagsterInstance, key: str, value: str) -> str:
    """Note a value in the history, unless there is one: of processes that do so at once, one succeeds. Return it."""
    if not (found := note_of(instance, key)):
        with suppress(IntegrityError), _history(instance).connect() as connection:
            connection.execute(KeyValueStoreTable.insert().values(key=key, value=value))
        found = note_of(instance, key)
    return found


def remove_note(instance: dg.DagsterInstance, key: str) -> None:
    """Remove what the history notes under a key."""
    with _history(instance).connect() as connection:
        connection.execute(KeyValueStoreTable.delete().where(KeyValueStoreTable.c.key == key))


def is_on_a_server(instance: dg.DagsterInstance) -> bool:
    """Return whether the history lies on a database server, which several machines may use, and not in files."""
    return _url(instance).get_backend_name() != "sqlite"


def history_place(instance: dg.DagsterInstance) -> str:
    """Return where the history lies, for people, without the user and the password."""
    url = _url(instance)
    server = f"{url.host}:{url.port}/" if url.port else f"{url.host}/" if url.host else ""
    return f"{server}{url.database}"


def _url(instance: dg.DagsterInstance) -> URL:
    with _history(instance).connect() as connection:
        return connection.engine.url


def _history(instance: dg.DagsterInstance) -> SqlRunStorage:
    """Return the storage of runs, which all of Dagster's own are: in files, on PostgreSQL and on MySQL."""
    storage = instance.run_storage
    if not isinstance(storage, SqlRunStorage):
        raise TypeError(f"{type(storage).__name__} is not one of Dagster's own storages of runs.")
    return storage


def shorten_log(log: dg.DagsterLogManager) -> None:
    """Leave out of a run's log the events of handles, and the errors of steps that do not run after a failure.

    Those errors are as red as the failure itself and stand after it: three of a goal whose server cannot be reached.
    """

    def is_kept(record: logging.LogRecord) -> bool:
        logged = getattr(record, "dagster_meta", {})
        event, message = logged.get("dagster_event"), logged.get("orig_message") or ""
        if event and event.event_type in _OF_HANDLES:
            return False
        return not (message.startswith(_NOT_RUN[0]) and message.endswith(_NOT_RUN[1]))

    # Each step logs through an object of its own. They share the handlers that write to the run's history, and the
    # loggers that print.
    for step_handler in log.handlers:
        for shared in ("_handlers", "_loggers"):
            for target in getattr(step_handler, shared, ()):
                target.addFilter(is_kept)


def last_evaluation(context: dg.ScheduleEvaluationContext) -> datetime | None:
    """Return when a schedule was evaluated before this tick, or switched on if that is later; None if unknown.

    A tick that failed does not count.
    """
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import ScheduleInstigatorData, TickStatus

    if context.instance_ref is None or not context.log_key:
        return None
    *_, name, tick = context.log_key
    for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        origin = (state.instigator_origin_id, state.selector_id)
        if state.instigator_name != name or tick not in [
            str(latest.tick_id) for latest in context.instance.get_ticks(*origin, limit=1)
        ]:
            continue
        evaluated = context.instance.get_ticks(*origin, limit=1, statuses=[TickStatus.SUCCESS, TickStatus.SKIPPED])
        data = state.instigator_data
        switched_on = data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None
        latest = max([switched_on or 0.0, *(each.timestamp for each in evaluated)])
        return datetime.fromtimestamp(latest, UTC) if latest else None
    return None


def job_origin(job: str) -> RemoteJobOrigin:
    """Return where the webserver of this folder finds a job: the UI lists a run by it, by job and on the timeline.

    That is the code location of `workspace.yaml` that loads this project, or one of its name. Neither a webserver nor
    a code server has to run.
    """
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    declared: Sequence[CodeLocationOrigin] = []
    if _WORKSPACE.exists():
        with suppress(Exception):  # the webserver says what is wrong with the file; no run fails for it
            declared = location_origins_from_yaml_paths([str(_WORKSPACE)])
    targets = [(each, getattr(each, "loadable_target_origin", None)) for each in declared]
    usual = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=_MODULE), _LOCATION)
    of_module = [each for each, target in targets if target and target.module_name == _MODULE]
    of_name = [each for each in [*declared, usual] if each.location_name == _LOCATION]
    return RemoteRepositoryOrigin([*of_module, *of_name][0], SINGLETON_REPOSITORY_NAME).get_job_origin(job)


def code_origin(job: str) -> JobPythonOrigin:
    """Return where a process that executes a run finds a job: in the project of its own working directory."""
    return ReconstructableJob(ReconstructableRepository.for_module(_MODULE, "defs"), job).get_python_origin()


def submit(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Put a run into the queue of the instance, which its daemon takes runs from."""
    # The queue looks at no workspace: the daemon has one of its own.
    instance.run_coordinator.submit_run(dg.SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]


def dequeuer_beat(instance: dg.DagsterInstance) -> float:
    """Return when the daemon last showed that it takes runs from the queue, by its own clock; 0 if it never did."""
    beat = instance.get_daemon_heartbeats().get("QUEUED_RUN_COORDINATOR")
    return beat.timestamp if beat else 0.0
