"""Declared limits that all processes of this machine keep together: several runs may use one key at the same time.

Each endpoint has a file with one entry for every call that takes a place in its bucket: a call under way, or one that
ended less than the bucket's `seconds` ago. A call begins once fewer entries than the bucket's `calls` are left. A
process that is killed leaves entries that expire soon after.

The monotonic clock counts from the machine's start for all processes; entries of an earlier start are recognized by
their expiry, which lies further ahead than any could.
"""

import fcntl
import hashlib
import os
import secrets
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cdp_sync.connectors.http.rate_limit import Bucket, Permit, RateLimiter
from cdp_sync.errors import RateExceeded
from cdp_sync.private import private_folder
from cdp_sync.retrying import Cancelled

_ENTRY = struct.Struct("<QId")
"""Number of a call, the process that makes it, 0 once it has ended, and when the entry expires."""
_LONGEST_CALL = 7200.0
"""Seconds after which a call that did not end counts as lost with its process."""
_LONGEST_WAIT, _SHORTEST_WAIT = 0.25, 0.001
"""Seconds between two looks: a call of another process may end at any time."""


def shared_folder(key: str) -> Path:
    """Return the folder of all calls with a key by this user of this machine; its name does not reveal the key."""
    digest = hashlib.sha256(f"cdp-sync rate limit {key}".encode()).hexdigest()[:24]
    return Path(tempfile.gettempdir(), f"cdp-sync-{os.geteuid()}", "rates", digest)


class MachineLimiter(RateLimiter):
    """Lets calls through as declared buckets allow to all processes that name the same folder.

    Args:
        folder: Where the entries are; it is made for its owner alone.
        buckets: Declared limits by endpoint key. Endpoints without one are limited within this process alone.
        length: Seconds that an endpoint rests after a refusal that does not say how long.
        clock: Seconds, the same for all processes.
        sleep: How a thread waits: for an event, so many seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        buckets: Mapping[Hashable, Bucket],
        length: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        super().__init__(buckets=buckets, length=length, clock=clock)
        self._folder, self._sleep = folder, sleep

    def acquire(
        self, key: Hashable, *, cancelled: threading.Event | None = None, deadline: float = float("inf")
    ) -> Permit:
        """Wait until a call may go, in this process and on this machine; as `RateLimiter.acquire`."""
        until = self.clock() + deadline
        permit = super().acquire(key, cancelled=cancelled, deadline=deadline)
        if key not in self._buckets:
            return permit
        try:
            number = self._enter(key, cancelled, until)
        except BaseException:
            permit.lost()
            raise
        return replace(permit, ended=lambda: self._leave(key, number))

    def _enter(self, key: Hashable, cancelled: threading.Event | None, until: float) -> int:
        """Wait for a place in a bucket; return the number of the call's entry."""
        while not (cancelled and cancelled.is_set()):
            with self._entries(key) as (entries, now):
                if len(entries) < self._buckets[key].calls:
                    number = secrets.randbits(63) | 1
                    entries[number] = (os.getpid(), now + _LONGEST_CALL)
                    return number
                pause = min(expiry for _, expiry in entries.values()) - now
            left = until - self.clock()
            if left <= 0:
                raise RateExceeded(
                    "The rate limit allows no call in time.", remedy="Other runs on this machine use the same key."
                )
            self._sleep(cancelled or threading.Event(), max(_SHORTEST_WAIT, min(pause, _LONGEST_WAIT, left)))
        raise Cancelled

    def _leave(self, key: Hashable, number: int) -> None:
        """Note that a call has ended: its entry expires after the bucket's seconds."""
        with self._entries(key) as (entries, now):
            entries[number] = (0, now + self._buckets[key].seconds)

    @contextmanager
    def _entries(self, key: Hashable) -> Generator[tuple[dict[int, tuple[int, float]], float], None, None]:
        """Yield the entries that have not expired at this moment, and the moment; write them if they changed."""
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        descriptor = os.open(private_folder(self._folder) / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            now = self.clock()  # under the lock: what another call wrote is not later
            entries = _living(before, now, self._buckets[key].seconds)
            yield entries, now
            content = b"".join(_ENTRY.pack(number, *entry) for number, entry in entries.items())
            if content != before:
                os.pwrite(descriptor, content, 0)
                os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)  # which unlocks it


def _living(content: bytes, now: float, seconds: float) -> dict[int, tuple[int, float]]:
    """Return the entries that count; a call whose process is gone ended at this moment at the latest."""
    whole = content[: len(content) // _ENTRY.size * _ENTRY.size]
    entries = {}
    for number, process, until in _ENTRY.iter_unpack(whole):
        if process and not _is_running(process):
            entries[number] = (0, now + seconds)
        elif now < until <= now + _LONGEST_CALL:
            entries[number] = (process, until)
    return entries


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to another user, so it is there
    return True
