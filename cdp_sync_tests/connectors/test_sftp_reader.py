"""The reader and the wire against a server of a few lines that answers as awkwardly as the protocol allows."""

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
def test_the_bytes_come_in_order(content: bytes, seed: int, start: int, end: int, size: int) -> None:
    """Whatever the order and length of the answers, the reader yields exactly the bytes from start to end."""
    channel = AwkwardServer(content, seed)
    assert b"".join(read(wire_to(channel), b"h", start, end, size)) == content[start:end]
    assert not channel.waiting


def test_what_is_under_way_is_bounded() -> None:
    """However long the file, no more than 64 requests wait for an answer."""
    channel = AwkwardServer(b"x" * 20_000, seed=1, shortest=100)
    assert len(b"".join(read(wire_to(channel), b"h", 0, 20_000, 100))) == 20_000
    assert channel.most_waiting == 64


def test_nothing_is_asked_for_where_nothing_is_wanted() -> None:
    """An empty range costs no request."""
    channel = AwkwardServer(b"abc", seed=1)
    assert list(read(wire_to(channel), b"h", 2, 2, 10)) == []
    assert channel.most_waiting == 0


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_a_dropped_line_is_never_the_end_of_a_file(chunks_before_drop: int, seed: int) -> None:
    """Wherever the line drops, the reader says so; a file cut short must not pass for a whole one."""
    channel = AwkwardServer(b"x" * 300, seed, shortest=5)
    wire = wire_to(channel)
    channel.chunks_before_drop = chunks_before_drop
    with pytest.raises(EOFError):
        list(read(wire, b"h", 0, 10_000, 20))


def test_a_refusal_in_the_middle_is_reported() -> None:
    """A status other than "end of file" ends the reading as Refusal, with the server's words."""
    channel = AwkwardServer(b"abc" * 100, seed=1)
    channel.read = lambda fields: status(packets.FAILURE, b"disk on fire \xff")  # type: ignore[method-assign]
    with pytest.raises(Refusal, match="disk on fire \ufffd"):
        list(read(wire_to(channel), b"h", 0, 300, 10))


@pytest.mark.parametrize("data", [b"", b"x" * 11])
def test_an_answer_of_impossible_length_is_reported(data: bytes) -> None:
    """No bytes at all, or more than asked for, is no SFTP; it must not loop or shift the file."""
    channel = AwkwardServer(b"abc" * 100, seed=1)
    channel.read = lambda fields: (packets.DATA, packets.string(data))  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        list(read(wire_to(channel), b"h", 0, 300, 10))


@pytest.mark.parametrize(
    ("stated", "size"), [(0, 32768), (1000, 1000), (32768, 32768), (261120, 261120), (2**40, 261120)]
)
def test_requests_are_as_large_as_the_server_allows(stated: int, size: int) -> None:
    """`limits@openssh.com` decides, up to 255 KiB; 0 means that the server has no opinion."""
    reply = packets.EXTENDED_REPLY, struct.pack(">QQQQ", 2**18, stated, stated, 0)
    assert limits(wire_to(AwkwardServer(b"", seed=1, extensions={packets.LIMITS: reply}))) == Limits(size, size)


def test_a_server_without_limits_is_asked_for_32_kib() -> None:
    """Where the extension is not announced it is not asked for."""
    assert limits(wire_to(AwkwardServer(b"", seed=1))) == Limits(32768, 32768)


@pytest.mark.parametrize(
    "greeting",
    [b"This account is not available.\n", packets.packet(packets.DATA, b"abcd"), b"\0\0\0\0", b"\0\0\0\x02\x02a"],
)
def test_a_greeting_that_is_no_sftp_is_reported(greeting: bytes) -> None:
    """Text of a login shell, packets out of turn and empty or cut ones are NotSftp."""
    channel = AwkwardServer(b"", seed=1)
    channel.sendall = lambda data: channel.outgoing.extend(greeting)  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        wire_to(channel)


def packed(attributes: Attributes, owner: bool, extended: int) -> bytes:
    """Return attributes as a server sends them."""
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
def test_attributes_are_read_whatever_is_left_out(attributes: Attributes, owner: bool, extended: int) -> None:
    """Servers may leave out any attribute and add their own; what follows is still read from the right place."""
    fields = Fields(packed(attributes, owner, extended) + packets.string(b"next"))
    assert packets.attributes(fields) == attributes
    assert fields.string() == b"next"
    assert not fields


@given(st.binary(max_size=80))
def test_noise_is_reported_as_noise(noise: bytes) -> None:
    """Any bytes in place of a listing are read as one or are NotSftp; nothing else is raised."""
    try:
        for entry in packets.entries(Fields(noise)):
            assert isinstance(entry.name, bytes)
    except NotSftp:
        pass
