"""Lists of people as an import's source: each is exported by a job, which takes its time; they arrive in order.

The flow of one list: `POST job` starts the export, `GET job` says when it has ended, and its result is a file of
delimited text. An export holds a digest of each address; `GET user` has the keys.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import EMAIL_HASH, KEYS, LIST_NAME, PROFILE_ID, SID, ListGoal
from cdp_sync.errors import JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile, SourceLook
from cdp_sync.model.counting import counted
from cdp_sync.private import private_folder

AHEAD = 4
"""Jobs that are started before the first of them is waited for, so that they run at the same time."""


class SailthruKeys:
    """Looks up the keys that an export does not hold."""

    identity, identity_property = SID, PROFILE_ID
    fields = tuple(key for key in KEYS if key != SID)
    digests: ClassVar[Mapping[str, str]] = {"email": EMAIL_HASH}

    def __init__(self, people: SailthruClient) -> None:
        self._people = people

    def look_up(self, platform_ids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the keys of users, in any order; none of users that Sailthru no longer has."""
        return self._people.keys_of(platform_ids)


class SailthruSource:
    """The lists of an import goal, of an account's users."""

    def __init__(self, people: SailthruClient, goal: ListGoal) -> None:
        self._people, self._goal = people, goal
        self._jobs: dict[str, str] = {}
        """The jobs that run, by list."""
        self.paths, self.enricher = goal.lists, SailthruKeys(people)

    def arrivals(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield each list as it arrives in `folder`, or why it could not be fetched."""
        private_folder(folder)
        self._jobs.clear()
        there, names = {each.name for each in self._people.lists()}, self._goal.lists
        for number, name in enumerate(names):
            target = folder / f"{number}.csv"
            try:
                self._start(each for each in names[number : number + AHEAD] if each in there)
                if name not in there:
                    raise RequestRefused("There is no list of that name.", remedy="Correct the name, or make the list.")
                sha256 = self._fetch(name, target, partial(progress, name))
            except (RequestRefused, JobFailed, JobUnfinished) as error:
                yield FileReport(name, FileState.FAILED, message=str(error))
            else:
                remote = RemoteFile(datetime.now(UTC), name, target.stat().st_size)
                yield FetchedFile(remote, target, sha256, {LIST_NAME: name})

    def look(self) -> SourceLook:
        """Return the goal's lists: natural, smart or not there, and how many people each has."""
        found = {each.name: (each.name, each.kind, each.count) for each in self._people.lists()}
        rows = tuple(found.get(name, (name, "not there", None)) for name in self._goal.lists)
        people = counted(sum(count or 0 for *_, count in rows), "person", "people")
        return SourceLook("list", ("list", "kind", "people"), rows, f"{counted(len(rows), 'list')}, {people}")

    def _start(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._jobs:
                self._jobs[name] = self._people.start_export(name, self._goal.variables)

    def _fetch(self, name: str, target: Path, progress: Callable[[int], None]) -> str:
        """Fetch a list and return its SHA-256; a job that yields nothing is replaced once by another one."""
        try:
            return self._people.fetch_export(self._jobs.pop(name), target, progress=progress)
        except JobFailed:
            job = self._people.start_export(name, self._goal.variables)
            return self._people.fetch_export(job, target, progress=progress)
