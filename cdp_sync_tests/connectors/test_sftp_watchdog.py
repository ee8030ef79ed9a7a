"""The watchdog that decides when a connection counts as silent."""

import threading

from cdp_sync.connectors.sftp.session import Watchdog


def test_the_watchdog_expires_when_nothing_arrives() -> None:
    """The watchdog expires when a thread waits and nothing arrives for the timeout."""
    expired = threading.Event()
    dog = Watchdog(0.05, expired.set)
    with dog.watching():
        assert expired.wait(10)


def test_the_watchdog_ignores_an_idle_connection() -> None:
    """The watchdog ignores an idle connection and one that receives data."""
    expired = threading.Event()
    dog = Watchdog(0.2, expired.set)
    assert not expired.wait(0.4)
    with dog.watching():
        for _ in range(8):
            dog.touch()
            assert not expired.wait(0.05)
    dog.dismiss()
