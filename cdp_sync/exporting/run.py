"""One run of one export goal: the value that every step is handed."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath

from cdp_sync.model import ExportGoal, FileExportGoal, Profiles, UserExportGoal, export_fingerprint
from cdp_sync.model.export import SEGMENT_AND_TIMESTAMP
from cdp_sync.warehouse import Access, Session, Warehouse

_SUFFIXES = {"none": "", "gzip": ".gz", "zip": ".zip"}


@dataclass(frozen=True)
class ExportRun:
    """One run of one export goal.

    Args:
        run_id: Dagster's id of the run.
        connection: The connection's name.
        goal: What is declared.
        profiles: The declared profile.
        objectives: What the connection uses data for.
        warehouse: Where profiles live.
        staging: DuckDB file of this run's own.
        folder: Folder of this run's own, where the file is written.
        now: The moment of the run, with its offset from UTC; one for all conditions and for the file's name.
    """

    run_id: str
    connection: str
    goal: ExportGoal
    profiles: Profiles
    objectives: tuple[str, ...]
    warehouse: Warehouse
    staging: Path
    folder: Path
    now: datetime

    def open(self, access: Access) -> AbstractContextManager[Session]:
        """Open the warehouse beside the run's staging file."""
        return self.warehouse.open(access, staging=self.staging)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects what is written."""
        return export_fingerprint(self.goal, self.profiles)


@dataclass(frozen=True)
class FileRun(ExportRun):
    """One run of a goal that puts a file on a server."""

    goal: FileExportGoal

    @property
    def text_name(self) -> str:
        """Name of the file before it is packed."""
        stamp = self.now.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        file, form = self.goal.file, self.goal.format
        if file.name == SEGMENT_AND_TIMESTAMP:
            return f"{self.goal.segment}_{stamp}.{'tsv' if form.separator == chr(9) else 'csv'}"
        name = PurePosixPath(file.name)
        return f"{name.stem}_{stamp}{name.suffix}" if file.timestamp else file.name

    @property
    def file_name(self) -> str:
        """Name of the file on the server."""
        return self.text_name + _SUFFIXES[self.goal.file.compress]

    @property
    def path(self) -> str:
        """Directory and name on the server."""
        return f"{self.goal.directory.rstrip('/')}/{self.file_name}"


@dataclass(frozen=True)
class UserRun(ExportRun):
    """One run of a goal that brings profiles to users of a platform."""

    goal: UserExportGoal
    time_zone: str = "UTC"
    """Of the account."""

    @property
    def lines(self) -> Path:
        """The file of users: one JSON object a line, each like a call that changes one."""
        return self.folder / "users.jsonl"

    @property
    def outcomes(self) -> Path:
        """What became of each user; see `users`."""
        return self.folder / "outcomes.csv"

    @property
    def leavers(self) -> Path:
        """The file of users to be taken off lists, as `lines`."""
        return self.folder / "leavers.jsonl"

    @property
    def left(self) -> Path:
        """What became of each who leaves, as `outcomes`."""
        return self.folder / "left.csv"
