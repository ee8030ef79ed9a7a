"""Ends the runs of killed processes, frees their slots of pools, and removes their staged rows and downloads.

Of a process of this machine the system says whether it has ended. A run of another machine is given up when it has
shown no sign of life for minutes, as the sensor has seen it from look to look.
"""

import os
import time
from pathlib import Path

import dagster as dg

from cdp_sync.orchestration.dagster_internals import failed_in_step, is_on_a_server, report_crash, start_timeout
from cdp_sync.orchestration.data_folder import DataFolder, data_folder, remove
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.heartbeat import forget_beats
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.run_tags import CONNECTION
from cdp_sync.orchestration.runs.silence import LOOK_EVERY, SILENT_FOR, Silence, look

_NOTED_WITHIN = 300.0
"""Seconds in which a run has noted its process, if it ever does: from when it was made, launched or begun."""

_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""Runs that wait in the queue are not among them: no process works on them."""
_AGAIN = "What it had not finished is as if it had never begun. Run the connection again."
_GONE = f"The process of this run is gone: it was killed, or the machine went down. {_AGAIN}"
_SILENT = (
    "{host} has shown no sign of life of this run for {minutes:g} minutes: it went down, was suspended, or cannot "
    f"reach Dagster's history. {_AGAIN}"
)


def recover(instance: dg.DagsterInstance, folder: DataFolder, silence: Silence | None = None) -> list[str]:
    """End the runs that no process works on, free their slots, remove their files; return the ids of those runs.

    Without `silence` only those are ended of which a single look can tell.
    """
    one_machine = not is_on_a_server(instance)
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY)):
        run_id = record.dagster_run.run_id
        silent_for = silence.of(run_id) if silence else 0.0
        why = _why_lost(record, silent_for, max(_NOTED_WITHIN, start_timeout(instance)), one_machine=one_machine)
        if why and _end(instance, run_id, why):
            ended.append(run_id)
    _free_slots(instance, ended, one_machine=one_machine)
    remove_leftovers(instance, folder)
    return ended


def _why_lost(record: dg.RunRecord, silent_for: float, noted_within: float, *, one_machine: bool) -> str:
    """Return why no process works on a run any more; empty if one may.

    A run that noted no process is lost when it has not done so for minutes: Dagster's own monitoring, which also ends
    runs that do not begin (`start_timeout_seconds` in dagster.yaml), is there only while its daemon is.
    """
    run = record.dagster_run
    # Until it is queued, a run that repeats another one has that one's tags.
    has_tags_of_another = run.status == dg.DagsterRunStatus.NOT_STARTED and run.parent_run_id is not None
    process = None if has_tags_of_another else Process.of(run)
    if process:
        if process.is_gone(one_machine=one_machine):
            return _GONE
        is_silent = not process.is_visible and silent_for >= SILENT_FOR
        return _SILENT.format(host=process.host, minutes=SILENT_FOR / 60) if is_silent else ""
    # Several machines have several clocks.
    since = record.start_time or record.update_timestamp.timestamp()
    waited = max(silent_for, time.time() - since if one_machine else 0.0)
    return _GONE if CONNECTION in run.tags and waited > noted_within else ""


def _end(instance: dg.DagsterInstance, run_id: str, why: str) -> bool:
    """Record that a run has ended, unless it did so itself in the meantime; return whether it was recorded."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        report_crash(instance, run, why)
    forget_beats(instance, run_id)
    return True


def _free_slots(instance: dg.DagsterInstance, ended: list[str], *, one_machine: bool) -> None:
    """Free the slots of these runs, and of others that have ended and whose processes are gone.

    Dagster frees the slots of runs that have ended minutes later, and others wait meanwhile.
    """
    storage = instance.event_log_storage
    for run_id in storage.get_concurrency_run_ids() if storage.supports_global_concurrency_limits else ():
        run = instance.get_run_by_id(run_id)
        if run and run.is_finished and (run_id in ended or _process_is_gone(run, one_machine=one_machine)):
            storage.free_concurrency_slots_for_run(run_id)


def remove_leftovers(instance: dg.DagsterInstance, folder: DataFolder) -> None:
    """Remove from this machine the staged rows and downloads of killed runs.

    What belongs to no known run goes when it is old. After a failed step the staged rows serve its next attempt.
    """
    one_machine = not is_on_a_server(instance)
    for run_id, paths in folder.by_run().items():
        run = instance.get_run_by_id(run_id)
        if run and run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
            is_gone = _process_is_gone(run, one_machine=one_machine)
            remove(*(paths if is_gone and not failed_in_step(run) else ()))


def _process_is_gone(run: dg.DagsterRun, *, one_machine: bool) -> bool:
    process = Process.of(run)
    return process is not None and process.is_gone(one_machine=one_machine)


def recover_project() -> None:
    """Recover the project of this folder, where there is one.

    Raises:
        CdpSyncError: Its history cannot be used.
    """
    if os.environ.get("DAGSTER_HOME") or Path("dagster.yaml").exists():
        with open_instance() as instance:
            recover(instance, data_folder())


def build_recovery() -> dg.Definitions:
    """Return the sensor that recovers, for as long as the project is up."""

    @dg.sensor(
        name="recovery",
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Ends runs whose process was killed or whose machine does not answer, frees what they held, and removes "
            "what they left."
        ),
    )
    def recovery(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY))]
        silence = look(instance, runs, Silence.read(context.cursor), time.monotonic())
        context.update_cursor(str(silence))
        found = recover(instance, data_folder(), silence)
        return dg.SkipReason(f"Runs without a process: {', '.join(found) or 'none'}.")

    return dg.Definitions(sensors=[recovery])
