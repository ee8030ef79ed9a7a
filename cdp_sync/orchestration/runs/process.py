"""Which process works on a run: on which machine, and whether it has ended."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from cdp_sync.orchestration.runs.run_tags import FORMER_PROCESS, PROCESS

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_ENDED = ("Z", "X")
"""States of a process that has ended and that its parent has not waited for."""


@dataclass(frozen=True)
class Process:
    """A process of some machine."""

    host: str
    pid: int
    began: str = ""
    """The boot of the machine, the clock ticks since then, and the namespace of the id, with dots between them. It
    tells a process from a later one of the same id, and from one of another machine or container of the same name.
    Empty where the system does not say; former versions noted no namespace."""

    @classmethod
    def this(cls) -> "Process":
        """Return the current process."""
        began = _look_at(os.getpid())[1]
        return cls(socket.gethostname(), os.getpid(), f"{began}.{_namespace()}" if began else "")

    @classmethod
    def of(cls, run: dg.DagsterRun) -> "Process | None":
        """Return the process that a run is tagged with, if any."""
        noted = run.tags.get(PROCESS) or run.tags.get(FORMER_PROCESS, "")
        host, pid, began = (*noted.rsplit(":", 2), "", "")[:3]
        return cls(host, int(pid), began) if pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.began}"

    @property
    def is_visible(self) -> bool:
        """Whether its id means the same process here: it is one of this machine, this boot and this container."""
        boot, _, namespace = _parts(self.began)
        same = _same(boot, _boot()) and _same(namespace, _namespace())
        return same and self.host == socket.gethostname()

    def is_gone(self, *, one_machine: bool) -> bool:
        """Return whether it has certainly ended.

        Of one of another machine or container that is not known, nor of one from before a boot: another machine may
        have the same name. `one_machine`: there is no other.
        """
        if not self.is_visible:
            restarted = not _same(_parts(self.began)[0], _boot())
            return one_machine and restarted and self.host == socket.gethostname()
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it belongs to another user, so it is there
        state, began = _look_at(self.pid)
        return state in _ENDED or not _same(_parts(began)[1], _parts(self.began)[1])


def _same(noted: str, here: str) -> bool:
    """Return whether two marks may be of the same thing: what is not known is taken for the same."""
    return noted == here or not (noted and here)


def _parts(began: str) -> tuple[str, str, str]:
    """Return the boot, the ticks and the namespace."""
    boot, ticks, namespace = (*began.split("."), "", "", "")[:3]
    return boot, ticks, namespace


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii")[:8]
    except OSError:
        return ""


def _namespace() -> str:
    """Return the number of the namespace of process ids, which each container has for itself."""
    try:
        return "".join(filter(str.isdigit, str(_NAMESPACE.readlink())))
    except OSError:
        return ""


def _look_at(pid: int) -> tuple[str, str]:
    """Return a process's state, and when it began: the boot and the clock ticks since. Empty without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The name comes before, in brackets, and may hold anything; see proc_pid_stat(5).
    fields = stat.rpartition(")")[2].split()
    return fields[0], f"{_boot()}.{fields[19]}"


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tag a run with this process, which executes all of its steps."""
    this = str(Process.this())
    if run.tags.get(PROCESS) != this:
        instance.add_run_tags(run.run_id, {PROCESS: this})
