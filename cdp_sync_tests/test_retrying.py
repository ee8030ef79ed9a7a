"""Retry: which errors are retried, how often, with which pauses, and the effect of progress."""

import math
import threading

import pytest

from cdp_sync.errors import (
    CdpSyncError,
    ConnectionLost,
    FileChanged,
    HostKeyRejected,
    RemoteFailure,
    ServerUnreachable,
    Transient,
)
from cdp_sync.retrying import Backoff, Cancelled, Pauses, RetryPolicy

SHORT = Pauses(0.0001)


class Failing:
    """Work that fails in a given way on each call, then succeeds; some calls make progress."""

    def __init__(self, problem: Exception, reached: list[int]) -> None:
        self.problem = problem
        self.reached = reached
        self.calls = 0

    def work(self) -> str:
        """Do one step."""
        self.calls += 1
        if self.calls <= len(self.reached):
            raise self.problem
        return "done"

    def progress(self) -> int:
        """Return the progress so far."""
        return self.reached[self.calls - 1] if 0 < self.calls <= len(self.reached) else 0


@pytest.mark.parametrize("problem", [ConnectionLost("lost."), ServerUnreachable("away.")])
def test_a_transient_error_is_retried(problem: CdpSyncError) -> None:
    """Two of three allowed failures are retried; each is logged with the next attempt."""
    lines: list[str] = []
    assert RetryPolicy(3, SHORT, log=lines.append).call(Failing(problem, [0, 0]).work) == "done"
    assert [line.partition(" in ")[0] for line in lines] == [f"{problem.found} Attempt {n} of 3" for n in (2, 3)]


@pytest.mark.parametrize(
    ("problem", "calls"),
    [
        (ConnectionLost("x"), 3),
        (RemoteFailure("x"), 2),
        (FileChanged("x"), 1),
        (HostKeyRejected("x"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_the_type_of_an_error_says_how_often_it_is_retried(problem: Exception, calls: int) -> None:
    """Transient errors are retried up to their limit, all others never; the original error is raised."""
    failing = Failing(problem, [0] * 10)
    policy = RetryPolicy(3, SHORT, fewer={RemoteFailure: 2, FileChanged: 1})
    with pytest.raises(type(problem)) as raised:
        policy.call(failing.work)
    assert failing.calls == calls
    assert raised.value is problem
    assert problem.__context__ is None


def test_progress_starts_the_count_anew() -> None:
    """Progress resets the count: ten failures with progress pass, three in a row without progress end the work."""
    policy = RetryPolicy(3, SHORT)
    advancing = Failing(ConnectionLost("x"), list(range(1, 11)))
    assert policy.call(advancing.work, progress=advancing.progress) == "done"
    stuck = Failing(ConnectionLost("x"), [1, 2, 2, 2, 3, 4])
    with pytest.raises(ConnectionLost):
        policy.call(stuck.work, progress=stuck.progress)
    assert stuck.calls == 4


def test_pauses_grow_up_to_the_longest_one() -> None:
    """The pause after very many failures does not overflow."""
    pauses = Pauses(1, 4, 60)
    assert [pauses.after(failures) for failures in (1, 2, 3, 4, 5, 10_000)] == [1, 4, 16, 60, 60, 60]


def test_a_pause_is_shortened_at_random_by_up_to_half() -> None:
    """Jitter shortens a pause by up to half; the log line has its seconds."""
    lines: list[str] = []
    cancelled = threading.Event()

    def log(line: str) -> None:
        lines.append(line)
        cancelled.set()

    with pytest.raises(Cancelled):
        RetryPolicy(3, Pauses(100, 2, 100), log=log).call(Failing(ConnectionLost("x"), [0]).work, cancelled=cancelled)
    assert 50 <= float(lines[0].rpartition(" in ")[2].split()[0]) <= 100


def test_no_attempt_begins_after_the_deadline() -> None:
    """No attempt begins after the deadline, whatever the number of attempts allowed."""
    failing = Failing(ConnectionLost("x"), [0] * 10_000)
    with pytest.raises(Transient):
        RetryPolicy(math.inf, Pauses(0.001, 1), deadline=0.05).call(failing.work)
    assert failing.calls > 1


def test_a_pause_ends_when_the_work_is_cancelled() -> None:
    """Cancelling from another thread ends a pause."""
    cancelled = threading.Event()
    failing = Failing(ConnectionLost("x"), [0] * 3)
    threading.Timer(0.02, cancelled.set).start()
    with pytest.raises(Cancelled):
        RetryPolicy(3, Pauses(600, 1, 600)).call(failing.work, cancelled=cancelled)
    assert failing.calls == 1


def test_a_backoff_grows_with_each_failure() -> None:
    """A backoff holds the number of failures and the time of the next attempt."""
    pauses, backoff, now = Pauses(30, 4, 86_400), Backoff(), 1000.0
    seen = []
    for _ in range(8):
        backoff = backoff.failed(now, pauses)
        seen.append(backoff.not_before - now)
    assert (backoff.failures, seen) == (8, [30, 120, 480, 1920, 7680, 30_720, 86_400, 86_400])
