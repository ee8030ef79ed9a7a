"""`cdp-sync up` as a person starts it: what it prints, and that it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from cdp_sync_tests.orchestration.daemon import REPOSITORY
from cdp_sync_tests.projects import Project

_HEEDING_INTERRUPTS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
_PORTS = ("CDP_SYNC_SANDBOX_PORT", "CDP_SYNC_SANDBOX_MAIL_PORT", "CDP_SYNC_SANDBOX_SAILTHRU_PORT")
_PATIENCE = 180


def free_port() -> int:
    """Return a port on which nothing listens."""
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
        time.sleep(0.2)  # nothing tells when it begins to listen


@pytest.mark.timeout(600)
def test_up_prints_nothing_that_is_not_so(project: Project, tmp_path: Path) -> None:
    """No warning about a command that nobody typed, nothing of a temporary history: dagster.yaml names where it is."""
    shutil.copy(REPOSITORY / "workspace.yaml", project.folder / "workspace.yaml")
    port, output = free_port(), tmp_path / "output"
    up = [sys.executable, "-m", "cdp_sync.cli", "up", "--port", str(port)]
    environment = {**project.environment, **dict.fromkeys(_PORTS, "0"), "PYTHONPATH": str(REPOSITORY)}
    with output.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", _HEEDING_INTERRUPTS, *up],
            cwd=project.folder, env=environment, stdout=told, stderr=told, process_group=0,
        )  # fmt: skip
        try:
            wait_until_it_serves(process, port)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
    lines = output.read_text(encoding="utf-8").splitlines()
    assert lines[-1].startswith(f"The UI: http://127.0.0.1:{port}")
    assert not [line for line in lines if "emporary" in line or "arning" in line or "INFO" in line]
