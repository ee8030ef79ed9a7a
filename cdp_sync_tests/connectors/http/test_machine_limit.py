"""Rate limits that processes of one machine share."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from cdp_sync.connectors.http.machine_limit import MachineLimiter, shared_folder
from cdp_sync.connectors.http.rate_limit import Bucket, RateInfo
from cdp_sync.errors import RateExceeded
from cdp_sync.retrying import Cancelled

KIND = ("export", "POST")


class Machine:
    """A simulated clock, and the limiters of several processes."""

    def __init__(self, folder: Path, calls: int, seconds: float) -> None:
        self.folder, self.now = folder, 1000.0
        self.bucket = Bucket(calls, seconds)

    def limiter(self) -> MachineLimiter:
        """Return the limiter of another process."""
        return MachineLimiter(
            self.folder, buckets={KIND: self.bucket}, clock=lambda: self.now, sleep=lambda _event, left: self.wait(left)
        )

    def wait(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


def test_limiters_of_one_key_share_the_bucket(tmp_path: Path) -> None:
    """Limiters of one key together never exceed the bucket in any of its intervals."""
    machine = Machine(tmp_path, 3, 60.0)
    limiters = [machine.limiter() for _ in range(4)]
    began = []
    for number in range(12):
        permit = limiters[number % 4].acquire(KIND)
        began.append(machine.now)
        machine.now += 0.5
        permit.answered(RateInfo())
    assert all(later - earlier >= 60.0 for earlier, later in zip(began, began[3:], strict=False))
    assert began[-1] - began[0] < 3 * 63.0


def test_calls_count_until_they_end(tmp_path: Path) -> None:
    """A call counts until it ends, and for one interval more."""
    machine = Machine(tmp_path, 1, 1.0)
    permit = machine.limiter().acquire(KIND)
    with pytest.raises(RateExceeded):
        machine.limiter().acquire(KIND, deadline=20.0)
    permit.lost()
    ended = machine.now
    machine.limiter().acquire(KIND, deadline=5.0)
    assert 1.0 <= machine.now - ended < 1.5


def test_each_endpoint_has_its_own_bucket(tmp_path: Path) -> None:
    """Each endpoint and each key has its own bucket; an endpoint without a limit does not wait."""
    machine = Machine(tmp_path, 1, 60.0)
    machine.limiter().acquire(KIND)
    machine.limiter().acquire(("lists", "GET"), deadline=0.0)
    assert shared_folder("one") != shared_folder("other")
    assert "one-key" not in str(shared_folder("one-key"))


def test_a_wait_can_be_cancelled(tmp_path: Path) -> None:
    """A cancelled wait does not count as a call."""
    machine = Machine(tmp_path, 1, 60.0)
    machine.limiter().acquire(KIND).answered(RateInfo())
    cancelled = threading.Event()
    limiter = machine.limiter()
    machine.wait = lambda _left: cancelled.set()  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        limiter.acquire(KIND, cancelled=cancelled)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """A killed process leaves no lock, and a truncated state file is read as far as possible."""
    program = f"""
        import os, pathlib
        from cdp_sync.connectors.http.machine_limit import MachineLimiter
        from cdp_sync.connectors.http.rate_limit import Bucket
        MachineLimiter(pathlib.Path({str(tmp_path)!r}), buckets={{{KIND!r}: Bucket(1, 0.2)}}).acquire({KIND!r})
        os._exit(9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, timeout=60)
    limiter = MachineLimiter(tmp_path, buckets={KIND: Bucket(1, 0.2)})
    limiter.acquire(KIND, deadline=10.0).answered(RateInfo())
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size - 3)
    limiter.acquire(KIND, deadline=10.0).lost()
    assert file.stat().st_mode & 0o077 == 0
