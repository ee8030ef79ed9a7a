"""The contract with paramiko: the private names in use, and the buffer that replaces its own."""

import inspect
import threading

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paramiko.buffered_pipe import BufferedPipe, PipeTimeout

from cdp_sync.connectors.sftp.paramiko_internals import ChannelBuffer, usual_key_types
from cdp_sync.connectors.sftp.protocol import wire


def test_paramiko_has_the_private_names() -> None:
    """Paramiko has every private name in use; `sftp/paramiko_internals.py` lists their uses."""
    lacking = [name for name in ("_really_parse_kex_init", "_preferred_keys") if not hasattr(paramiko.Transport, name)]
    lacking += [name for name in ("in_buffer",) if not hasattr(paramiko.Channel(0), name)]
    assert lacking == [], f"paramiko {paramiko.__version__} has no {lacking}: correct sftp/paramiko_internals.py"
    parse = inspect.signature(paramiko.Transport._really_parse_kex_init)
    assert list(parse.parameters) == ["self", "m", "ignore_first_byte"], "paramiko calls its kex parser differently"
    assert isinstance(paramiko.Channel(0).in_buffer, BufferedPipe), "paramiko's channel buffers elsewhere"
    replaced = {"feed", "_buffer_frombytes", "_buffer_tobytes"}
    assert replaced <= vars(BufferedPipe).keys(), "paramiko's buffer lacks a method that is replaced"
    assert hasattr(BufferedPipe(), "_buffer"), "paramiko's buffer keeps its bytes elsewhere"
    assert usual_key_types(), "paramiko negotiates no host key types"


def test_one_ssh_packet_has_the_expected_size() -> None:
    """A channel sends the packet size less what paramiko reserves, and the first packet is filled to that limit."""
    channel = paramiko.Channel(0)
    channel.active, channel.out_window_size, channel.out_max_packet_size = True, 1 << 20, 32768
    sendable = channel._wait_for_send_window(1 << 20)
    assert sendable == wire._FIRST, f"paramiko sends {sendable} bytes at a time, the wire expects {wire._FIRST}"


STEPS = st.lists(st.binary(min_size=1, max_size=9) | st.integers(1, 12) | st.none())


@given(STEPS)
def test_the_buffer_behaves_like_the_original(steps: list[bytes | int | None]) -> None:
    """The buffer returns the same as paramiko's own, fed, read and emptied in any order."""
    ours: ChannelBuffer = ChannelBuffer(lambda: None)
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


def test_a_reader_wakes_on_bytes_and_at_the_end() -> None:
    """A waiting reader wakes on new bytes and at the end; after the end each read returns at once."""
    pipe = ChannelBuffer(lambda: None)
    threading.Timer(0.01, pipe.feed, [b"abc"]).start()
    assert pipe.read(10, timeout=10) == b"abc"
    threading.Timer(0.01, pipe.close).start()
    assert pipe.read(10, timeout=10) == b""
    assert pipe.read(10) == b""


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_a_read_has_a_timeout(timeout: float) -> None:
    """A read without data within the timeout raises PipeTimeout, which a channel raises as its own."""
    with pytest.raises(PipeTimeout):
        ChannelBuffer(lambda: None).read(1, timeout)


def test_the_watchdog_sees_every_arrival() -> None:
    """The watchdog is notified of all arriving bytes."""
    arrivals: list[int] = []
    pipe = ChannelBuffer(lambda: arrivals.append(1))
    pipe.feed(b"a")
    pipe.feed("b")
    assert (arrivals, pipe.empty()) == ([1, 1], b"ab")
