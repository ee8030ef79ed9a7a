"""Opens the warehouse: as late and as briefly as possible, waiting for the process that holds it."""

import errno
import logging
import math
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Literal, Protocol

import duckdb

from cdp_sync.errors import NO_ROOM, CdpSyncError, DiskFull, WarehouseLocked, WarehouseUnusable
from cdp_sync.private import private_file, private_folder
from cdp_sync.retrying import Pauses, RetryPolicy
from cdp_sync.warehouse.backend.migrating import latest_version, migrate, version_of
from cdp_sync.warehouse.memory import memory_limit
from cdp_sync.warehouse.session import Session, damaged, no_room, translate

Access = Literal["none", "read", "write"]

_logger = logging.getLogger(__name__)
_PAUSES = Pauses(first=0.02, growth=1.5, longest=0.5)
_BUSY = ("Could not set lock", "Unique file handle conflict", "different configuration")

NEW = ".new_warehouse_"
"""Prefix of the folders in which warehouses are made; a killed process may leave one."""

_HAS_SYNC = not duckdb.__version__.startswith("1.")
"""Whether DuckDB can be asked not to force files to the disk."""

_SETTINGS = {
    "TimeZone": "UTC",
    # With it, DuckDB 2.0 fails now and then where memory is scarce and a join finds few rows among text columns:
    # `INTERNAL Error: dict-surviving cache: global dictionary column changed identity`.
    "enable_caching_operators": "false",
}


class Guard(Protocol):
    """Decides for a run whether it may use a warehouse. Either method raises a `CdpSyncError` if it may not."""

    def before(self, warehouse: "Warehouse", access: Access) -> None:
        """Decide before the warehouse is opened, or made."""

    def after(self, warehouse: "Warehouse", session: Session, access: Access) -> None:
        """Decide when it is open. Where there was none, one that is read is empty."""


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file that holds the profiles.

    Args:
        path: The file; made on the first write.
        lock_timeout: Seconds to wait for a process that holds it.
        memory_limit: What DuckDB may keep in memory, beyond which it spills to disk; what fits this machine by default.
        guard: Decides whether it may be opened.
    """

    path: Path
    lock_timeout: float = 120.0
    memory_limit: str = field(default_factory=memory_limit)
    guard: Guard | None = field(default=None, compare=False)

    def within(self, memory: str | None) -> "Warehouse":
        """Return the warehouse with another limit of memory, if there is one."""
        return replace(self, memory_limit=memory) if memory else self

    @contextmanager
    def open(self, access: Access, *, staging: Path | None = None, row_group: int = 122_880) -> Iterator[Session]:
        """Yield a session with the catalog `warehouse`, and `staging` where a file is named.

        Each session has a DuckDB instance of its own, so that it inherits no setting and no temporary table. Reading
        where there is no file yet reads an empty warehouse. A row group of the tables that are made in `staging` has
        `row_group` rows, a multiple of 2,048.

        Raises:
            WarehouseLocked: Another process held the file for longer than `lock_timeout`.
            WarehouseUnusable: The file is no warehouse, or of a newer version.
            CdpSyncError: The guard does not let it be opened.
        """
        with ExitStack() as held:
            session = Session(duckdb.connect(":memory:"))
            held.callback(session.close)
            spill = self.path.parent / "spill"  # DuckDB makes the last folder of a path, not those above it
            settings = {"memory_limit": self.memory_limit, "temp_directory": str(spill)}
            if _HAS_SYNC:
                # Staged rows need not survive a power cut, and a file that was forced to the disk takes long to remove.
                settings["fsync_mode"] = "standard" if access == "write" else "none"
            for name, value in {**settings, **_SETTINGS}.items():
                session.set(name, value)
            if staging is not None:
                self._attach(session, staging, "staging", f"row_group_size {row_group}")
            if access != "none":
                if self.guard:
                    self.guard.before(self, access)
                self._open_warehouse(session, access, held)
                if self.guard:
                    self.guard.after(self, session, access)
            yield session

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path.name

    @property
    def place(self) -> str:
        """Where it lies, for people, without a user or a password."""
        return f"{socket.gethostname()}:{self.path}"

    @property
    def is_shared(self) -> bool:
        """Whether several machines may use it."""
        return False

    def exists(self) -> bool:
        """Return whether it was made; opened for writing it is made."""
        return self.path.exists()

    def state(self) -> str:
        """Return what differs after a process has written to it; it is not opened."""
        found = []
        for file in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            if file.exists():
                stat = file.stat()
                found += [stat.st_mtime_ns, stat.st_size]
        return " ".join(map(str, found))

    def copy_to(self, path: Path) -> None:
        """Copy it, as it is at one moment, into a file that does not exist; nothing is made where it does not exist.

        Raises:
            DiskFull: There is no room for the copy.
        """
        if not self.exists():
            return
        self.verify_room(self.path.stat().st_size)
        with self.open("read"):  # nobody writes meanwhile
            for file in (self.path, self.path.with_name(f"{self.path.name}.wal")):
                if file.exists():
                    shutil.copyfile(file, path.with_name(file.name.replace(self.path.name, path.name, 1)))

    def upkeep(self, now: datetime, keep: timedelta) -> Mapping[str, int]:
        """Do what keeps it small and quick, and return what was done by what it counts: nothing for a file.

        Args:
            now: The time that ages are reckoned from.
            keep: How long former states stay.
        """
        return {}

    def verify_room(self, size: int) -> None:
        """Make sure that the warehouse can grow by so many bytes, as far as can be known: they are taken and freed.

        Raises:
            DiskFull: There is no room for them.
            WarehouseUnusable: Nothing can be written beside it.
        """
        verify_room(self.path.parent, size, beside=self.name)

    def _open_warehouse(self, session: Session, access: Access, held: ExitStack) -> None:
        """Attach the warehouse; what has to be given back after the session ends is put on `held`."""
        if access == "read" and self.path.exists():
            self._attach(session, self.path, "warehouse", "read_only")
            if version_of(session) == latest_version():
                return
            session.execute("detach warehouse")
            with self.open("write"):
                pass
            self._attach(session, self.path, "warehouse", "read_only")
        elif access == "read":
            session.attach(Path(":memory:"), "warehouse")
            migrate(session)
        else:
            if not self.path.exists():
                self._make(session)
            self._attach(session, self.path, "warehouse")
            migrate(session)

    def _make(self, session: Session) -> None:
        """Make the file, whole or not at all: half of one could not be opened again."""
        try:
            with TemporaryDirectory(dir=private_folder(self.path.parent), prefix=NEW) as folder:
                new = Path(folder) / self.path.name
                self._attach(session, new, "new")
                session.execute("detach new")
                with suppress(FileExistsError):  # another process was quicker
                    os.link(new, self.path)
        except OSError as error:
            raise _not_made(error, self.path) from error

    def _attach(self, session: Session, path: Path, name: str, options: str = "") -> None:
        try:
            private_folder(path.parent)
        except OSError as error:
            raise _not_made(error, path) from error

        def attach() -> None:
            try:
                session.attach(path, name, options)
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _BUSY):
                    raise _unusable(error, path) from error
                raise WarehouseLocked(
                    f"{path.name} is held by {_holder(str(error))} for more than {self.lock_timeout:g} s.",
                    needed="One process at a time can write to it.",
                    remedy="Close that process, or run again when it is done.",
                ) from error

        RetryPolicy(math.inf, _PAUSES, self.lock_timeout, log=_logger.debug).call(attach)
        for file in (path, path.with_name(f"{path.name}.wal")):
            private_file(file)


def verify_room(folder: Path, size: int, *, beside: str) -> None:
    """Make sure that a folder can take so many bytes more, as far as can be known: they are taken and freed.

    Raises:
        DiskFull: There is no room for them.
        WarehouseUnusable: Nothing can be written there.
    """
    try:
        with TemporaryFile(dir=folder) as probe:
            if hasattr(os, "posix_fallocate"):  # as on Linux
                os.posix_fallocate(probe.fileno(), 0, size)
    except OSError as problem:
        if problem.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # not every file system knows
            return
        why = problem.strerror or "the disk failed"
        if problem.errno in NO_ROOM:
            raise DiskFull(
                f"The disk that holds the warehouse has no room for {size} bytes more: {why}.",
                remedy="Free some space and run again.",
            ) from problem
        raise WarehouseUnusable(
            f"Nothing can be written beside {beside}: {why}.",
            remedy="Correct the permissions of its folder.",
        ) from problem


def _holder(text: str) -> str:
    found = re.search(r"held in (\S+) \(PID (\d+)\)(?: by user (\S+?)\.?(?:\s|$))?", text)
    if not found:
        return "another connection of this process"
    program, pid, user = found.groups()
    return f"process {pid} ({Path(program).name}{f', user {user}' if user else ''})"


def _not_made(error: OSError, path: Path) -> CdpSyncError:
    why = error.strerror or "the disk failed"
    if error.errno in NO_ROOM:
        return no_room()
    return WarehouseUnusable(
        f"{path.name} cannot be made: {why}.", remedy=f"Check the folder {path.parent} and its permissions."
    )


def _unusable(error: duckdb.Error, path: Path) -> Exception:
    text = str(error).partition("\n\nStack Trace")[0]
    invalid = "not a valid DuckDB database" in text
    if invalid and path.is_file() and not path.stat().st_size:
        return damaged(path.name, "empty")
    if invalid or "Serialization" in text:
        return WarehouseUnusable(
            f"{path.name} is not a DuckDB database that this version can read.",
            needed="It must be a file that cdp_sync wrote with DuckDB 2.",
            remedy="Move it away, or export it with the DuckDB version that wrote it.",
        )
    problem = translate(error, name=path.name)
    if isinstance(error, duckdb.IOException) and type(problem) is WarehouseUnusable:
        return WarehouseUnusable(
            f"{path.name} cannot be opened: {text.rpartition(': ')[2]}.",
            remedy=f"Check {path}, its folder and their permissions.",
        )
    return problem
