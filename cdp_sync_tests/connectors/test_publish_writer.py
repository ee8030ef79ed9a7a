"""The writer against a server of a few lines that answers as awkwardly as the protocol allows."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_sync.connectors.sftp.protocol import packets, transfer
from cdp_sync.connectors.sftp.protocol.packets import Fields, NotSftp, Refusal
from cdp_sync_tests.connectors.awkward import AwkwardServer, Packet, status, wire_to


def written(channel: AwkwardServer, content: bytes, size: int) -> list[int]:
    """Write it all, so many bytes at a time; return what was confirmed on the way."""
    return list(transfer.write(wire_to(channel), b"h", io.BytesIO(content).read, size))


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 2**32), st.integers(1, 70))
def test_the_bytes_arrive_in_their_places(content: bytes, seed: int, size: int) -> None:
    """Whatever the order of the answers, all bytes arrive, and each confirmation covers all before it."""
    channel = AwkwardServer(b"", seed)
    confirmed = written(channel, content, size)
    assert channel.content == content
    assert confirmed == [min(end, len(content)) for end in range(size, len(content) + size, size)]
    assert not channel.waiting


@pytest.mark.parametrize("size", [1, 32_678, 32_679, 32_680, 32_704, 65_383, 261_120])
def test_a_piece_takes_as_few_packets_of_ssh_as_there_can_be(size: int) -> None:
    """What precedes the bytes of a WRITE shares a packet with the first of them: packets cost more than bytes do."""
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


def test_what_is_under_way_is_bounded() -> None:
    """However long the file, no more than 64 requests wait for an answer."""
    channel = AwkwardServer(b"", seed=1)
    written(channel, b"x" * 20_000, 100)
    assert channel.most_waiting == 64


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_a_dropped_line_is_never_success(chunks_before_drop: int, seed: int) -> None:
    """Wherever the line drops before everything is confirmed, the writer says so."""
    channel = AwkwardServer(b"", seed)
    wire = wire_to(channel)
    channel.chunks_before_drop = chunks_before_drop
    with pytest.raises(EOFError):
        list(transfer.write(wire, b"h", io.BytesIO(b"x" * 10_000).read, 20))


def test_a_refusal_in_the_middle_is_reported() -> None:
    """A status other than "ok" to any piece ends the writing as Refusal, with the server's words."""
    channel = AwkwardServer(b"", seed=1)
    take = channel.write
    channel.write = lambda fields: (  # type: ignore[method-assign]
        take(fields) if len(channel.content) < 1500 else status(packets.FAILURE, b"No space left on device")
    )
    with pytest.raises(Refusal, match="No space left"):
        written(channel, b"x" * 3000, 10)


def test_an_answer_of_another_kind_is_reported() -> None:
    """Only a status answers a write."""
    channel = AwkwardServer(b"", seed=1)
    channel.write = lambda fields: (packets.DATA, packets.string(b"x"))  # type: ignore[method-assign]
    with pytest.raises(NotSftp):
        written(channel, b"x" * 10, 10)


class Syncing(AwkwardServer):
    """Notes how much has been written and confirmed when it is asked to bring it to the disk."""

    def __init__(self, answer: Packet) -> None:
        super().__init__(b"", seed=1, extensions={packets.SYNC: answer})
        self.synced: list[tuple[int, int]] = []

    def take(self, kind: int, fields: Fields) -> None:
        """Take a request."""
        if kind == packets.EXTENDED:
            self.synced.append((len(self.content), len(self.waiting)))
        super().take(kind, fields)


def test_it_is_brought_to_the_disk_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fsync@openssh.com` is asked for every so often and at the end, each time after all has been confirmed."""
    monkeypatch.setattr(transfer, "_SYNC_EVERY", 1000)
    channel = Syncing(status(packets.OK))
    written(channel, b"x" * 2500, 100)
    assert channel.synced == [(1000, 0), (2000, 0), (2500, 0)]


def test_a_disk_that_fails_is_reported() -> None:
    """A refused `fsync@openssh.com` is Refusal: what is not on the disk is not published."""
    with pytest.raises(Refusal, match="Input/output error"):
        written(Syncing(status(packets.FAILURE, b"Input/output error")), b"x", 1)


def test_a_server_that_cannot_sync_after_all_is_put_up_with() -> None:
    """The extension is announced and then unsupported: as if it had not been announced."""
    assert written(Syncing(status(packets.UNSUPPORTED)), b"xyz", 2) == [2, 3]
