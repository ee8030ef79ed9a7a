"""`cdp-sync up` as a process: its output and its end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cdp_sync_tests.orchestration.daemon import REPOSITORY
from cdp_sync_tests.projects import Project

_HEEDING_INTERRUPTS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
_PORTS = (
    "CDP_SYNC_SANDBOX_PORT",
    "CDP_SYNC_SANDBOX_MAIL_PORT",
    "CDP_SYNC_SANDBOX_SAILTHRU_PORT",
    "CDP_SYNC_SANDBOX_ITERABLE_PORT",
)
_PATIENCE = 180


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_serves(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the UI answers."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5).close()
            return
        time.sleep(0.2)  # no event marks the start of listening


def left_over(mark: Path) -> list[int]:
    """Return the processes that have a path in their environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if str(mark).encode() in file.read_bytes():
                found.append(int(file.parent.name))
    return found


def wait_until_none_is_left(mark: Path) -> None:
    """Wait until all processes that have a path in their environment have ended."""
    deadline = time.monotonic() + 2  # a killed process may need a moment
    while left := left_over(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@contextmanager
def started(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in a process group; at the end of the block no process with this folder runs."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _HEEDING_INTERRUPTS, *command],
            cwd=folder, env={**environment, "PYTHONPATH": str(REPOSITORY), "STARTED_IN": str(folder)},
            stdout=output, stderr=output, process_group=0,
        )  # fmt: skip
        try:
            yield process
        finally:
            for each in left_over(folder):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            process.wait(30)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("to", [os.killpg, os.kill], ids=["to the group", "to the process alone"])
def test_up_stops_all_its_processes(to: Callable[[int, int], None], project: Project) -> None:
    """`up` stops all its processes after one or two interrupts, to the group or to itself.

    Its output has no warning about another command and no temporary history, as dagster.yaml names
    the folder of the history.
    """
    shutil.copy(REPOSITORY / "workspace.yaml", project.folder / "workspace.yaml")
    port = free_port()
    up = [sys.executable, "-m", "cdp_sync.cli", "up", "--port", str(port)]
    with started(up, {**project.environment, **dict.fromkeys(_PORTS, "0")}, project.folder) as process:
        wait_until_it_serves(process, port)
        to(process.pid, signal.SIGINT)
        with suppress(ProcessLookupError):
            to(process.pid, signal.SIGINT)
        assert process.wait(120) == 0
        wait_until_none_is_left(project.folder)
    lines = (project.folder / "output").read_text(encoding="utf-8").splitlines()
    assert lines[-1].startswith(f"The UI: http://127.0.0.1:{port}")
    assert not [line for line in lines if "emporary" in line or "arning" in line or "INFO" in line]


_STUBBORN = """
import os, signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if len(sys.argv) == 1:
    with subprocess.Popen([sys.executable, __file__, "child"]) as child:
        child.wait()
else:
    print("ready", flush=True)
    signal.pause()
"""
_IN_FOREGROUND = """
import os, signal, sys
from cdp_sync.sandbox import servers
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run that was started with nohup hands on that it is ignored
servers._LONGEST_END = 0.5
sys.exit(abs(servers._in_foreground([sys.executable, sys.argv[1]], os.environ)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_process_that_does_not_stop_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    """A process that does not stop in time is killed with its children, without a traceback."""
    (tmp_path / "stubborn.py").write_text(_STUBBORN, encoding="utf-8")
    command = [sys.executable, "-c", _IN_FOREGROUND, str(tmp_path / "stubborn.py")]
    output = tmp_path / "output"
    with started(command, os.environ, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not output.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # no event marks the growth of a file
        os.kill(process.pid, number)
        assert process.wait(60) == signal.SIGKILL
        wait_until_none_is_left(tmp_path)
    assert output.read_text(encoding="utf-8") == "ready\n"
