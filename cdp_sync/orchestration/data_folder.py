"""The data folder: what runs write, and where."""

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_sync.private import private_folder

if TYPE_CHECKING:
    from cdp_sync.warehouse import Warehouse

_STALE_AFTER = 2 * 24 * 3600
"""Seconds after which files of a killed run are removed."""


@dataclass(frozen=True)
class DataFolder:
    """The folder that runs write to.

    Args:
        path: The folder. Where several machines execute runs, all of them have to reach the same.
        own: A folder of this machine for what a run needs only itself; empty: `path`.
    """

    path: Path
    own: Path | None = None

    @property
    def workspace(self) -> Path:
        """The folder of this machine for what a run needs only itself: staged rows, downloads, what DuckDB spills."""
        return self.own or self.path

    @property
    def analytics(self) -> Path:
        """The folder of files of figures."""
        return self.path / "analytics"

    def staging(self, run_id: str, goal: str) -> Path:
        """Return the staging file of one goal's run."""
        return self.workspace / "staging" / f"{run_id}__{goal}.duckdb"

    def downloads(self, run_id: str, goal: str) -> Path:
        """Return the folder where the files of one goal's run arrive."""
        return self.workspace / "downloads" / f"{run_id}__{goal}"

    def reports(self, run_id: str, goal: str) -> Path:
        """Return the folder for the rows that one goal's run refused."""
        return self.path / "reports" / f"{run_id}__{goal}"

    def unreported(self, goal: str) -> dict[str, Path]:
        """Return the folders of refused rows that are not reported yet, by the run's id."""
        from cdp_sync.model.expected_file import FAULTS_INDEX

        found = sorted((self.path / "reports").glob(f"*__{goal}/{FAULTS_INDEX}"))
        named = ((path.parent.name.partition("__"), path.parent) for path in found)
        return {run_id: folder for (run_id, _, name), folder in named if name == goal}

    def sightings(self, connection: str, goal: str) -> Path:
        """Return the file that notes since when the files of a goal have had their size and time."""
        return self.path / "sightings" / f"{connection}__{goal}.json"

    def uploads(self, connection: str) -> Path:
        """Return the folder where the uploads of a connection are noted until they are complete."""
        return self.path / "uploads" / connection

    def noted_uploads(self) -> dict[str, Path]:
        """Return the folders of connections that have notes of uploads, by the connection's name."""
        return {path.parent.name: path.parent for path in sorted((self.path / "uploads").glob("*/*.json"))}

    def close_to_others(self) -> None:
        """Make the folders 0700, also those that former versions or other programs such as Dagster have made."""
        own = ("staging", "downloads", "reports", "analytics", "sightings", "uploads", "spill", "sandbox", "dagster")
        for folder in {self.path, self.workspace}:
            for name in (".", *own):
                if (folder / name).is_dir():
                    private_folder(folder / name)

    def sweep(self) -> int:
        """Remove the files of runs that were killed days ago, and what DuckDB spilled for them; return how many."""
        from cdp_sync.warehouse.backend import NEW  # which imports DuckDB

        oldest = time.time() - _STALE_AFTER
        removed = 0
        spilled = ((folder / "spill").glob("*") for folder in {self.path, self.workspace})
        others = chain(*spilled, self.path.glob(f"{NEW}*"))
        for left in [*chain(*self.by_run().values()), *others]:
            with suppress(FileNotFoundError):  # another process removed it
                if left.stat().st_mtime < oldest:
                    remove(left)
                    removed += 1
        return removed

    def remove_reports(self, before: float) -> int:
        """Remove the refused rows of runs that left them before a time, in seconds since 1970; return of how many."""
        removed = 0
        for folder in (self.path / "reports").glob("*__*"):
            with suppress(FileNotFoundError):  # somebody removed it
                if folder.stat().st_mtime < before:
                    remove(folder)
                    removed += 1
        return removed

    def by_run(self) -> dict[str, list[Path]]:
        """Return what runs have staged and downloaded, by the run's id."""
        found: dict[str, list[Path]] = {}
        for folder in (self.workspace / "staging", self.workspace / "downloads"):
            for path in folder.glob("*__*"):
                found.setdefault(path.name.partition("__")[0], []).append(path)
        return found


def project_warehouse(lock_timeout: float = 120.0) -> "Warehouse":
    """Return the warehouse of the project, which waits so many seconds for another process that holds it."""
    from cdp_sync.warehouse.backend import named_warehouse, warehouse_setting  # imports DuckDB

    folder = data_folder()
    return named_warehouse(warehouse_setting(folder.path), folder.workspace, lock_timeout)


def data_folder() -> DataFolder:
    """Return the folder that `CDP_SYNC_DATA` names, or `data` in the working directory; `CDP_SYNC_STAGING` its own."""
    own = os.environ.get("CDP_SYNC_STAGING", "").strip()
    return DataFolder(Path(os.environ.get("CDP_SYNC_DATA", "data")).absolute(), Path(own).absolute() if own else None)


def remove(*paths: Path) -> None:
    """Remove files or folders, and the logs of DuckDB files."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
        if path.is_file():
            path.unlink(missing_ok=True)
