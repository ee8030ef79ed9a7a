"""The watchdog: when a connection counts as silent."""

import threading

from cdp_sync.connectors.sftp.watchdog import Watchdog


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
