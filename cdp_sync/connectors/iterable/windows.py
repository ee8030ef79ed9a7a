"""What arose in a period, read window after window: users who changed, and events.

The first read takes all there is. Later ones begin at the watermark less the overlap and end some minutes before now,
as exports show what is new with a delay. Rows have keys, so that a row that is read twice is applied once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cdp_sync.connectors.iterable.arriving import Arriving
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.export import Progress, fetch_users
from cdp_sync.connectors.iterable.protocol import UserQuery
from cdp_sync.errors import JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile
from cdp_sync.model.delta import Window


@dataclass(frozen=True)
class Stream:
    """One type of data that windows are read of."""

    data_type: str
    """What Iterable calls it."""
    window: Window
    """Its watermark, with the highest time that was read; the stream's name is its path in the ledger as well."""
    read_until: str
    """The watermark with the end of the last period by our clock: a time in the data may lie in the future."""
    watermarks: Mapping[str, str] = field(default_factory=dict)
    """How far the last run read."""
    fields: tuple[str, ...] = ()
    """The fields that are asked for; all of them by default."""
    without_keys: str = ""
    """What is wrong if most rows lack a key."""
    may_be_empty: bool = False
    """Whether a read that found nothing counts: otherwise all there is is asked for again."""

    @property
    def path(self) -> str:
        """What the ledger calls it."""
        return self.window.stream


def read_window(
    client: IterableClient, stream: Stream, now: datetime, until: datetime, target: Path, progress: Progress
) -> Iterator[FetchedFile | FileReport]:
    """Yield what arose since the watermarks when it is fetched, or all there is while it arrives."""
    since = _since(stream)
    query = UserQuery(since, until if since else None, stream.fields, stream.data_type)
    marks = {stream.read_until: until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    remote = RemoteFile(now, stream.path, 0)
    file = FetchedFile(
        remote, target, "", delta=stream.window, watermarks=marks, without_keys=stream.without_keys
    )  # fmt: skip
    if since is None:
        target.touch(mode=0o600)
        with Arriving(file, partial(fetch_users, client, query, target), progress) as growing:
            yield growing
    elif since >= until:
        yield FileReport(stream.path, FileState.UNCHANGED)
    else:
        yield _changed(client, file, query, progress)


def _changed(
    client: IterableClient, file: FetchedFile, query: UserQuery, progress: Progress
) -> FetchedFile | FileReport:
    """Fetch what arose in a period."""
    path = file.remote.path
    try:
        sha256 = fetch_users(client, query, file.local, progress)
    except (RequestRefused, JobFailed, JobUnfinished) as error:
        return FileReport(path, FileState.FAILED, message=str(error))
    size = file.local.stat().st_size
    if not size:
        return FileReport(path, FileState.UNCHANGED)
    return replace(file, remote=replace(file.remote, size=size), sha256=sha256)


def _since(stream: Stream) -> datetime | None:
    """Return the first moment of the period to read; None where all there is is to be read."""
    marks = [mark for name in (stream.path, stream.read_until) if (mark := stream.watermarks.get(name))]
    needed = 1 if stream.may_be_empty and stream.read_until in stream.watermarks else 2
    return stream.window.since(min(marks)) if len(marks) >= needed else None
