"""One run of one export goal: the value that every step receives."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cdp_sync.model import AudienceGoal, ExportGoal, FileExportGoal, Run, export_fingerprint
from cdp_sync.model.export import SEGMENT_AND_TIMESTAMP
from cdp_sync.warehouse import Access, Session, Step, Warehouse

if TYPE_CHECKING:
    from cdp_sync.exporting.select import Rows

_SUFFIXES = {"none": "", "gzip": ".gz", "zip": ".zip"}


@dataclass(frozen=True)
class ExportRun(Run, ABC):
    """One run of one export goal."""

    goal: ExportGoal
    objectives: tuple[str, ...]
    warehouse: Warehouse
    staging: Path
    """DuckDB file of this run's own."""
    folder: Path
    """Folder of this run's own, where the file is written."""
    now: datetime
    """The moment of the run, with its offset from UTC; one for all conditions and for the file's name."""

    def open(self, access: Access) -> AbstractContextManager[Session]:
        """Open the warehouse beside the run's staging file."""
        return self.warehouse.within(self.goal.memory_limit).open(access, staging=self.staging)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects what is written."""
        return export_fingerprint(self.goal, self.profiles)

    @abstractmethod
    def rows(self, columns: Collection[str]) -> "Rows":
        """Return how profiles become lines, given the columns of the warehouse."""

    def more_steps(self, columns: Collection[str]) -> list[Step]:
        """Return the steps that stage what leaves beside the lines."""
        return []

    @property
    def entries(self) -> int:
        """How many entries the ledger gets for each profile."""
        return 1

    @abstractmethod
    def is_due_without_profiles(self) -> bool:
        """Return whether there is something to deliver although no profile is."""

    @property
    def path(self) -> str | None:
        """Where a file is put, if one is."""
        return None


@dataclass(frozen=True)
class FileRun(ExportRun):
    """One run of a goal that puts a file on a server."""

    goal: FileExportGoal

    def rows(self, columns: Collection[str]) -> "Rows":
        """Return how profiles become rows of the file, given the columns of the warehouse."""
        from cdp_sync.exporting.files.rows import file_rows

        return file_rows(self, columns)

    def is_due_without_profiles(self) -> bool:
        """Return whether a file without rows is to be written."""
        return self.goal.write_empty

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

    goal: AudienceGoal

    @property
    def field_types(self) -> dict[str, str]:
        """The type of each mapped field's property; text for what holds no property."""
        return self.goal.field_types(self.profiles)

    def rows(self, columns: Collection[str]) -> "Rows":
        """Return how profiles become users, given the columns of the warehouse."""
        from cdp_sync.exporting.audiences.rows import user_rows

        return user_rows(self, columns)

    def more_steps(self, columns: Collection[str]) -> list[Step]:
        """Return the step that stages the users to take off lists."""
        from cdp_sync.exporting.audiences.rows import leaver_step

        return [leaver_step(self, columns)]

    @property
    def entries(self) -> int:
        """How many entries the ledger gets for each profile: one, and one for each list."""
        return 1 + len(self.goal.memberships)

    def is_due_without_profiles(self) -> bool:
        """Return whether users are to be taken off lists."""
        with self.open("none") as session:
            return bool(session.value("select count(*) from staging.leaver"))
