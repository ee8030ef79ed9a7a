"""Users of a project as an import's source: all of them, those that changed in a period, or those on lists; and events.

All users are read once. Later runs read those whose profiles changed since, by `profileUpdatedAt`. Events are read
in the same way, by `createdAt`, one type after the other.

Who is on a list is asked for by `lists/getUsers`: the lists in a user's fields are no complete source. A change of
membership is no change of the profile, so lists are read as a whole every time: a short one by one call a user, others
as the users of one export that are on the list.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cdp_sync.connectors import disk
from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.answers import list_named, property_types
from cdp_sync.connectors.iterable.catalog_goal import CatalogGoal
from cdp_sync.connectors.iterable.catalogs import CatalogSource
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.event_data import DATA_TYPE, EVENT_TIME, WITHIN
from cdp_sync.connectors.iterable.export import fetch_users
from cdp_sync.connectors.iterable.goals import ALL_USERS, LIST_NAME, UPDATED_AT, UserImportGoal, key_of
from cdp_sync.connectors.iterable.look import look
from cdp_sync.connectors.iterable.project_type import check_members, check_unknown, without_keys
from cdp_sync.connectors.iterable.protocol import UserQuery
from cdp_sync.connectors.iterable.windows import Stream, read_window
from cdp_sync.errors import DeclarationError, JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile, SourceLook
from cdp_sync.model.delta import Window
from cdp_sync.model.remote import Members
from cdp_sync.private import private_folder

SHORT_LIST = 1000
"""Users up to which a list is read by one call a user, which takes ten seconds."""

_READ_UNTIL = "read until"
"""The watermark with the end of the last period; see `Stream`. That of events begins with their type."""


class IterableSource:
    """The users of an import goal.

    Args:
        client: Calls the project.
        goal: Says which users.
        now: Returns the present moment.
    """

    enricher = None

    def __init__(
        self, client: IterableClient, goal: UserImportGoal, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client, self._goal, self._now = client, goal, now
        self.paths = goal.paths
        self._watermarks: Mapping[str, str] = {}

    def resume(self, watermarks: Mapping[str, str]) -> None:
        """Read what changed since these watermarks, unless the goal reads all users every time."""
        self._watermarks = watermarks if self._goal.changes == "changed" else {}

    def arrivals(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield users, those on each list, or events as they arrive in `folder`, or why they could not be fetched."""
        private_folder(folder)
        if self._goal.events_from:
            for arrival in self._windows(folder, progress):
                yield _of_events(arrival) if isinstance(arrival, FetchedFile) else arrival
            return
        known = self._client.fields()
        fields = tuple(field for field in self._wanted if field in known or field in self._client.project.keys)
        types = property_types(known) if self._goal.map_detected else {}
        for arrival in self._read(folder, progress):
            if isinstance(arrival, FetchedFile):
                yield replace(arrival, reader="ndjson", fields=fields, types=types)
            else:
                yield arrival

    def _read(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        if self._goal.lists:
            yield from _Lists(self._client, self._goal, folder).arrivals(progress)
        else:
            yield from self._windows(folder, progress)

    def _windows(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield the users who changed in a period, or all of them; or the events of each type."""
        for number, stream in enumerate(self._streams()):
            now, target = self._now(), folder / f"{number}.json"
            until = now - timedelta(minutes=self._goal.settle_minutes)
            yield from read_window(self._client, stream, now, until, target, partial(progress, stream.path))

    def _streams(self) -> Iterator[Stream]:
        overlap = timedelta(minutes=self._goal.overlap_minutes)
        if not self._goal.events_from:
            window = Window(ALL_USERS, UPDATED_AT, overlap)
            problem = without_keys(self._client.project, "Most users have")
            yield Stream("user", window, _READ_UNTIL, self._watermarks, _only(self._goal, self._wanted), problem)
        for name in self._goal.events_from:
            window = Window(name, EVENT_TIME, overlap)
            yield Stream(name, window, f"{name} {_READ_UNTIL}", self._watermarks, may_be_empty=True)

    @property
    def _wanted(self) -> tuple[str, ...]:
        """The fields that the goal needs."""
        return tuple(dict.fromkeys((*self._client.project.keys, UPDATED_AT, *(self._goal.needed or self._goal.fields))))

    def look(self) -> SourceLook:
        """Return the lists and fields that there are, with the values of some users."""
        return look(self._client, self._goal, self._now())


_SOURCES: Mapping[type, Callable[[IterableClient, Any], "IterableSource | CatalogSource"]] = {
    UserImportGoal: IterableSource,
    CatalogGoal: CatalogSource,
}


def source_of(client: IterableClient, goal: UserImportGoal | CatalogGoal) -> "IterableSource | CatalogSource":
    """Return what a goal reads: users, events, or the items of a catalog."""
    return _SOURCES[type(goal)](client, goal)


def _of_events(file: FetchedFile) -> FetchedFile:
    """Return an arrival of events with how its lines are read."""
    return replace(file, reader="ndjson", constants={DATA_TYPE: file.remote.path}, within=WITHIN)


def _only(goal: UserImportGoal, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields that an export is asked for; all of them where one is nested or its name holds a comma."""
    return () if goal.needed is None or any(set(field) & set(".,") for field in wanted) else wanted


class _Lists:
    """The lists of a goal."""

    def __init__(self, client: IterableClient, goal: UserImportGoal, folder: Path) -> None:
        self._client, self._goal, self._folder = client, goal, folder
        self._there = client.lists()
        self._export: tuple[Path, str] | None = None

    def arrivals(self, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield the users of each list, or why they could not be fetched."""
        for number, named in enumerate(self._goal.lists):
            try:
                yield self._arrival(number, named, progress)
            except (DeclarationError, RequestRefused, JobFailed, JobUnfinished) as error:
                yield FileReport(str(named), FileState.FAILED, message=str(error))

    def _arrival(self, number: int, named: str | int, progress: Callable[[str, int], None]) -> FetchedFile:
        found = list_named(self._there, named)
        members = self._folder / f"{number}.members"
        fetched = self._client.fetch_list(found.id, members)
        check_members(self._client.project, members)
        constants = {LIST_NAME: found.name}
        short = _up_to(members, SHORT_LIST)
        if short is not None:
            target = self._folder / f"{number}.json"
            sha256 = self._one_by_one(short, target, lambda size: progress(str(named), size))
            if not target.stat().st_size:
                check_unknown(self._client.project, short)
            remote = RemoteFile(datetime.now(UTC), str(named), target.stat().st_size)
            return FetchedFile(remote, target, sha256, constants)
        users, of_users = self._all_users(lambda size: progress(str(named), size))
        remote = RemoteFile(datetime.now(UTC), str(named), users.stat().st_size)
        sha256 = hashlib.sha256(f"{of_users}{fetched.sha256}".encode()).hexdigest()
        on_list = Members(members, self._client.project.keys)
        problem = without_keys(self._client.project, "All users on the list have")
        return FetchedFile(remote, users, sha256, constants, members=on_list, without_keys=problem)

    def _one_by_one(self, members: Sequence[str], target: Path, progress: Callable[[int], None]) -> str:
        """Write users by one call each, in the list's order; those who are there no more are left out."""
        calls = (protocol.get_user(key_of(member, self._client.project.keys), member) for member in members)
        users: dict[int, bytes] = {}
        with closing(self._client.each(calls)) as outcomes:
            for place, answer in outcomes:
                if isinstance(answer, Exception):
                    raise answer
                if user := answers.user(answer):
                    wanted = {name: user[name] for name in self._only or user if name in user}
                    users[place] = json.dumps(wanted).encode() + b"\n"
        content = b"".join(users[place] for place in sorted(users))
        with disk.while_writing(target):
            target.touch(mode=0o600)
            target.write_bytes(content)
        progress(len(content))
        return hashlib.sha256(content).hexdigest()

    def _all_users(self, progress: Callable[[int], None]) -> tuple[Path, str]:
        """Return the export of all users and its SHA-256; it is fetched once for all lists."""
        if self._export is None:
            target = self._folder / "users.json"
            self._export = target, fetch_users(self._client, UserQuery(fields=self._only), target, progress)
        return self._export

    @property
    def _only(self) -> tuple[str, ...]:
        wanted = (*self._client.project.keys, *(self._goal.needed or ()))
        return _only(self._goal, tuple(dict.fromkeys(wanted)))


def _up_to(file: Path, most: int) -> list[str] | None:
    """Return the identifiers of a list; None where there are more."""
    found: list[str] = []
    with disk.while_reading(file), file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                found.append(line.strip())
            if len(found) > most:
                return None
    return found
