"""When it is tried again, how often, and what that has to do with progress."""

import threading

import pytest

from cdp_sync.connectors.sftp.retry import Persistence
from cdp_sync.connectors.sftp.watchdog import Watchdog
from cdp_sync.errors import CdpSyncError, ConnectionLost, FileChanged, HostKeyRejected, RemoteFailure, ServerUnreachable


class Failing:
    """Fails in a given way each time it is called, then succeeds; reaches further with some of the calls."""

    def __init__(self, problem: CdpSyncError, reached: list[int]) -> None:
        self.problem = problem
        self.reached = reached
        self.calls = 0

    def work(self) -> str:
        """Do the next thing."""
        self.calls += 1
        if self.calls <= len(self.reached):
            raise self.problem
        return "done"

    def mark(self) -> int:
        """Return how far it has come."""
        return self.reached[self.calls - 1] if 0 < self.calls <= len(self.reached) else 0


def perform(failing: Failing, attempts: int = 3) -> tuple[str, list[str]]:
    """Try it with hardly a pause; return the outcome and what was logged."""
    lines: list[str] = []
    return Persistence(attempts, 0.0001, lines.append).perform(failing.work, failing.mark), lines


@pytest.mark.parametrize("problem", [ConnectionLost("lost."), ServerUnreachable("away.")])
def test_what_may_pass_is_tried_again(problem: CdpSyncError) -> None:
    """Two failures of three allowed are followed by success, and each is logged with what comes next."""
    outcome, lines = perform(Failing(problem, [0, 0]))
    assert outcome == "done"
    assert [line.partition(" in ")[0] for line in lines] == [f"{problem.found} Attempt {n} of 3" for n in (2, 3)]


@pytest.mark.parametrize(
    ("problem", "calls"),
    [(ConnectionLost("x"), 3), (RemoteFailure("x"), 2), (FileChanged("x"), 1), (HostKeyRejected("x"), 1)],
)
def test_each_kind_has_its_patience(problem: CdpSyncError, calls: int) -> None:
    """A lost line is tried as often as allowed, "failure" twice, and what does not pass once."""
    failing = Failing(problem, [0] * 10)
    with pytest.raises(type(problem)):
        perform(failing)
    assert failing.calls == calls


def test_progress_starts_the_count_anew() -> None:
    """Ten failures that each bring something are no reason to give up; three in a row without are."""
    outcome, _ = perform(Failing(ConnectionLost("x"), list(range(1, 11))))
    assert outcome == "done"
    failing = Failing(ConnectionLost("x"), [1, 2, 2, 2, 3, 4])
    with pytest.raises(ConnectionLost):
        perform(failing)
    assert failing.calls == 4


def test_the_watchdog_bites_who_waits_for_nothing() -> None:
    """It bites once nothing has come for long enough while someone waits."""
    bitten = threading.Event()
    dog = Watchdog(0.05, bitten.set)
    with dog.watching():
        assert bitten.wait(10)


def test_the_watchdog_sleeps_while_nobody_waits() -> None:
    """An idle connection is not cut, and neither is one on which something comes."""
    bitten = threading.Event()
    dog = Watchdog(0.2, bitten.set)
    assert not bitten.wait(0.4)
    with dog.watching():
        for _ in range(8):
            dog.pat()
            assert not bitten.wait(0.05)
    dog.dismiss()
