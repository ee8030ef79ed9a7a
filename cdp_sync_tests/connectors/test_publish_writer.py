"""The writer against a minimal server that answers in the most difficult ways that the protocol allows."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_sync.connectors.sftp.protocol import packets, transfer
from cdp_sync.connectors.sftp.protocol.packets import Fields, NotSftp, Refusal
from cdp_sync_tests.connectors.awkward import AwkwardServer, Packet, status, wire_to


def written(channel: AwkwardServer, content: bytes, size: int) -> list[int]:
    """Write everything in chunks; return the confirmed positions."""
    return list(transfer.write(wire_to(channel), b"h", io.BytesIO(content).read, size))


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 2**32), st.integers(1, 70))
def test_the_bytes_arrive_in_their_places(content: bytes, seed: int, size: int) -> None:
    """All bytes arrive for any order of answers, and each confirmation covers all bytes before it."""
    channel = AwkwardServer(b"", seed)
    confirmed = written(channel, content, size)
    assert channel.content == content
    assert confirmed == [min(end, len(content)) for end in range(size, len(content) + size, size)]
    assert not channel.waiting


@pytest.mark.parametrize("size", [1, 32_678, 32_679, 32_680, 32_704, 65_383, 261_120])
def test_a_write_takes_few_ssh_packets(size: int) -> None:
    """A WRITE takes the minimum number of SSH packets, as packets cost more than bytes."""
    channel = AwkwardServer(b"", seed=1)
    wire = wire_to(channel)
    sent: list[int] = []
    sendall = channel.sendall
    channel.sendall = lambda data: (sent.append(len(data)), sendall(data))[1]  # type: ignore[method-assign,func-returns-value]
    content = bytes(number % 251 for number in range(size))
    list(transfer.write(wire, b"h", io.BytesIO(content).read, size))
    assert channel.content == content
    most = 32_768 - 64
    assert sum(-(-part // most) for part in sent) == -(-sum(sent) // most)


def test_requests_in_flight_are_bounded() -> None:
    """At most 64 requests wait for an answer, for any file size."""
    channel = AwkwardServer(b"", seed=1)
    written(channel, b"x" * 20_000, 100)
    assert channel.most_waiting == 64


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_a_dropped_connection_is_an_error(chunks_before_drop: int, seed: int) -> None:
    """A connection that drops before everything is confirmed is an error."""
    channel = AwkwardServer(b"", seed)
    wire = wire_to(channel)
    channel.chunks_before_drop = chunks_before_drop
    with pytest.raises(EOFError):
        list(transfer.write(wire, b"h", io.BytesIO(b"x" * 10_000).read, 20))


def test_a_refusal_is_reported() -> None:
    """A status other than "ok" is a Refusal with the server's message."""
    channel = AwkwardServer(b"", seed=1)
    take = channel.write
    channel.write = lambda fields: (  # type: ignore[method-assign]
        take(fields) if len(channel.content) < 1500 else status(packets.FAILURE, b"No space left on device")
    )
    with pytest.raises(Refusal, match="No space left"):
        written(channel, b"x" * 3000, 10)


def test_an_answer_of_another_type_is_reported() -> None:
    """An answer other than a status is an error."""
    channel = AwkwardServer(b"", seed=1)
    channel.write = lambda fields: (packets.DATA, packets.string(b"x"))  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        written(channel, b"x" * 10, 10)


class Syncing(AwkwardServer):
    """Records how much is written and confirmed at each fsync."""

    def __init__(self, answer: Packet) -> None:
        super().__init__(b"", seed=1, extensions={packets.SYNC: answer})
        self.synced: list[tuple[int, int]] = []

    def take(self, kind: int, fields: Fields) -> None:
        """Process one request."""
        if kind == packets.EXTENDED:
            self.synced.append((len(self.content), len(self.waiting)))
        super().take(kind, fields)


def test_fsync_is_called_regularly(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fsync@openssh.com` is called regularly and at the end, each time after all writes are confirmed."""
    monkeypatch.setattr(transfer, "_SYNC_EVERY", 1000)
    channel = Syncing(status(packets.OK))
    written(channel, b"x" * 2500, 100)
    assert channel.synced == [(1000, 0), (2000, 0), (2500, 0)]


def test_a_failing_fsync_is_reported() -> None:
    """A failing `fsync@openssh.com` is a Refusal, so that the file is not published."""
    with pytest.raises(Refusal, match="Input/output error"):
        written(Syncing(status(packets.FAILURE, b"Input/output error")), b"x", 1)


def test_an_unsupported_fsync_is_ignored() -> None:
    """An extension that is announced but unsupported counts as not announced."""
    assert written(Syncing(status(packets.UNSUPPORTED)), b"xyz", 2) == [2, 3]
