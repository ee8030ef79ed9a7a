"""The buffer that stands in for paramiko's."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paramiko.buffered_pipe import BufferedPipe, PipeTimeout

from cdp_sync.connectors.sftp.channel_buffer import QueuePipe

STEPS = st.lists(st.binary(min_size=1, max_size=9) | st.integers(1, 12) | st.none())


@given(STEPS)
def test_it_behaves_like_the_original(steps: list[bytes | int | None]) -> None:
    """Fed, read and emptied in any order, it gives what paramiko's own pipe gives."""
    ours: QueuePipe = QueuePipe(lambda: None)
    original: BufferedPipe[bytes] = BufferedPipe()
    signals = threading.Event(), threading.Event()
    ours.set_event(signals[0])
    original.set_event(signals[1])
    for step in steps:
        if isinstance(step, bytes):
            ours.feed(step)
            original.feed(step)
        elif step is None:
            assert ours.empty() == original.empty()
        elif len(original):
            assert ours.read(step) == original.read(step)
        assert (len(ours), ours.read_ready()) == (len(original), original.read_ready())
        assert signals[0].is_set() == signals[1].is_set()


def test_a_reader_is_woken_by_bytes_and_by_the_end() -> None:
    """Who waits gets what comes from another thread; after the end nothing more comes, at once."""
    pipe = QueuePipe(lambda: None)
    threading.Timer(0.01, pipe.feed, [b"abc"]).start()
    assert pipe.read(10, timeout=10) == b"abc"
    threading.Timer(0.01, pipe.close).start()
    assert pipe.read(10, timeout=10) == b""
    assert pipe.read(10) == b""


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_a_reader_does_not_wait_longer_than_told(timeout: float) -> None:
    """Nothing within the timeout is PipeTimeout, which a channel tells as its own."""
    with pytest.raises(PipeTimeout):
        QueuePipe(lambda: None).read(1, timeout)


def test_every_arrival_is_told() -> None:
    """The watchdog hears of all that comes."""
    told: list[int] = []
    pipe = QueuePipe(lambda: told.append(1))
    pipe.feed(b"a")
    pipe.feed("b")
    assert (told, pipe.empty()) == ([1, 1], b"ab")
