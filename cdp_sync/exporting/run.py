"""One run of one export goal: the value that every step receives."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cdp_sync.model import (
    AudienceGoal,
    EventExportGoal,
    ExportFile,
    ExportFormat,
    ExportGoal,
    FileExportGoal,
    ResponseExportGoal,
    Run,
    event_export_fingerprint,
    event_scope,
    export_fingerprint,
    response_fingerprint,
)
from cdp_sync.model.event_export import GOAL_AND_TIMESTAMP
from cdp_sync.model.export import SEGMENT_AND_TIMESTAMP
from cdp_sync.warehouse import Access, Session, Step, Warehouse

if TYPE_CHECKING:
    from cdp_sync.exporting.select import Rows

_SUFFIXES = {"none": "", "gzip": ".gz", "zip": ".zip"}


@dataclass(frozen=True)
class DeliveryRun(Run):
    """One run of one export goal, whatever it delivers."""

    goal: ExportGoal | EventExportGoal | ResponseExportGoal
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

    @property
    def stamp(self) -> str:
        """The moment of the run as it stands in the names of files, in UTC."""
        return self.now.astimezone(UTC).strftime("%Y%m%d%H%M%S")


@dataclass(frozen=True)
class ExportRun(DeliveryRun, ABC):
    """One run of one export goal of profiles."""

    goal: ExportGoal
    full: bool = False
    """Whether it was asked for to look at everybody, not only at those who may have changed."""

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects what is written."""
        return export_fingerprint(self.goal, self.profiles)

    @abstractmethod
    def rows(self, columns: Collection[str]) -> "Rows":
        """Return how profiles become lines, given the columns of the warehouse."""

    @property
    def waits(self) -> str:
        """Why it exports nobody; empty: it exports."""
        return ""

    def more_steps(self, columns: Collection[str], *, short: bool) -> list[Step]:
        """Return the steps that stage what leaves beside the lines, of candidates alone or of everybody."""
        return []

    def related_steps(self, columns: Collection[str], *, found: bool) -> list[Step]:
        """Return the steps that add to the candidates, if any are found, those whose end depends on one of them."""
        return []

    @property
    def needs_everybody(self) -> str:
        """Why each run looks at everybody; empty: whether a profile is delivered depends on that profile alone."""
        return ""

    @property
    def entries(self) -> int:
        """How many entries the ledger gets for each profile."""
        return 1

    @property
    def reserves_touches(self) -> bool:
        """Whether each profile that it delivers is touched by that, and the touches are written before."""
        return bool(self.goal.lifecycle and self.goal.lifecycle.counts_exports)

    @property
    def note(self) -> str:
        """Why its lifecycle lets nobody be exported; empty where that is not so."""
        return self.goal.lifecycle.holds(self.profiles) if self.goal.lifecycle else ""

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
    waiting_for: str = ""
    """Why it exports nobody: a campaign that is not due."""
    difference: str = ""
    """How the declared definitions of a campaign differ from those that it exports; empty: they do not."""

    def rows(self, columns: Collection[str]) -> "Rows":
        """Return how profiles become rows of the file, given the columns of the warehouse."""
        from cdp_sync.exporting.files.rows import file_rows

        return file_rows(self, columns)

    @property
    def waits(self) -> str:
        """Why it exports nobody; empty: it exports."""
        return self.waiting_for

    def is_due_without_profiles(self) -> bool:
        """Return whether a file without rows is to be written."""
        return self.goal.write_empty and not self.waits

    @property
    def text_name(self) -> str:
        """Name of the file before it is packed."""
        file = self.goal.file
        if file.name == SEGMENT_AND_TIMESTAMP:
            return f"{self.goal.segment}_{self.stamp}{_extension(self.goal.format)}"
        return _after_name(file.name, [self.stamp] if file.timestamp else [])

    @property
    def file_name(self) -> str:
        """Name of the file on the server."""
        return packed_name(self.text_name, self.goal.file)

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

    def more_steps(self, columns: Collection[str], *, short: bool) -> list[Step]:
        """Return the step that stages the users to take off lists."""
        from cdp_sync.exporting.audiences.leavers import leaver_step

        return [leaver_step(self, columns, short=short)]

    def related_steps(self, columns: Collection[str], *, found: bool) -> list[Step]:
        """Return the steps that add the profiles that are the same user as a candidate."""
        from cdp_sync.exporting.audiences.related import related_steps

        return related_steps(self, columns, found=found)

    @property
    def needs_everybody(self) -> str:
        """Why each run looks at everybody: events are due of everybody who was delivered."""
        return "events of all its users can be due" if self.goal.sent_events else ""

    @property
    def entries(self) -> int:
        """How many entries the ledger gets for each profile: one, and one for each list."""
        return 1 + len(self.goal.memberships)

    def is_due_without_profiles(self) -> bool:
        """Return whether users are to be taken off lists."""
        with self.open("none") as session:
            return bool(session.value("select count(*) from staging.leaver"))


@dataclass(frozen=True)
class EventRun(DeliveryRun):
    """One run of a goal that puts files of events on a server."""

    goal: EventExportGoal

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects what is written."""
        return event_export_fingerprint(self.goal, self.profiles)

    @cached_property
    def scope(self) -> str:
        """Digest of everything declared that affects what is written, and of which events."""
        return event_scope(self.goal, self.profiles, self.objectives)

    def text_name(self, part: str) -> str:
        """Return the name of a file before it is packed, given what it is split by."""
        file, goal = self.goal.file, self.goal
        name = f"{goal.name}{_extension(goal.format)}" if file.name == GOAL_AND_TIMESTAMP else file.name
        return _after_name(name, [*([part] if part else []), *([self.stamp] if goal.has_timestamp else [])])

    def path(self, name: str) -> str:
        """Return directory and name on the server."""
        return f"{self.goal.directory.rstrip('/')}/{name}"


@dataclass(frozen=True)
class ResponseRun(DeliveryRun):
    """One run of a goal that puts files of responses on a server."""

    goal: ResponseExportGoal

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects what is written."""
        return response_fingerprint(self.goal, self.profiles)

    @property
    def scope(self) -> str:
        """What affects what is written, and whose responses: where it changes, every mailing is delivered again."""
        return " ".join((self.fingerprint, *self.objectives))

    def text_name(self, mailing: str, link: str) -> str:
        """Return the name of a file before it is packed; of a file of contacts the link is empty."""
        name = ".".join(_in_name(part) for part in (mailing, link) if part)
        return _after_name(self.goal.file.name, [name, *([self.stamp] if self.goal.file.timestamp else [])])

    def path(self, name: str) -> str:
        """Return directory and name on the server."""
        return f"{self.goal.directory.rstrip('/')}/{name}"


_LONGEST = 80
"""Characters of a mailing or a link that a file's name has."""


def _in_name(text: str) -> str:
    """Return a text for the name of a file: letters, digits, `_` and `-`, and a digest where it had others.

    >>> _in_name("spring_2026"), _in_name("50% off!")
    ('spring_2026', '50__off_-bedee95f')
    """
    kept = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:_LONGEST]
    return kept if kept == text else f"{kept}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def packed_name(name: str, file: ExportFile) -> str:
    """Return the name of a file on the server, given its name before it is packed."""
    return name + _SUFFIXES[file.compress]


def _extension(form: ExportFormat) -> str:
    return ".tsv" if form.separator == chr(9) else ".csv"


def _after_name(name: str, parts: Sequence[str]) -> str:
    """Return a file's name with parts between it and its extension."""
    path = PurePosixPath(name)
    return f"{'_'.join((path.stem, *parts))}{path.suffix}" if parts else name
