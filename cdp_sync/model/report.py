"""A run of a goal, and what it reports: counters, states and sentences. `Run` and `Report` serve both directions."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import reduce
from operator import add
from typing import Any, ClassVar, Literal, Self

from cdp_sync.model.counting import counted
from cdp_sync.model.goal import Goal
from cdp_sync.model.profile import Profiles


@dataclass(frozen=True)
class Run:
    """One run of one goal: the value that every step receives."""

    run_id: str
    """Dagster's id of the run."""
    connection: str
    goal: Goal
    profiles: Profiles

    @property
    def key(self) -> dict[str, object]:
        """The columns that name the run of the goal in the warehouse's tables."""
        return {"run_id": self.run_id, "connection": self.connection, "goal": self.goal.name}


class GoalState(StrEnum):
    """How a run of a goal ended."""

    SUCCESS = "success"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """The run ended before the goal did."""
    NOT_RUN = "not run"


class FileState(StrEnum):
    """What a scan says of a file, or a run did with it."""

    NEW = "new"
    CHANGED = "changed"
    STALE = "stale"
    """Its goal's declaration changed since it was imported."""
    AGAIN = "again"
    """Selected for another import by hand."""
    UNCHANGED = "unchanged"
    """The ledger knows its bytes."""
    GROWING = "growing"
    """Its size or time changed between two scans."""
    NOT_WHOLE = "not whole"
    """Its marker is missing."""
    CHANGING = "changing"
    """It changed while it was read."""
    VANISHED = "vanished"
    """It was listed and is gone."""
    STAGED = "staged"
    IMPORTED = "imported"
    RETRIED = "retried"
    """Rows of it that waited for a profile were tried again."""
    DELIVERED = "delivered"
    REMOVED = "removed"
    """It was delivered and is kept no longer."""
    FAILED = "failed"


@dataclass(frozen=True)
class RunCounters:
    """Counters of a run. The first counts everything; each of it is counted in exactly one of the `ends`."""

    ends: ClassVar[tuple[str, ...]]

    @property
    def add_up(self) -> bool:
        """Whether everything is accounted for."""
        every, *_ = times = asdict(self)
        return bool(times[every] == sum(times[name] for name in self.ends))

    def __add__(self, other: Self) -> Self:
        """Add counter by counter."""
        return type(self)(*map(add, asdict(self).values(), asdict(other).values()))

    def in_words(self, names: Iterable[str] | None = None) -> str:
        """Return the ends, or some of them, that are not 0: `2 applied, 1 rejected`."""
        times = {name: getattr(self, name) for name in (self.ends if names is None else names)}
        return ", ".join(f"{n:,} {name.partition('_')[2].replace('_', ' ')}" for name, n in times.items() if n)


@dataclass(frozen=True)
class Counters(RunCounters):
    """The ends of an import's rows, and what that did to profiles.

    Always: rows_read = rows_applied + rows_unchanged + rows_filtered + rows_rejected + rows_without_identifier +
    rows_unmatched + rows_without_consent.
    """

    rows_read: int = 0
    rows_applied: int = 0
    rows_unchanged: int = 0
    rows_filtered: int = 0
    """Processors dropped them."""
    rows_rejected: int = 0
    rows_without_identifier: int = 0
    rows_unmatched: int = 0
    rows_without_consent: int = 0
    profiles_created: int = 0
    profiles_updated: int = 0
    profiles_unchanged: int = 0
    profiles_merged: int = 0
    """Live profiles that became part of another one."""
    profiles_unmerged: int = 0
    """Profiles that are live again, as a guard stopped what made them part of another one."""
    rows_ambiguous: int = 0
    values_invalid: int = 0
    events_created: int = 0
    events_updated: int = 0
    events_unchanged: int = 0
    events_waiting: int = 0
    """Of those created or updated: nothing has said yet whose they are, or when they happened."""
    groups_created: int = 0
    groups_updated: int = 0
    groups_unchanged: int = 0


COUNTERS = tuple(asdict(Counters()))
"""The counters' names, in order."""

ROW_ENDS = Counters.ends = COUNTERS[1:8]
"""The counters that a row read is counted in exactly once."""


@dataclass(frozen=True)
class Report(ABC):
    """What a run of one goal did."""

    direction: ClassVar[Literal["import", "export"]]

    goal: str
    reasons: tuple[tuple[str, int], ...] = field(default=(), kw_only=True)
    """Why rows or profiles did not land, most frequent first."""
    seconds: float = field(default=0.0, kw_only=True)
    error: str = field(default="", kw_only=True)
    """Why the goal failed as a whole."""

    @property
    @abstractmethod
    def counters(self) -> RunCounters:
        """The counters of the run."""

    @property
    def state(self) -> GoalState:
        """Either success or failed."""
        return GoalState.FAILED if self.errors else GoalState.SUCCESS

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the goal failed."""
        return (self.error,) if self.error else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should know."""
        return ()

    @property
    def message(self) -> str:
        """One or two sentences for people."""
        return self.error or self._summary()

    @abstractmethod
    def _summary(self) -> str:
        """Return the message of a goal that did not fail as a whole."""

    def _further(self) -> dict[str, Any]:
        """Return what `to_json` shows after the counters."""
        return {}

    @abstractmethod
    def _files(self) -> list[dict[str, Any]]:
        """Return the files as `to_json` shows them."""

    def to_json(self) -> dict[str, Any]:
        """Return the goal as `run --json` shows it."""
        shown = {"goal": self.goal, "state": self.state, "message": self.message, **asdict(self.counters)}
        return {**shown, **self._further(), "seconds": round(self.seconds, 3), "files": self._files()}


@dataclass(frozen=True)
class FileReport:
    """What a run did with one file."""

    path: str
    state: FileState
    counters: Counters = Counters()
    message: str = ""
    warnings: tuple[str, ...] = ()
    version: str = field(default="", compare=False)
    """Digest of the file as it was, and of the goal as it was declared; empty where nothing of it was staged."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def landed(self) -> bool:
        """Whether rows of the file were applied."""
        return self.state in (FileState.IMPORTED, FileState.RETRIED)

    def to_json(self) -> dict[str, Any]:
        """Return the file as `run --json` shows it."""
        shown = {"path": self.path, "state": self.state, **asdict(self.counters)}
        return shown | {"message": self.message, "warnings": list(self.warnings)}


@dataclass(frozen=True)
class ProfileSample:
    """A profile or a group that a run created or updated, by id; never with values."""

    profile_id: str
    """Of a group, its own id."""
    kind: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportReport(Report):
    """What a run of one import goal did."""

    direction = "import"

    files: tuple[FileReport, ...] = ()
    samples: tuple[ProfileSample, ...] = ()
    noun: Literal["profile", "group"] = "profile"
    """What its rows become."""
    records_total: int | None = None
    """How many of those there are now; None where the warehouse was not written to."""
    profiles_ever_imported: int | None = None
    """By the connection, each counted once; None where the warehouse was not written to."""
    note: str = ""
    """Why there was nothing to import, where that is not for want of anything new."""
    lines: tuple[str, ...] = ()
    """What is mailed to the people whose files they are, line by line; only of strict imports."""
    faults: tuple[str, ...] = ()
    """Where files with refused rows are, to be corrected."""

    @property
    def counters(self) -> Counters:
        """The sum over the files."""
        return reduce(add, (file.counters for file in self.files), Counters())

    @property
    def landed(self) -> int:
        """How many files were applied."""
        return sum(file.landed for file in self.files)

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the goal failed: as a whole, or file by file."""
        failed = (file for file in self.files if file.state == FileState.FAILED)
        return super().errors or tuple(f"{file.path} failed: {file.message}" for file in failed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should know, each said once; with the names of the files where there are several."""
        files: dict[str, list[str]] = {}
        for file in self.files:
            for warning in file.warnings:
                files.setdefault(warning, []).append(file.name)
        about = []
        for warning, names in files.items():
            listed = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
            about.append(warning if len(self.files) == 1 else f"{listed}: {warning}")
        counters = self.counters
        judged = counters.rows_read - counters.rows_unchanged - counters.rows_rejected - counters.rows_filtered
        no_link_value = judged and judged == counters.rows_without_identifier
        return (*about, "No row had a link value.") if no_link_value else tuple(about)

    def _summary(self) -> str:
        counters = self.counters
        last = self.note or ("" if self.errors else "Nothing new to import.")
        if self.landed:
            read = f"{counted(self.landed, 'file')}, {counted(counters.rows_read, 'row')}"
            last = f"{read}: {counters.in_words() or 'nothing to apply'}; {self._changes()}."
            if counters.rows_filtered and counters.rows_filtered == counters.rows_read - counters.rows_rejected:
                last += " The processors dropped every row."
        return " ".join((*self.errors, *([last] if last else [])))

    def _changes(self) -> str:
        """Return what changed, in words."""
        found, about = self.counters, []
        events = found.events_created + found.events_updated + found.events_unchanged
        ways = ("created", "updated", "unchanged")
        created, updated, unchanged = (getattr(found, f"{self.noun}s_{way}") for way in ways)
        if created + updated + unchanged or not events:
            about.append(f"{counted(created, self.noun)} created, {updated:,} updated")
        if found.profiles_merged or found.profiles_unmerged:
            about.append(f"{found.profiles_merged:,} merged, {found.profiles_unmerged:,} unmerged")
        if events:
            waiting = f", {found.events_waiting:,} of them waiting" if found.events_waiting else ""
            about.append(f"{counted(found.events_created, 'event')} created, {found.events_updated:,} updated{waiting}")
        return "; ".join(about)

    def _further(self) -> dict[str, Any]:
        return {"faults": list(self.faults)} if self.faults else {}

    def _files(self) -> list[dict[str, Any]]:
        return [file.to_json() for file in self.files]

    def with_files(self, more: Iterable[FileReport]) -> "ImportReport":
        """Return the report with further files."""
        return replace(self, files=(*self.files, *more))
