"""The watchdog: when a connection counts as silent."""

import threading

from cdp_sync.connectors.sftp.session import Watchdog


def test_the_watchdog_expires_when_nothing_arrives() -> None:
    """While a thread waits, after so many seconds."""
    expired = threading.Event()
    dog = Watchdog(0.05, expired.set)
    with dog.watching():
        assert expired.wait(10)


def test_the_watchdog_ignores_an_idle_connection() -> None:
    """An idle connection is not cut, and neither is one on which something arrives."""
    expired = threading.Event()
    dog = Watchdog(0.2, expired.set)
    assert not expired.wait(0.4)
    with dog.watching():
        for _ in range(8):
            dog.touch()
            assert not expired.wait(0.05)
    dog.dismiss()
