"""The documented limits, kept by all clients of a key together, and used."""

import threading
import time
from pathlib import Path

import pytest

from cdp_sync.connectors.http.machine_limit import MachineLimiter
from cdp_sync.connectors.iterable import batches
from cdp_sync.connectors.iterable.protocol import BUCKETS, get_user
from cdp_sync.sandbox.iterable import DOCUMENTED_LIMITS, Clock
from cdp_sync_tests.iterable.exchange import Crm, client, iterable, person, users_goal
from cdp_sync_tests.iterable.exporting import audience, exchange, profile

CALLS = 350


def test_runs_share_a_limit(tmp_path: Path) -> None:
    """Three runs of one key look users up at the same time, and no call is refused."""
    with iterable(clock=Clock(), limits=DOCUMENTED_LIMITS) as box:
        crm = Crm(folder=tmp_path / "crm", box=box, goal=users_goal())

        def look_up() -> None:
            limiter = MachineLimiter(tmp_path / "rates", buckets=BUCKETS)
            with client(crm.project, limiter=limiter) as calling:
                calls = (get_user("email", f"p{number}@example.com") for number in range(CALLS))
                assert all(answer == {} for _, answer in calling.each(calls))

        threads = [threading.Thread(target=look_up) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        refused, made = box.calls.refused, box.calls.count("users", "GET")
    assert (refused, made) == (0, 3 * CALLS)


def test_an_import_keeps_to_the_limits(tmp_path: Path) -> None:
    """Of one look at an export a second."""
    with iterable(clock=Clock(), limits=DOCUMENTED_LIMITS) as box:
        box.load(person(f"p{number}") for number in range(30))
        box.lines_per_file = 4
        crm = Crm(folder=tmp_path / "crm", box=box, goal=users_goal())
        report = crm.run(wait=time.sleep, limiter=MachineLimiter(tmp_path / "rates", buckets=BUCKETS))
        assert report.counters.rows_applied == 30
        assert box.calls.refused == 0


def test_an_export_keeps_to_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five calls for many a second: none is refused, with calls side by side."""
    monkeypatch.setattr(batches, "MOST_USERS", 2)
    with iterable(clock=Clock(), limits=DOCUMENTED_LIMITS) as box:
        crm = exchange(tmp_path / "crm", box, audience(lists=["Red"], remove_from_lists=True, verify="all"))
        crm.hold(profile(f"p{number}") for number in range(30))
        report = crm.run(wait=time.sleep, limiter=MachineLimiter(tmp_path / "rates", buckets=BUCKETS))
        assert report.counters.profiles_written == 30
        assert (box.calls.refused, box.calls.count("users/bulkUpdate", "POST")) == (0, 15)
