"""Dagster's instance of this project: the history of runs that the UI and the command line share."""

import errno
import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import DBAPIError

from cdp_sync.errors import CdpSyncError, DiskFull, HistoryUnusable, SettingUnusable, Terminal, Transient
from cdp_sync.retrying import Pauses, RetryPolicy

_PATIENCE = RetryPolicy(math.inf, Pauses(0.05, growth=1.0), deadline=60.0, log=lambda _: None)
"""For others that open the history: each takes a second at most, also where it is made."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LITTLE = 1 << 20
"""Bytes that are left on a disk where SQLite fails for want of room, whatever it says of it."""
_FORMER_STORAGE = "cdp_sync.orchestration.storage"
"""What former versions of `dagster.yaml` name."""


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """Yield the instance that the UI of this project uses: `DAGSTER_HOME`, or `dagster.yaml` of this folder.

    Raises:
        SettingUnusable: `DAGSTER_HOME` names no folder.
        Terminal: Neither is there.
        HistoryUnusable: The history cannot be opened, read or written.
        DiskFull: There is no room on the disk that holds it.
    """
    home = dagster_home()
    with _failures_of(home), ExitStack() as opened:
        with _lock(home):
            try:
                instance = opened.enter_context(dg.DagsterInstance.from_config(str(home)))
            except (DBAPIError, OSError, CdpSyncError):
                raise
            except Exception as error:  # of Dagster, of YAML, of Alembic, of a class that dagster.yaml names
                if isinstance(error.__cause__, DBAPIError):  # Dagster's own retries have ended
                    raise _unreachable(home / "dagster.yaml", error.__cause__) from error
                raise _unusable(home / "dagster.yaml", error) from error
        yield instance


def dagster_home() -> Path:
    """Return the folder whose `dagster.yaml` counts: `DAGSTER_HOME`, or that of the project.

    Raises:
        SettingUnusable: `DAGSTER_HOME` names no folder.
        Terminal: Neither is there.
    """
    if named := os.environ.get("DAGSTER_HOME"):
        home = Path(named).expanduser()
        if home.is_absolute() and home.is_dir():
            return home
        raise SettingUnusable(
            f"DAGSTER_HOME is {named!r}, which {'is no folder' if home.is_absolute() else 'is no absolute path'}.",
            needed="It must be the absolute path of a folder that exists.",
            remedy="Correct the variable, or unset it: then dagster.yaml in the project's folder counts.",
        )
    if not Path("dagster.yaml").exists():
        raise Terminal(
            "There is no dagster.yaml in this folder.",
            needed="A run needs the folder of a cdp_sync project, or DAGSTER_HOME.",
            remedy="Change into the project's folder.",
        )
    return Path.cwd()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let no other process open the history of this folder: two that create its tables at once damage them."""
    descriptor = os.open(folder, os.O_RDONLY)

    def lock() -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = f"Another process has been opening the history of {folder} for {_PATIENCE.deadline:g} seconds."
            raise Transient(found) from None

    try:
        try:
            _PATIENCE.call(lock)
        except Transient as locked:
            raise HistoryUnusable(locked.found, remedy="End it, and run again.") from None
        yield
    finally:
        os.close(descriptor)


def _unreachable(file: Path, error: DBAPIError) -> HistoryUnusable:
    lines = str(error.orig or "").strip().splitlines() or [type(error).__name__]
    return HistoryUnusable(
        f"The database with Dagster's history does not answer: {lines[0]}.",
        remedy=f"See that it runs and that this machine reaches it as {file} says, and run again.",
    )


def _unusable(file: Path, error: Exception) -> HistoryUnusable:
    if _FORMER_STORAGE in str(error):
        return HistoryUnusable(
            f"{file} names classes of {_FORMER_STORAGE}, which former versions had.",
            needed="Dagster's own storage reads the history that they wrote.",
            remedy=(
                "Write `storage: {sqlite: {base_dir: data/dagster}}`, with the former base_dir, and `compute_logs: "
                "{module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}`."
            ),
        )
    # Dagster's messages go on with everything that would be allowed.
    reason = " ".join(str(error).split()).partition(" Expected: ")[0][:300].rstrip(".") or type(error).__name__
    return HistoryUnusable(
        f"Dagster cannot be opened as {file} says: {reason}.",
        remedy="Correct that file; if it is in order, move the history that it names away.",
    )


@contextmanager
def _failures_of(home: Path) -> Iterator[None]:
    """Say what is wrong with the history, without the statements that failed."""
    try:
        yield
    except DBAPIError as error:
        why = str(error.orig or "the database failed")
        disks = [os.statvfs(path) for path in (home, home / "data") if path.exists()]
        if "full" in why or any(disk.f_bavail * disk.f_frsize < _LITTLE for disk in disks):
            raise _no_room("Dagster's history") from error
        raise HistoryUnusable(
            f"Dagster's history cannot be used: {why}.",
            needed="Its database files must be whole, and this user must be allowed to read and write them.",
            remedy=f"{home / 'dagster.yaml'} says where they lie. Put a copy back in place of damaged ones.",
        ) from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _no_room(str(error.filename or "Dagster's history")) from error


def _no_room(what: str) -> DiskFull:
    return DiskFull(f"There is no room left on the disk that holds {what}.", remedy="Free some space and run again.")
