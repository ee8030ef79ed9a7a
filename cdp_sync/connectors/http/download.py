"""Download over HTTP to this machine's disk: streamed, hashed as it comes, and visible only when whole."""

import hashlib
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from cdp_sync import errors
from cdp_sync.connectors import disk
from cdp_sync.connectors.http.network_errors import address
from cdp_sync.connectors.http.sender import Request, Sender, Stream

_MAX_REDIRECTS = 5
_PLAIN = {"Accept-Encoding": "identity"}  # so that Content-Length is the file's


@dataclass(frozen=True)
class Downloaded:
    """A file that has arrived."""

    local: Path
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal."""


def download(
    sender: Sender,
    url: str,
    target: Path,
    *,
    key: Hashable | None = None,
    progress: Callable[[int], None] = lambda _size: None,
) -> Downloaded:
    """Fetch what is at an address; `target` appears, or changes, only when all of it is there.

    On the way it is `<target>.part`, which is removed in the end. The sender's credentials go along while the address
    is at the platform's own host, and never after a redirect to another one. After a lost line the file is fetched
    again from the start.

    Args:
        sender: Carries it.
        url: The address; of it only the host is shown, as it may be a key by itself.
        target: Where the file shall be; missing folders are made.
        key: What the platform counts the call as; by default the rate limit does not apply.
        progress: Called with the number of bytes that have arrived so far.

    Raises:
        RemotePathMissing: There is nothing at this address, or nothing any more.
        RemotePermissionDenied: It may not be fetched, or not any more.
        DiskFull: There is no room for it.
        Transient: Too many attempts failed.
    """
    part = target.with_name(f"{target.name}.part")

    def attempt() -> Downloaded:
        try:
            with disk.while_writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                part.unlink(missing_ok=True)
                part.touch(mode=0o600)  # others must not read it
                with part.open("r+b") as file, _opened(sender, Request(key, "GET", url, headers=_PLAIN)) as stream:
                    size, sha256 = save(stream, file, progress)
                part.replace(target)
            return Downloaded(target, size, sha256)
        finally:
            with suppress(OSError):  # must not hide why it failed
                part.unlink(missing_ok=True)

    return sender.retry.call(attempt)


def save(stream: Stream, file: BinaryIO, progress: Callable[[int], None]) -> tuple[int, str]:
    """Write an answer's body to a file; return its size in bytes and its SHA-256.

    Raises:
        OSError: The file cannot be written.
        RemoteSizeDiffers: The body is shorter or longer than the answer says.
        ConnectionLost: It ends early, or comes too slowly.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in stream.chunks():
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
        progress(size)
    length = stream.headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in stream.headers and int(length) != size:
        raise errors.RemoteSizeDiffers(f"{address(stream.response.url)} sent {size} of {length} bytes.")
    return size, digest.hexdigest()


@contextmanager
def _opened(sender: Sender, request: Request) -> Generator[Stream, None, None]:
    """Yield the answer with the file, redirects followed."""
    for _ in range(_MAX_REDIRECTS):
        request = replace(request, anonymous=request.anonymous or not sender.is_own(request.url))
        with sender.stream(request) as stream:
            if stream.status == 200:
                yield stream
                return
            if not stream.response.is_redirect:
                raise _refusal(stream.status, address(request.url))
            url = urljoin(request.url, stream.headers["Location"])
        if urlsplit(request.url).scheme == "https" and urlsplit(url).scheme != "https":
            raise errors.ServerRefused(f"{address(request.url)} redirects to an address without TLS.")
        request = replace(request, url=url)
    raise errors.ServerRefused(f"{address(request.url)} redirects without end.")


def _refusal(status: int, where: str) -> errors.CdpSyncError:
    if status in (404, 410):
        return errors.RemotePathMissing(f"The file is not at {where}, or not any more (status {status}).")
    if status in (401, 403):
        return errors.RemotePermissionDenied(f"{where} does not give the file, or not any more (status {status}).")
    return errors.RemoteFailure(f"{where} does not give the file: status {status}.")
