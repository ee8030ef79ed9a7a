"""Workers on machines of their own: network namespaces without a network, and process ids that nobody else sees."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cdp_sync_tests.scale.cables import Cables

_ALONE = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
_START = "ip link set lo up; {python} -m cdp_sync_tests.scale.cables {ends} & exec {worker}"
_WORKER = """
import sys
from cdp_sync.orchestration.runs import heartbeat
heartbeat.EVERY = 0.5
from cdp_sync.cli import main
main(sys.argv[1:])
"""
"""The command, which beats more often, so that three minutes of silence need not be waited for."""
_ENDS_WITHIN = 60.0


@dataclass
class Machine:
    """A machine with a worker."""

    name: str
    cables: Cables
    folder: Path
    environment: Mapping[str, str]
    runs: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start its worker."""
        ends = " ".join(f"{port}={self.cables.path(self.name, port)}" for port in self.cables.ports)
        worker = f"{sys.executable} -c '{_WORKER}' worker --runs {self.runs}"
        command = _START.format(python=sys.executable, ends=ends, worker=worker)
        own = {"CDP_SYNC_STAGING": str(self.folder / self.name)}
        self._started_at = time.time()
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_ALONE, "sh", "-c", command], env={**self.environment, **own}, stdout=log, stderr=log,
                start_new_session=True, cwd=self.folder / "project",
            )  # fmt: skip

    @property
    def is_at_work(self) -> bool:
        """Whether a run has staged something since the machine was started."""
        try:
            staged = [path.stat().st_mtime for path in (self.folder / self.name).glob("*/*__*")]
        except FileNotFoundError:  # the run has just ended
            return False
        return max(staged, default=0.0) > self._started_at

    def kill(self) -> None:
        """Kill everything that runs on it, at once."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(_ENDS_WITHIN)


@contextmanager
def machines(made: Sequence[Machine]) -> Iterator[Sequence[Machine]]:
    """Start machines, and kill them at the end of the block."""
    try:
        for machine in made:
            machine.cables.plug(machine.name)
            machine.start()
        yield made
    finally:
        for machine in made:
            machine.kill()
