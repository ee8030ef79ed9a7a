"""Opening the warehouse: late, briefly, waiting for whoever holds it.

DuckDB lets one process write at a time, and while one writes no other can open the file.
"""

import errno
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Literal

import duckdb

from cdp_sync.errors import CdpSyncError, DiskFull, WarehouseLocked, WarehouseUnusable
from cdp_sync.private import private_file, private_folder
from cdp_sync.warehouse.instances import instances
from cdp_sync.warehouse.migrations import latest_version, migrate, version_of
from cdp_sync.warehouse.names import quote_literal
from cdp_sync.warehouse.session import Session, damaged, no_room, translate

Access = Literal["none", "read", "write"]

_BUSY = ("Could not set lock", "Unique file handle conflict", "different configuration")

NEW = ".new_warehouse_"
"""How the names of folders begin in which warehouses are made; a killed process may leave one."""

_SOUND = {"enable_caching_operators": "false"}
"""With it DuckDB 2.0 fails now and then, where memory is scarce and a join finds few rows among text columns: `INTERNAL
Error: dict-surviving cache: global dictionary column changed identity`."""


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file that holds the profiles.

    Args:
        path: The file; made on the first write.
        lock_timeout: Seconds to wait for a process that holds it.
        memory_limit: What DuckDB may keep in memory; beyond it spills to disk.
    """

    path: Path
    lock_timeout: float = 120.0
    memory_limit: str = "700MB"

    @contextmanager
    def open(
        self, access: Access, *, staging: Path | None = None, row_group: int = 122_880, keep: bool = False
    ) -> Iterator[Session]:
        """Yield a session with the catalog `warehouse`, and `staging` where a file is named.

        Reading where there is no file yet reads an empty warehouse.

        Args:
            access: To the warehouse.
            staging: A file of the caller's own.
            row_group: Rows in a row group of the tables that are made in it; a multiple of 2,048.
            keep: Whether the session goes on when this process opens the staging file next, with what it has in memory
                of it; until then, or `let_go`, no other process can open that file.

        Raises:
            WarehouseLocked: Another process held the file for longer than `lock_timeout`.
            WarehouseUnusable: The file is no warehouse, or of a newer version.
        """
        with _session(staging if keep else None) as session:
            session.wait_for_disk(wait=access == "write")
            if not session.has_staging:
                self._set_up(session)
                if staging is not None:
                    self._attach(session, staging, "staging", f"row_group_size {row_group}")
            if access != "none":
                self._open_warehouse(session, access)
            yield session

    def let_go(self, staging: Path) -> None:
        """Let go of a staging file that has been kept open, so that it can be removed, or opened by others.

        Its log, `<name>.wal`, may stay beside it.
        """
        instances.let_go(staging)

    def verify_room(self, size: int) -> None:
        """Make sure that the warehouse can grow by so many bytes, as far as can be known: they are taken and freed.

        Raises:
            DiskFull: There is no room for them.
            WarehouseUnusable: Nothing can be written beside it.
        """
        try:
            with TemporaryFile(dir=self.path.parent) as probe:
                if hasattr(os, "posix_fallocate"):  # as on Linux
                    os.posix_fallocate(probe.fileno(), 0, size)
        except OSError as problem:
            if problem.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every file system knows
                raise self._no_room(size, problem) from problem

    def _no_room(self, size: int, problem: OSError) -> CdpSyncError:
        why = problem.strerror or "the disk failed"
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DiskFull(
                f"The disk that holds the warehouse has no room for {size} bytes more: {why}.",
                remedy="Free some space and run again.",
            )
        return WarehouseUnusable(
            f"Nothing can be written beside {self.path.name}: {why}.", remedy="Correct the permissions of its folder."
        )

    def _set_up(self, session: Session) -> None:
        spill = self.path.parent / "spill"  # DuckDB makes the last folder of a path, not those above it
        told = {"memory_limit": self.memory_limit, "temp_directory": str(spill), "TimeZone": "UTC", **_SOUND}
        for name, value in told.items():
            session.execute(f"set {name} = {quote_literal(value)}")

    def _open_warehouse(self, session: Session, access: Access) -> None:
        if access == "read" and self.path.exists():
            self._attach(session, self.path, "warehouse", "read_only")
            if version_of(session) == latest_version():
                return
            session.detach("warehouse")
            with self.open("write"):
                pass
            self._attach(session, self.path, "warehouse", "read_only")
        elif access == "read":
            session.attach(Path(":memory:"), "warehouse")
            migrate(session)
        else:
            self._make(session)
            self._attach(session, self.path, "warehouse")
            migrate(session)

    def _make(self, session: Session) -> None:
        """Make the file, whole or not at all, where there is none: half of one could not be opened again."""
        if self.path.exists():
            return
        try:
            with TemporaryDirectory(dir=private_folder(self.path.parent), prefix=NEW) as folder:
                new = Path(folder) / self.path.name
                self._attach(session, new, "new")
                session.detach("new")
                with suppress(FileExistsError):  # another process was quicker
                    os.link(new, self.path)
        except OSError as error:
            raise _not_made(error, self.path) from error

    def _attach(self, session: Session, path: Path, name: str, options: str = "") -> None:
        try:
            private_folder(path.parent)
        except OSError as error:
            raise _not_made(error, path) from error
        deadline = time.monotonic() + self.lock_timeout
        pause = 0.02
        while True:
            try:
                session.attach(path, name, options)
            except duckdb.Error as error:
                _wait_or_raise(error, path, deadline, pause, self.lock_timeout)
                pause = min(pause * 1.5, 0.5)
            else:
                for file in (path, path.with_name(f"{path.name}.wal")):
                    private_file(file)
                return


@contextmanager
def _session(kept: Path | None) -> Iterator[Session]:
    """Yield a session; behind it, others can have its files, but for the staging file that is to be kept."""
    session = instances.take(kept)
    try:
        yield session
    except BaseException:
        session.close()
        raise
    if kept:
        instances.keep(session, kept)
    else:
        instances.give_back(session)


def _wait_or_raise(error: duckdb.Error, path: Path, deadline: float, pause: float, patience: float) -> None:
    text = str(error)
    if not any(sign in text for sign in _BUSY):
        raise _unusable(error, path) from error
    if time.monotonic() + pause > deadline:
        raise WarehouseLocked(
            f"{path.name} is held by {_holder(text)} for more than {patience:g} s.",
            needed="One process at a time can write to it.",
            remedy="Close that process, or run again when it is done.",
        ) from error
    time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads waiting processes, guards nothing


def _holder(text: str) -> str:
    found = re.search(r"held in (\S+) \(PID (\d+)\)(?: by user (\S+?)\.?(?:\s|$))?", text)
    if not found:
        return "another connection of this process"
    program, pid, user = found.groups()
    return f"process {pid} ({Path(program).name}{f', user {user}' if user else ''})"


def _not_made(error: OSError, path: Path) -> CdpSyncError:
    why = error.strerror or "the disk failed"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
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
