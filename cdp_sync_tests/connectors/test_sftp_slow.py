"""Servers that send byte by byte or list without end: the client raises a clear error soon."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp.protocol.wire import Deadline, LeastRate, TooSlow
from cdp_sync.errors import RemoteListingTooLong, RemoteTooSlow
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Protocol
from cdp_sync_tests.connectors.conftest import Connect, StartSandbox

DRIPPED = 104  # NAME, which a listing is answered with
SENT = 103  # DATA


class Dripping(Protocol):
    """Sends answers of one type byte by byte, with pauses."""

    kind = SENT
    pause = 0.05
    ended = threading.Event()

    def _send_packet(self, kind: int, packet: Any) -> None:
        if kind != self.kind:
            super()._send_packet(kind, packet)  # type: ignore[misc]
            return
        content = packet.asbytes()
        whole = (len(content) + 1).to_bytes(4, "big") + bytes([kind]) + content
        for at in range(len(whole)):
            if self.ended.wait(self.pause):
                return
            self._write_all(whole[at : at + 1])  # type: ignore[attr-defined]


class DrippingNames(Dripping):
    """Sends listings byte by byte."""

    kind = DRIPPED


class Endless(Protocol):
    """Lists without end, one name at a time."""

    def _send_status(self, request_number: int, code: int, desc: str | None = None) -> None:
        if code != 1:  # the end of the directory
            super()._send_status(request_number, code, desc)  # type: ignore[misc]
            return
        name = (1).to_bytes(4, "big") + b"".join(
            [(5).to_bytes(4, "big"), b"a.csv", (0).to_bytes(4, "big"), (0).to_bytes(4, "big")]
        )
        self._send_packet(DRIPPED, Body(request_number.to_bytes(4, "big") + name))  # type: ignore[attr-defined]


class Body:
    """The content of a packet."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def asbytes(self) -> bytes:
        """Return the content."""
        return self.content


@pytest.fixture
def dripping(start_sandbox: StartSandbox) -> Iterator[Any]:
    """Starts a server with such a channel."""
    Dripping.ended.clear()

    def started(protocol: type[Protocol]) -> SftpSandbox:
        sandbox = start_sandbox()
        sandbox.protocol = protocol
        return sandbox

    yield started
    Dripping.ended.set()


def test_a_slow_download_is_aborted(dripping: Any, root: Path, fetched: Path, connect: Connect) -> None:
    """A download below the minimum speed is aborted without a retry or leftovers."""
    (root / "inbox/a.csv").write_bytes(b"x" * 10_000)
    sandbox = dripping(Dripping)
    client = connect(sandbox, read_timeout=0.5, least_rate=1000)
    (file,) = client.list_directory("/inbox")
    began = time.monotonic()
    with pytest.raises(RemoteTooSlow) as slow:
        client.download(file, fetched)
    assert time.monotonic() - began < 10
    assert "'/inbox/a.csv'" in str(slow.value)
    assert "where 1,000 a second are expected" in str(slow.value)
    assert list(fetched.parent.iterdir()) == []
    assert sandbox.connections == 1


def test_a_lower_speed_can_be_declared(dripping: Any, root: Path, fetched: Path, connect: Connect) -> None:
    """A download at the declared minimum speed completes."""
    (root / "inbox/a.csv").write_bytes(b"x" * 20)
    client = connect(dripping(Dripping), read_timeout=0.5, least_rate=1)
    (file,) = client.list_directory("/inbox")
    assert client.download(file, fetched).local.read_bytes() == b"x" * 20


def test_a_slow_listing_has_a_deadline(dripping: Any, root: Path, connect: Connect) -> None:
    """A listing has a deadline, even if bytes keep arriving."""
    (root / "inbox/a.csv").touch()
    began = time.monotonic()
    with pytest.raises(RemoteTooSlow, match=r"'/inbox'.*not whole after 0.5 s"):
        connect(dripping(DrippingNames), answer_timeout=0.5).list_directory("/inbox")
    assert time.monotonic() - began < 10


def test_an_endless_listing_is_limited_in_entries(dripping: Any, connect: Connect) -> None:
    """A directory with more entries than declared is an error with number and remedy."""
    with pytest.raises(RemoteListingTooLong) as long:
        connect(dripping(Endless), listing_entries=1000).list_directory("/inbox")
    message = str(long.value)
    assert "'/inbox'" in message
    assert "more than 1,000 entries" in message
    assert "`listing_entries`" in message


def test_an_endless_listing_is_limited_in_time(dripping: Any, connect: Connect) -> None:
    """An endless listing ends at the deadline."""
    with pytest.raises(RemoteTooSlow, match=r"not whole after 0[.]5 s"):
        connect(dripping(Endless), answer_timeout=0.5, listing_entries=10**8).list_directory("/inbox")


def test_a_directory_may_have_the_declared_number_of_entries(
    start_sandbox: StartSandbox, root: Path, connect: Connect
) -> None:
    """A directory may have exactly the declared number of entries, including `.`, `..` and folders."""
    for number in range(10):
        (root / "inbox" / f"{number}.csv").touch()
    sandbox = start_sandbox()
    assert len(connect(sandbox, listing_entries=10).list_directory("/inbox")) == 10
    with pytest.raises(RemoteListingTooLong):
        connect(sandbox, listing_entries=9).list_directory("/inbox")


class SlowConfirmation(Protocol):
    """Confirms writes byte by byte."""

    kind = 6

    def _process(self, t: int, request_number: int, msg: Any) -> None:
        self.slow = t == self.kind
        super()._process(t, request_number, msg)

    def _send_packet(self, kind: int, packet: Any) -> None:
        if not getattr(self, "slow", False):
            super()._send_packet(kind, packet)  # type: ignore[misc]
            return
        content = packet.asbytes()
        for byte in (len(content) + 1).to_bytes(4, "big") + bytes([kind]) + content:
            if Dripping.ended.wait(0.05):
                return
            self._write_all(bytes([byte]))  # type: ignore[attr-defined]


def test_a_slow_upload_to_sftp_is_aborted(dripping: Any, local: Path, connect: Connect) -> None:
    """An upload below the minimum speed is aborted."""
    with pytest.raises(RemoteTooSlow, match="a second are expected"):
        connect(dripping(SlowConfirmation), read_timeout=0.5, least_rate=10**7, answer_timeout=2).publish(
            local, "/inbox/b.csv"
        )


def test_only_waiting_counts_toward_the_speed() -> None:
    """The speed is bytes per second of waiting, measured over intervals."""
    rate = LeastRate(100, 10)
    for _ in range(100):
        rate.waited(1, 100)
    rate.bytes += 10_000
    for _ in range(9):
        rate.waited(1, 0)
    rate = LeastRate(100, 10)
    for _ in range(9):
        rate.waited(1, 99)
    with pytest.raises(TooSlow, match="990 bytes in 10 s"):
        rate.waited(1, 99)


def test_a_deadline_passes() -> None:
    """A deadline counts from when it was set."""
    Deadline(60).waited(0, 1)
    with pytest.raises(TooSlow):
        Deadline(-1).waited(0, 1)
