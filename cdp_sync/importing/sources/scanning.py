"""Lists a goal's directory: which files are to be imported, and why the others wait."""

import fnmatch
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from cdp_sync.calling import call
from cdp_sync.errors import (
    FileChanged,
    GoalFailed,
    RemoteNameRefused,
    RemotePathMissing,
    RemotePermissionDenied,
    Terminal,
)
from cdp_sync.model import FetchedFile, FileGoal, FileReport, FileState, RemoteFile
from cdp_sync.private import private_folder, write_private
from cdp_sync.warehouse import KnownFile


class Directory(Protocol):
    """What scanning needs of a server."""

    def list_directory(self, directory: str) -> list[RemoteFile]:
        """Return the regular files of a directory."""


@dataclass(frozen=True)
class Choice:
    """Which of a goal's files a run is about."""

    names: frozenset[str] | None = None
    """These; None: any."""
    pattern: str = "*"
    """Those that this wildcard matches."""
    again: bool = False
    """Also those that have not changed since they were imported."""

    def includes(self, name: str) -> bool:
        """Return whether a file of this name is meant."""
        return (self.names is None or name in self.names) and fnmatch.fnmatchcase(name, self.pattern)

    def gone(self, found: Iterable[RemoteFile]) -> tuple[str, ...]:
        """Return the names that were asked for and are not there."""
        return tuple(sorted((self.names or frozenset()).difference(file.name for file in found)))

    def check(self, server: Directory, goals: Iterable[FileGoal]) -> None:
        """Make sure that a wildcard matches a file of at least one goal. Each directory is listed once.

        Raises:
            GoalFailed: No file of any of them matches.
        """
        listings: dict[str, list[RemoteFile]] = {}
        for goal in goals:
            if goal.directory not in listings:
                listings[goal.directory] = []
                with suppress(Terminal):  # the goal that reads it says so
                    listings[goal.directory] = server.list_directory(goal.directory)
            if any(self.includes(file.name) for file in select_files(listings[goal.directory], goal)):
                return
        raise GoalFailed(
            f"No file of this run's goals matches {self.pattern!r}.",
            needed="The wildcard must match the name of a file of at least one goal.",
            remedy=f"{call('scan CONNECTION')} lists them.",
        )


EVERYTHING_NEW = Choice()
"""What runs are about that nobody asked for anything else."""


@dataclass(frozen=True)
class ScannedFile:
    """A file that matches, and what is to be done about it."""

    remote: RemoteFile
    state: FileState

    @property
    def due(self) -> bool:
        """Whether it is to be imported now."""
        return self.state in (FileState.NEW, FileState.CHANGED, FileState.STALE, FileState.AGAIN)


@dataclass(frozen=True)
class Scan:
    """What a look at the directory found."""

    files: tuple[ScannedFile, ...]
    gone: tuple[str, ...] = ()
    """Paths that were asked for and are not there."""
    names: frozenset[str] = frozenset()
    """Names of all files of the goal, whether they were asked for or not."""

    @property
    def due(self) -> tuple[RemoteFile, ...]:
        """The files to import, in order: modification time, then name."""
        return tuple(file.remote for file in self.files if file.due)

    @property
    def waiting(self) -> tuple[FileReport, ...]:
        """Those that are not imported now, with the reason as their state."""
        states = (FileState.GROWING, FileState.NOT_WHOLE)
        gone = (FileReport(path, FileState.FAILED, message="It is not on the server any more.") for path in self.gone)
        return (*gone, *(FileReport(file.remote.path, file.state) for file in self.files if file.state in states))


class Sightings:
    """When files to import were first seen as they are; `file` remembers it. Losing the file costs a wait."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._since = self._read()

    def note(self, files: Iterable[RemoteFile], now: datetime) -> None:
        """Note a look at these files; all others are forgotten."""
        self._keep({file: min(self._since.get(file, now), now) for file in files})

    def add(self, files: Iterable[RemoteFile], since: datetime) -> None:
        """Note an earlier look at these files, beside what is known."""
        self._keep({**dict.fromkeys(files, since), **self._since})

    def remaining(self, files: Iterable[RemoteFile], seconds: float, now: datetime) -> float:
        """Return for how many seconds from now these files must stay as they are, to have done so for `seconds`."""
        oldest = now - timedelta(seconds=seconds)
        return max(((self._since.get(file, now) - oldest).total_seconds() for file in files), default=0.0)

    def _keep(self, since: dict[RemoteFile, datetime]) -> None:
        if since == self._since:
            return
        self._since = since
        with suppress(OSError):
            self._write()

    def _read(self) -> dict[RemoteFile, datetime]:
        with suppress(OSError, ValueError):
            return dict(_sightings().validate_json(self._file.read_bytes())) if self._file else {}
        return {}

    def _write(self) -> None:
        if self._file and self._since:
            written = private_folder(self._file.parent) / f"{self._file.stem}.new"
            write_private(written, _sightings().dump_json([*self._since.items()]).decode())
            written.replace(self._file)
        elif self._file:
            self._file.unlink(missing_ok=True)


@cache
def _sightings() -> TypeAdapter[list[tuple[RemoteFile, datetime]]]:
    return TypeAdapter(list[tuple[RemoteFile, datetime]])


def scan_directory(
    server: Directory,
    goal: FileGoal,
    known: Mapping[str, KnownFile],
    fingerprint: str,
    choice: Choice = EVERYTHING_NEW,
    *,
    sightings: Sightings | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], None] = time.sleep,
) -> Scan:
    """Look at the directory; twice where something is new or changed and no earlier look proves that it is whole.

    `known` is the ledger by path. `fingerprint` is that of the goal as it is declared now.
    """
    listing = server.list_directory(goal.directory)
    selected = select_files(listing, goal)
    names = frozenset(file.name for file in selected)
    gone = tuple(f"{goal.directory.rstrip('/')}/{name}" for name in choice.gone(selected))
    files = [
        ScannedFile(file, _state(file, known.get(file.path), fingerprint, again=choice.again))
        for file in selected
        if choice.includes(file.name)
    ]
    if marker := goal.complete.marker:
        present, state = {file.name for file in listing}, FileState.NOT_WHOLE
        held = {file.remote for file in files if file.due and not is_marked(file.remote, marker, present)}
    else:
        # Those that are stale or asked for again were seen as they are when they were imported.
        unseen = [file.remote for file in files if file.state in (FileState.NEW, FileState.CHANGED)]
        state = FileState.GROWING
        held = _growing(server, goal, unseen, sightings or Sightings(), now, wait)
    whole = (ScannedFile(file.remote, state) if file.remote in held else file for file in files)
    return Scan(tuple(whole), gone, names)


def _growing(
    server: Directory,
    goal: FileGoal,
    files: Collection[RemoteFile],
    sightings: Sightings,
    now: Callable[[], datetime],
    wait: Callable[[float], None],
) -> set[RemoteFile]:
    """Return those files that are not the same in two looks, `settle_seconds` apart by our own clock.

    A file's age by the server's clock proves nothing: that clock may be slow, and uploads may keep an old time.
    """
    seconds = goal.complete.settle_seconds
    if not seconds:
        return set()
    sightings.note(files, now())
    rest = sightings.remaining(files, seconds, now())
    if rest <= 0:
        return set()
    wait(rest)
    paths = {file.path for file in files}
    later = {file for file in server.list_directory(goal.directory) if file.path in paths}
    sightings.note(later, now())
    return set(files) - later


def select_files(listing: Iterable[RemoteFile], goal: FileGoal) -> list[RemoteFile]:
    """Return the files that the goal names, in order of import; markers and temporary names are none of them."""
    listing = list(listing)
    markers = {goal.complete.marker.replace("{name}", file.name) for file in listing} if goal.complete.marker else set()
    return sorted(file for file in listing if file.name not in markers and goal.arrives_as(file.name))


def _state(file: RemoteFile, known: KnownFile | None, fingerprint: str, *, again: bool) -> FileState:
    if known is None:
        return FileState.NEW
    if (known.size, known.modified_at) != (file.size, file.modified_at):
        return FileState.CHANGED
    if known.fingerprint != fingerprint:
        return FileState.STALE
    return FileState.AGAIN if again else FileState.UNCHANGED


def is_marked(file: RemoteFile, marker: str, names: Collection[str]) -> bool:
    """Return whether the marker of a file is among the names that are there."""
    return marker.replace("{name}", file.name) in names


Progress = Callable[[RemoteFile, int], None]
"""Called with a file and the number of its bytes that have arrived so far."""


class Source(Protocol):
    """What fetching needs of a server."""

    def download(self, file: RemoteFile, target: Path, *, progress: Callable[[int], None] | None = None) -> FetchedFile:
        """Bring a file here."""


def fetch_files(
    server: Source, files: Iterable[RemoteFile], folder: Path, *, progress: Progress | None = None
) -> Iterator[FetchedFile | FileReport]:
    """Yield each file as it arrives in `folder`, where it stays until the next one; a file that changes waits."""
    private_folder(folder)
    for number, file in enumerate(files):
        target = folder / str(number)  # never a remote name: nothing can leave the folder, and no suffix misleads
        try:
            yield server.download(file, target, progress=partial(progress, file) if progress else None)
        except RemotePathMissing:
            yield FileReport(file.path, FileState.VANISHED, message="It was listed and is gone.")
        except FileChanged:
            yield FileReport(file.path, FileState.CHANGING, message="It changed while it was read.")
        except (RemotePermissionDenied, RemoteNameRefused) as error:
            yield FileReport(file.path, FileState.FAILED, message=str(error))
        finally:
            target.unlink(missing_ok=True)
