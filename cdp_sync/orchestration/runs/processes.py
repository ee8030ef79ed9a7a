"""The process that executes a run, and whether it is gone."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from cdp_sync.orchestration.runs.run_tags import FORMER_PROCESS, PROCESS

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
        """Return it as a tag."""
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
