"""A file on its way to this machine's disk: streamed, hashed as it comes, and visible only when whole."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from requests import Response

from cdp_sync.connectors import disk
from cdp_sync.connectors.http import failures
from cdp_sync.connectors.http.deadline import OverTime
from cdp_sync.connectors.http.sender import Sender
from cdp_sync.errors import (
    CdpSyncError,
    RemoteFailure,
    RemotePathMissing,
    RemotePermissionDenied,
    RemoteSizeDiffers,
    ServerRefused,
)

_CHUNK = 1 << 18
_MOST_REDIRECTS = 5
_PLAIN = {"Accept-Encoding": "identity"}  # so that the length that is told is the file's


@dataclass(frozen=True)
class Downloaded:
    """A file that has arrived."""

    local: Path
    """Where the bytes are."""
    size: int
    """Bytes."""
    sha256: str
    """Of the bytes, in hexadecimal."""


def download(sender: Sender, url: str, target: Path, *, progress: Callable[[int], None] | None = None) -> Downloaded:
    """Fetch what is at an address; `target` appears, or changes, only when all of it is there.

    On the way it is `<target>.part`, of which nothing stays behind. No credentials are sent. After a lost line it is
    fetched again from the start.

    Args:
        sender: Carries it.
        url: The address; nothing of it but the host is ever told, as it may be a key by itself.
        target: Where it shall be; missing folders are made.
        progress: Called with the number of bytes that have arrived so far.

    Raises:
        RemotePathMissing: There is nothing at this address, or nothing any more.
        RemotePermissionDenied: It may not be fetched, or not any more.
        DiskFull: There is no room for it.
        Transient: Too many attempts failed.
    """
    return sender.persist(lambda: _attempt(sender, url, target, progress or _unseen))


def _attempt(sender: Sender, url: str, target: Path, progress: Callable[[int], None]) -> Downloaded:
    part = target.with_name(f"{target.name}.part")
    try:
        with disk.while_writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)  # others must not read it
            with part.open("r+b") as file:
                size, sha256 = _received(sender, url, file, progress)
            part.replace(target)
        return Downloaded(target, size, sha256)
    finally:
        with suppress(OSError):  # must not hide why it failed
            part.unlink(missing_ok=True)


def _received(sender: Sender, url: str, file: BinaryIO, progress: Callable[[int], None]) -> tuple[int, str]:
    problem: CdpSyncError
    try:
        with sender.within(sender.timeouts.transfer), _opened(sender, url) as response:
            return _copied(response, file, progress)
    except OverTime:
        problem = failures.too_slow(url, sender.timeouts.transfer)
    except _DiskProblem as cause:
        raise cause.problem from None
    except failures.PROBLEMS as cause:
        problem = failures.told(cause, url)
    raise problem  # outside: the cause's text would be kept with it


class _DiskProblem(Exception):
    """Sets what the disk says apart from what the line says: both are OSErrors."""

    def __init__(self, problem: OSError) -> None:
        super().__init__()
        self.problem = problem


def _copied(response: Response, file: BinaryIO, progress: Callable[[int], None]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for chunk in response.raw.stream(_CHUNK, decode_content=True):
        try:
            file.write(chunk)
        except OSError as problem:
            raise _DiskProblem(problem) from None
        digest.update(chunk)
        size += len(chunk)
        progress(size)
    _verify_size(response, size)
    return size, digest.hexdigest()


def _verify_size(response: Response, size: int) -> None:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in response.headers and int(length) != size:
        raise RemoteSizeDiffers(f"{failures.address(response.url)} sent {size} of {length} bytes.")


def _opened(sender: Sender, url: str) -> Response:
    where = url
    for _ in range(_MOST_REDIRECTS):
        response = sender.open("GET", where, _PLAIN)
        if response.status_code == 200:
            return response
        response.close()
        if not response.is_redirect:
            raise _refusal(response.status_code, where)
        where = _elsewhere(where, response.headers["Location"])
    raise ServerRefused(f"{failures.address(url)} sends us from one address to the next.")


def _elsewhere(url: str, location: str) -> str:
    there = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(there).scheme != "https":
        raise ServerRefused(f"{failures.address(url)} sends us to an address without TLS.")
    return there


def _refusal(status: int, url: str) -> CdpSyncError:
    where = failures.address(url)
    if status in (404, 410):
        return RemotePathMissing(f"The file is not at {where}, or not any more (status {status}).")
    if status in (401, 403):
        return RemotePermissionDenied(f"{where} does not give the file, or not any more (status {status}).")
    return RemoteFailure(f"{where} does not give the file: status {status}.")


def _unseen(_arrived: int) -> None:
    """Progress nobody asked for."""
