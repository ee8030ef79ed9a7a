"""Brings lists of people from a platform that exports them by jobs: start, wait, download, list by list."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cdp_sync.errors import JobFailed, JobUnfinished, RequestRefused
from cdp_sync.importing.reading.normalize import fields_of
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile
from cdp_sync.model.list_goal import KEYS, LIST_NAME, ListGoal, ListImport
from cdp_sync.private import private_folder

AHEAD = 4
"""Jobs that are started before the first of them is waited for: what one of them takes, the others take meanwhile."""

_ATTEMPTS = 2

Progress = Callable[[str, int], None]
"""Told a list's name and how many bytes of it have arrived so far."""


class Named(Protocol):
    """A list of people."""

    @property
    def name(self) -> str:
        """What it is called; no two are called the same."""
        ...


class Lists(Protocol):
    """What fetching needs of a platform."""

    def lists(self) -> Iterable[Named]:
        """Return all lists, natural and smart ones."""
        ...

    def start_export(self, list_name: str, variables: tuple[str, ...] | None = None) -> str:
        """Start a job that exports a list with these custom fields, or all, and return its id."""
        ...

    def fetch_export(self, job_id: str, target: Path, *, progress: Callable[[int], None] | None = None) -> str:
        """Wait for a job's end, bring its result here, and return the SHA-256 of its bytes."""
        ...


@dataclass
class _Jobs:
    """The jobs of a goal's lists, each started a little before it is its turn."""

    platform: Lists
    goal: ListGoal

    def __post_init__(self) -> None:
        self._there = {each.name for each in self.platform.lists()}
        self._started: dict[str, str] = {}

    def start(self, names: Iterable[str]) -> None:
        """Start those that are not."""
        for name in names:
            if name in self._there and name not in self._started:
                self._started[name] = self.platform.start_export(name, self.goal.variables)

    def fetch(self, name: str, target: Path, progress: Callable[[int], None] | None) -> str:
        """Bring a list; a job that yields nothing is replaced by another one."""
        if name not in self._there:
            raise RequestRefused("There is no list of that name.", remedy="Correct the name, or make the list.")
        for left in reversed(range(_ATTEMPTS)):
            self.start([name])
            try:
                return self.platform.fetch_export(self._started.pop(name), target, progress=progress)
            except JobFailed:
                if not left:
                    raise
        raise AssertionError  # the last attempt returns or raises


def fetch_lists(
    platform: Lists, goal: ListGoal, folder: Path, *, progress: Progress | None = None
) -> Iterator[FetchedFile | FileReport]:
    """Yield each list as it arrives in `folder`; one that cannot be had is told of."""
    private_folder(folder)
    jobs = _Jobs(platform, goal)
    for number, name in enumerate(goal.lists):
        target = folder / f"{number}.csv"
        try:
            jobs.start(goal.lists[number : number + AHEAD])
            sha256 = jobs.fetch(name, target, _told(progress, name))
        except (RequestRefused, JobFailed, JobUnfinished) as error:
            yield FileReport(name, FileState.FAILED, message=str(error))
        else:
            remote = RemoteFile(datetime.now(UTC), name, target.stat().st_size)
            yield FetchedFile(remote, target, sha256, {LIST_NAME: name})


def _told(progress: Progress | None, name: str) -> Callable[[int], None] | None:
    return (lambda size: progress(name, size)) if progress else None


def lacking_keys(goal: ListImport, files: Iterable[FetchedFile]) -> tuple[str, ...]:
    """Return the linked and mapped keys that some list does not hold."""
    wanted = [key for key in KEYS if key in goal.fields]
    held = [fields_of(file.local, goal) for file in files]
    return tuple(key for key in wanted if any(fields is not None and key not in fields for fields in held))
