"""Files fetched over HTTP: all of a file, or nothing."""

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
from cdp_sync_tests.connectors.http.scene import Reply, Scene
from cdp_sync_tests.connectors.http.test_sender import SECRET, failed, sender

CONTENT = b"Profile Id,Lists\n" + b"1,Main\n" * 100_000


def lost(url: str, target: Path, **options: object) -> CdpSyncError:
    """Fetch in vain and return the error; nothing is left."""
    error = failed(url, work=lambda calling, url: download(calling, f"{url}/x?{SECRET}", target), **options)
    assert [path.name for path in target.parent.glob("*")] == []
    return error


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    """With its hash, its size, and progress up to it; nobody else may read it. Missing folders are made."""
    target, seen = tmp_path / "new" / "list.csv", [0]
    with Scene([Reply(body=CONTENT)]) as scene, sender(scene.url) as calling:
        arrived = download(calling, f"{scene.url}/x", target, progress=seen.append)
        assert "Authorization" not in scene.heard[0].headers
    assert (arrived.local, arrived.size) == (target, len(CONTENT))
    assert arrived.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert target.read_bytes() == CONTENT
    assert (seen == sorted(seen), seen[-1]) == (True, len(CONTENT))
    assert target.stat().st_mode & 0o077 == 0


def test_after_a_lost_line_it_is_fetched_again(tmp_path: Path) -> None:
    """From the start."""
    target = tmp_path / "list.csv"
    replies = [Reply(body=CONTENT, manner="cut"), Reply(body=CONTENT)]
    with Scene(replies) as scene, sender(scene.url, attempts=2) as calling:
        download(calling, scene.url, target)
    assert target.read_bytes() == CONTENT


def test_half_a_file_is_no_file(tmp_path: Path) -> None:
    """A former one stays as it is."""
    target = tmp_path / "list.csv"
    with Scene([Reply(body=CONTENT, manner="cut")]) as scene:
        assert isinstance(lost(scene.url, target, attempts=2), ConnectionLost)
        target.write_text("former")
        with sender(scene.url) as calling, pytest.raises(ConnectionLost):
            download(calling, scene.url, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("list.csv", "former")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, RemotePathMissing), (410, RemotePathMissing), (403, RemotePermissionDenied), (500, RemoteFailure)],
)
def test_a_file_that_is_not_there_is_reported(tmp_path: Path, status: int, kind: type[CdpSyncError]) -> None:
    """By the status; only what may pass is tried again."""
    with Scene([Reply(status)]) as scene:
        assert isinstance(lost(scene.url, tmp_path / "list.csv", attempts=2), kind)
        assert len(scene.heard) == (2 if status == 500 else 1)


def test_redirects_are_followed(tmp_path: Path) -> None:
    """To another place, a few times, and not round and round."""
    with (
        Scene([Reply(body=b"there")]) as there,
        Scene([Reply(302, headers={"Location": f"{there.url}/y"})]) as scene,
        sender(scene.url) as calling,
    ):
        download(calling, f"{scene.url}/x", tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_bytes() == b"there"
    (tmp_path / "list.csv").unlink()
    with Scene([Reply(302, headers={"Location": "/x"})]) as scene:
        assert isinstance(lost(scene.url, tmp_path / "list.csv"), ServerRefused)


def test_a_silent_server_is_not_waited_for(tmp_path: Path) -> None:
    """Neither one that sends a byte now and then."""
    with Scene([Reply(manner="silent"), Reply(manner="drips")]) as scene:
        assert "fell silent" in str(lost(scene.url, tmp_path / "a.csv", read=0.3))
        assert "did not answer in full" in str(lost(scene.url, tmp_path / "a.csv", transfer=0.3))


def test_a_full_disk_is_reported_as_such() -> None:
    """Not as a lost line, which would be tried again."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    with (
        Scene([Reply(body=CONTENT)]) as scene,
        sender(scene.url) as calling,
        pytest.raises(DiskFull),
        disk.while_writing(full),
        full.open("r+b", buffering=0) as file,
        calling.stream(Request(None, "GET", scene.url)) as stream,
    ):
        save(stream, file, lambda _size: None)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file of 50 MB needs less than 4 MB here."""
    block = b"0123456789abcdef" * (1 << 16)
    with Scene([Reply(body=block * 50)]) as scene, sender(scene.url) as calling:
        tracemalloc.start()
        try:
            download(calling, scene.url, tmp_path / "large.csv")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 << 20


def test_credentials_go_to_the_platforms_own_host_only(tmp_path: Path) -> None:
    """A file at the API's own host is fetched with them; after a redirect to another host they are never sent again."""
    options: dict[str, Any] = {
        "headers": {"Api-Key": "k-123"},
        "authorize": lambda request: replace(request, query={**request.query, "sig": "s-1"}),
    }
    with Scene([]) as there, Scene([]) as scene, sender(scene.url, options=options) as calling:
        replies = {
            "/own": Reply(body=b"own"),
            "/away": Reply(302, headers={"Location": f"{there.url}/back"}),
        }
        scene._replies = lambda heard: replies[heard.path]
        there._replies = lambda _heard: Reply(302, headers={"Location": f"{scene.url}/own"})
        for name in ("own", "away"):
            download(calling, f"{scene.url}/{name}", tmp_path / name)
            assert (tmp_path / name).read_bytes() == b"own"
        assert [(heard.path, heard.query, heard.headers.get("Api-Key")) for heard in scene.heard] == [
            ("/own", "sig=s-1", "k-123"),
            ("/away", "sig=s-1", "k-123"),
            ("/own", "", None),
        ]
        download(calling, f"{there.url}/back", tmp_path / "there")
        heard = [*there.heard, scene.heard[-1]]
        assert [(one.query, one.headers.get("Api-Key")) for one in heard] == [("", None)] * 3


def test_a_download_may_count_as_a_call(tmp_path: Path) -> None:
    """Under the key that it is given, its turn is waited for."""
    limiter = RateLimiter(buckets={"export": Bucket(1, 0.2)})
    with Scene([Reply(body=b"x")]) as scene, sender(scene.url, limiter=limiter) as calling:
        begun = time.monotonic()
        for number in range(2):
            download(calling, scene.url, tmp_path / str(number), key="export")
    assert time.monotonic() - begun >= 0.2
