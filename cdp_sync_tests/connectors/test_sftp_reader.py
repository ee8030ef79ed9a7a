"""The reader and the wire against a minimal server that answers in the most difficult ways that the protocol allows."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import Attributes, Fields, NotSftp, Refusal
from cdp_sync.connectors.sftp.protocol.transfer import Limits, limits, read
from cdp_sync_tests.connectors.awkward import AwkwardServer, status, wire_to


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 2**32), st.integers(0, 650), st.integers(0, 650), st.integers(1, 70))
def test_bytes_are_in_order(content: bytes, seed: int, start: int, end: int, size: int) -> None:
    """The reader yields exactly the bytes from start to end, for answers of any order and length."""
    channel = AwkwardServer(content, seed)
    assert b"".join(read(wire_to(channel), b"h", start, end, size)) == content[start:end]
    assert not channel.waiting


def test_requests_in_flight_are_bounded() -> None:
    """At most 64 requests wait for an answer, for any file size."""
    channel = AwkwardServer(b"x" * 20_000, seed=1, shortest=100)
    assert len(b"".join(read(wire_to(channel), b"h", 0, 20_000, 100))) == 20_000
    assert channel.most_waiting == 64


def test_an_empty_range_needs_no_request() -> None:
    """An empty range costs no request."""
    channel = AwkwardServer(b"abc", seed=1)
    assert list(read(wire_to(channel), b"h", 2, 2, 10)) == []
    assert channel.most_waiting == 0


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_a_dropped_connection_is_no_end_of_file(chunks_before_drop: int, seed: int) -> None:
    """A dropped connection is an error at any position, never an end of file."""
    channel = AwkwardServer(b"x" * 300, seed, shortest=5)
    wire = wire_to(channel)
    channel.chunks_before_drop = chunks_before_drop
    with pytest.raises(EOFError):
        list(read(wire, b"h", 0, 10_000, 20))


def test_a_refusal_is_reported() -> None:
    """A status other than "end of file" is a Refusal with the server's message."""
    channel = AwkwardServer(b"abc" * 100, seed=1)
    channel.read = lambda fields: status(packets.FAILURE, b"disk on fire \xff")  # type: ignore[method-assign]
    with pytest.raises(Refusal, match="disk on fire \ufffd"):
        list(read(wire_to(channel), b"h", 0, 300, 10))


@pytest.mark.parametrize("data", [b"", b"x" * 11])
def test_an_answer_of_wrong_length_is_reported(data: bytes) -> None:
    """An answer that is empty, or longer than requested, is an error."""
    channel = AwkwardServer(b"abc" * 100, seed=1)
    channel.read = lambda fields: (packets.DATA, packets.string(data))  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        list(read(wire_to(channel), b"h", 0, 300, 10))


@pytest.mark.parametrize(
    ("stated", "size"), [(0, 32768), (1000, 1000), (32768, 32768), (261120, 261120), (2**40, 261120)]
)
def test_the_server_limits_the_request_size(stated: int, size: int) -> None:
    """`limits@openssh.com` sets the request size, up to 255 KiB; 0 means no limit."""
    reply = packets.EXTENDED_REPLY, struct.pack(">QQQQ", 2**18, stated, stated, 0)
    assert limits(wire_to(AwkwardServer(b"", seed=1, extensions={packets.LIMITS: reply}))) == Limits(size, size)


def test_requests_have_32_kib_by_default() -> None:
    """Without `limits@openssh.com` requests have 32 KiB."""
    assert limits(wire_to(AwkwardServer(b"", seed=1))) == Limits(32768, 32768)


@pytest.mark.parametrize(
    "greeting",
    [b"This account is not available.\n", packets.packet(packets.DATA, b"abcd"), b"\0\0\0\0", b"\0\0\0\x02\x02a"],
)
def test_a_greeting_that_is_not_sftp_is_reported(greeting: bytes) -> None:
    """Output of a login shell, unexpected packets, and empty or truncated ones are NotSftp."""
    channel = AwkwardServer(b"", seed=1)
    channel.sendall = lambda data: channel.outgoing.extend(greeting)  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        wire_to(channel)


def packed(attributes: Attributes, owner: bool, extended: int) -> bytes:
    """Return encoded attributes."""
    flags = (attributes.size is not None) + 2 * owner + 4 * (attributes.mode is not None)
    flags += 8 * (attributes.mtime is not None) + (0x80000000 if extended else 0)
    parts = [struct.pack(">I", flags)]
    parts += [struct.pack(">Q", attributes.size)] if attributes.size is not None else []
    parts += [struct.pack(">II", 1, 2)] if owner else []
    parts += [struct.pack(">I", attributes.mode)] if attributes.mode is not None else []
    parts += [struct.pack(">II", 7, attributes.mtime)] if attributes.mtime is not None else []
    parts += [struct.pack(">I", extended), (packets.string(b"name") + packets.string(b"value")) * extended]
    return b"".join(parts if extended else parts[:-2])


NUMBERS = st.none() | st.integers(0, 2**32 - 1)


@given(st.builds(Attributes, st.none() | st.integers(0, 2**64 - 1), NUMBERS, NUMBERS), st.booleans(), st.integers(0, 3))
def test_attributes_may_be_missing(attributes: Attributes, owner: bool, extended: int) -> None:
    """Attributes are optional and extensible; the fields after them are read from the right position."""
    fields = Fields(packed(attributes, owner, extended) + packets.string(b"next"))
    assert packets.attributes(fields) == attributes
    assert fields.string() == b"next"
    assert not fields


@given(st.binary(max_size=80))
def test_noise_is_not_sftp(noise: bytes) -> None:
    """Random bytes in place of a listing are parsed or are NotSftp; no other error is raised."""
    try:
        for entry in packets.entries(Fields(noise)):
            assert isinstance(entry.name, bytes)
    except NotSftp:
        pass
