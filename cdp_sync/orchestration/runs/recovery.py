"""Ends the runs of killed processes, frees their slots of pools, and removes their staged rows and downloads."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from cdp_sync.orchestration.dagster_internals import failed_in_step, report_crash
from cdp_sync.orchestration.data_folder import DataFolder, data_folder, remove
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.run_tags import CONNECTION, FORMER_PROCESS, PROCESS

_EVERY_SECONDS = 30
_NOTED_WITHIN = 300.0
"""Seconds in which a run has noted its process, if it ever does: from when it was made, launched or begun."""

_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""Runs that wait in the queue are not among them: no process works on them."""
_MESSAGE = (
    "The process of this run is gone: it was killed, or the machine went down. What it had not finished is as if it "
    "had never begun. Run the connection again."
)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ENDED = ("Z", "X")
"""States of a process that has ended and that its parent has not waited for."""


@dataclass(frozen=True)
class Process:
    """A process of some machine."""

    host: str
    pid: int
    began: str = ""
    """Tells it from a later process of the same number; empty where the system does not say."""

    @classmethod
    def this(cls) -> "Process":
        """Return the current process."""
        return cls(socket.gethostname(), os.getpid(), _look_at(os.getpid())[1])

    @classmethod
    def of(cls, run: dg.DagsterRun) -> "Process | None":
        """Return the process that a run is tagged with, if any."""
        noted = run.tags.get(PROCESS) or run.tags.get(FORMER_PROCESS, "")
        host, pid, began = (*noted.rsplit(":", 2), "", "")[:3]
        return cls(host, int(pid), began) if pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.began}"

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; of another machine's that is not known."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it belongs to another user, so it is there
        state, began = _look_at(self.pid)
        return state in _ENDED or (began != self.began and bool(began and self.began))


def _look_at(pid: int) -> tuple[str, str]:
    """Return a process's state, and when it began: the boot and the clock ticks since. Empty without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = _BOOT.read_text(encoding="ascii")[:8]
    except OSError:
        return "", ""
    # The name comes before, in brackets, and may hold anything; see proc_pid_stat(5).
    fields = stat.rpartition(")")[2].split()
    return fields[0], f"{boot}.{fields[19]}"


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tag a run with this process, which executes all of its steps."""
    this = str(Process.this())
    if run.tags.get(PROCESS) != this:
        instance.add_run_tags(run.run_id, {PROCESS: this})


def recover(instance: dg.DagsterInstance, folder: DataFolder) -> list[str]:
    """End the runs whose processes are gone, free their slots, remove their files; return the ids of those runs."""
    under_way = instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY))
    lost = [record.dagster_run.run_id for record in under_way if _is_lost(record)]
    failed_runs = [run_id for run_id in lost if _end(instance, run_id)]
    storage = instance.event_log_storage
    # Dagster frees the slots of runs that have ended minutes later, and others wait meanwhile.
    for run_id in storage.get_concurrency_run_ids() if storage.supports_global_concurrency_limits else ():
        run = instance.get_run_by_id(run_id)
        if run and run.is_finished and _process_is_gone(run):
            storage.free_concurrency_slots_for_run(run_id)
    for run_id, paths in folder.by_run().items():
        # What belongs to no known run goes when it is old. After a failed step the staged rows serve its next attempt.
        run = instance.get_run_by_id(run_id)
        if run and run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
            remove(*(paths if _process_is_gone(run) and not failed_in_step(run) else ()))
    return failed_runs


def _is_lost(record: dg.RunRecord) -> bool:
    """Return whether no process works on a run any more, as far as this machine can tell.

    A run that noted no process is lost when it has not done so for minutes: Dagster's own monitoring, which also ends
    runs that do not begin (`start_timeout_seconds` in dagster.yaml), is there only while its daemon is.
    """
    run = record.dagster_run
    # Until it is queued, a run that repeats another one has that one's tags.
    has_tags_of_another = run.status == dg.DagsterRunStatus.NOT_STARTED and run.parent_run_id is not None
    process = Process.of(run)
    if process and not has_tags_of_another:
        return process.is_gone
    since = record.start_time or record.update_timestamp.timestamp()
    return CONNECTION in run.tags and time.time() - since > _NOTED_WITHIN


def _end(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Record that a run has ended, unless it did so itself in the meantime; return whether it was recorded."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, _MESSAGE)
    else:
        report_crash(instance, run, _MESSAGE)
    return True


def _process_is_gone(run: dg.DagsterRun) -> bool:
    process = Process.of(run)
    return process is not None and process.is_gone


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
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed, frees what they held, and removes what they left.",
    )
    def recovery(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found = recover(context.instance, data_folder())
        return dg.SkipReason(f"Runs without a process: {', '.join(found) or 'none'}.")

    return dg.Definitions(sensors=[recovery])
