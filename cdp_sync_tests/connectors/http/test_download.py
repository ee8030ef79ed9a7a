"""HTTP downloads: the whole file or nothing."""

import hashlib
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors import disk
from cdp_sync.connectors.http.download import download, save
from cdp_sync.connectors.http.rate_limit import Bucket, RateLimiter
from cdp_sync.connectors.http.sender import Request
from cdp_sync.errors import (
    CdpSyncError,
    ConnectionLost,
    DiskFull,
    RemoteFailure,
    RemotePathMissing,
    RemotePermissionDenied,
    ServerRefused,
)
from cdp_sync_tests.connectors.http.scripted_server import Reply, ScriptedServer
from cdp_sync_tests.connectors.http.test_sender import SECRET, failing_call, sender

CONTENT = b"Profile Id,Lists\n" + b"1,Main\n" * 100_000


def failed_download(url: str, target: Path, **options: object) -> CdpSyncError:
    """Return the error of a failing download that leaves no file."""
    error = failing_call(url, work=lambda calling, url: download(calling, f"{url}/x?{SECRET}", target), **options)
    assert [path.name for path in target.parent.glob("*")] == []
    return error


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    """A download yields hash, size and progress, creates missing folders and is readable by its owner only."""
    target, seen = tmp_path / "new" / "list.csv", [0]
    with ScriptedServer([Reply(body=CONTENT)]) as server, sender(server.url) as calling:
        arrived = download(calling, f"{server.url}/x", target, progress=seen.append)
        assert "Authorization" not in server.calls[0].headers
    assert (arrived.local, arrived.size) == (target, len(CONTENT))
    assert arrived.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert target.read_bytes() == CONTENT
    assert (seen == sorted(seen), seen[-1]) == (True, len(CONTENT))
    assert target.stat().st_mode & 0o077 == 0


def test_a_dropped_connection_is_retried(tmp_path: Path) -> None:
    """After a dropped connection the download starts again."""
    target = tmp_path / "list.csv"
    replies = [Reply(body=CONTENT, manner="cut"), Reply(body=CONTENT)]
    with ScriptedServer(replies) as server, sender(server.url, attempts=2) as calling:
        download(calling, server.url, target)
    assert target.read_bytes() == CONTENT


def test_an_incomplete_download_keeps_the_former_file(tmp_path: Path) -> None:
    """An incomplete download leaves a former file unchanged."""
    target = tmp_path / "list.csv"
    with ScriptedServer([Reply(body=CONTENT, manner="cut")]) as server:
        assert isinstance(failed_download(server.url, target, attempts=2), ConnectionLost)
        target.write_text("former")
        with sender(server.url) as calling, pytest.raises(ConnectionLost):
            download(calling, server.url, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("list.csv", "former")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, RemotePathMissing), (410, RemotePathMissing), (403, RemotePermissionDenied), (500, RemoteFailure)],
)
def test_the_status_decides_the_error(tmp_path: Path, status: int, kind: type[CdpSyncError]) -> None:
    """The HTTP status decides the type of the error. Only transient errors are retried."""
    with ScriptedServer([Reply(status)]) as server:
        assert isinstance(failed_download(server.url, tmp_path / "list.csv", attempts=2), kind)
        assert len(server.calls) == (2 if status == 500 else 1)


def test_redirects_are_followed(tmp_path: Path) -> None:
    """Redirects are followed to another address, but not in a loop."""
    with (
        ScriptedServer([Reply(body=b"there")]) as there,
        ScriptedServer([Reply(302, headers={"Location": f"{there.url}/y"})]) as server,
        sender(server.url) as calling,
    ):
        download(calling, f"{server.url}/x", tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_bytes() == b"there"
    (tmp_path / "list.csv").unlink()
    with ScriptedServer([Reply(302, headers={"Location": "/x"})]) as server:
        assert isinstance(failed_download(server.url, tmp_path / "list.csv"), ServerRefused)


def test_a_stalling_server_times_out(tmp_path: Path) -> None:
    """A server that stalls, or sends byte by byte, is abandoned after the timeout."""
    with ScriptedServer([Reply(manner="silent"), Reply(manner="drips")]) as server:
        assert "fell silent" in str(failed_download(server.url, tmp_path / "a.csv", read=0.3))
        assert "did not answer in full" in str(failed_download(server.url, tmp_path / "a.csv", transfer=0.3))


def test_a_full_disk_is_disk_full() -> None:
    """A full disk is DiskFull, not a dropped connection, which would be retried."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    with (
        ScriptedServer([Reply(body=CONTENT)]) as server,
        sender(server.url) as calling,
        pytest.raises(DiskFull),
        disk.while_writing(full),
        full.open("r+b", buffering=0) as file,
        calling.stream(Request(None, "GET", server.url)) as stream,
    ):
        save(stream, file, lambda _size: None)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Downloading 50 MB needs less than 4 MB of memory."""
    block = b"0123456789abcdef" * (1 << 16)
    with ScriptedServer([Reply(body=block * 50)]) as server, sender(server.url) as calling:
        tracemalloc.start()
        try:
            download(calling, server.url, tmp_path / "large.csv")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 << 20


def test_credentials_stay_on_the_platforms_host(tmp_path: Path) -> None:
    """Credentials are sent to the API's own host only, and never after a redirect to another host."""
    options: dict[str, Any] = {
        "headers": {"Api-Key": "k-123"},
        "authorize": lambda request: replace(request, query={**request.query, "sig": "s-1"}),
    }
    with ScriptedServer([]) as there, ScriptedServer([]) as server, sender(server.url, options=options) as calling:
        replies = {
            "/own": Reply(body=b"own"),
            "/away": Reply(302, headers={"Location": f"{there.url}/back"}),
        }
        server._replies = lambda call: replies[call.path]
        there._replies = lambda _heard: Reply(302, headers={"Location": f"{server.url}/own"})
        for name in ("own", "away"):
            download(calling, f"{server.url}/{name}", tmp_path / name)
            assert (tmp_path / name).read_bytes() == b"own"
        assert [(call.path, call.query, call.headers.get("Api-Key")) for call in server.calls] == [
            ("/own", "sig=s-1", "k-123"),
            ("/away", "sig=s-1", "k-123"),
            ("/own", "", None),
        ]
        download(calling, f"{there.url}/back", tmp_path / "there")
        redirected = [*there.calls, server.calls[-1]]
        assert [(one.query, one.headers.get("Api-Key")) for one in redirected] == [("", None)] * 3


def test_a_download_counts_against_the_rate_limit(tmp_path: Path) -> None:
    """A download with a key waits for the rate limit of that key."""
    limiter = RateLimiter(buckets={"export": Bucket(1, 0.2)})
    with ScriptedServer([Reply(body=b"x")]) as server, sender(server.url, limiter=limiter) as calling:
        begun = time.monotonic()
        for number in range(2):
            download(calling, server.url, tmp_path / str(number), key="export")
    assert time.monotonic() - begun >= 0.2
