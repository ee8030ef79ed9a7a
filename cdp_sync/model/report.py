"""What a run of a goal reports: counters, a state and sentences. `Report` serves both directions, the rest imports."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import reduce
from operator import add
from typing import Any, ClassVar, Literal, Self

from cdp_sync.model.counting import counted
from cdp_sync.model.state import FileState, GoalState

_MOST_NAMED = 3
"""Files that a warning names."""


@dataclass(frozen=True)
class RunCounters:
    """Counters of a run. The first counts everything; each of it is counted in exactly one of the `ends`."""

    ends: ClassVar[tuple[str, ...]]

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the counters' names, in order."""
        return tuple(counter.name for counter in fields(cls))

    @property
    def add_up(self) -> bool:
        """Whether everything is accounted for."""
        return bool(getattr(self, self.names()[0]) == sum(getattr(self, name) for name in self.ends))

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

    Always: rows_read = rows_applied + rows_unchanged + rows_rejected + rows_without_identifier + rows_unmatched +
    rows_without_consent.
    """

    rows_read: int = 0
    rows_applied: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    rows_without_identifier: int = 0
    rows_unmatched: int = 0
    rows_without_consent: int = 0
    profiles_created: int = 0
    profiles_updated: int = 0
    profiles_unchanged: int = 0
    rows_ambiguous: int = 0
    values_invalid: int = 0


COUNTERS = Counters.names()
"""The counters' names, in order."""

ROW_ENDS = Counters.ends = COUNTERS[1:7]
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
    """A profile that a run created or updated, by id; never with values."""

    profile_id: str
    kind: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoalReport(Report):
    """What a run of one import goal did."""

    direction = "import"

    files: tuple[FileReport, ...] = ()
    samples: tuple[ProfileSample, ...] = ()
    profiles_total: int | None = None
    profiles_ever_imported: int | None = None
    """By the connection, each counted once; None where the warehouse was not written to."""
    note: str = ""
    """Why there was nothing to import, where that is not for want of anything new."""

    @property
    def counters(self) -> Counters:
        """The sum over the files."""
        return reduce(add, (file.counters for file in self.files), Counters())

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files of which nothing landed."""
        return tuple(file for file in self.files if file.state == FileState.FAILED)

    @property
    def landed(self) -> int:
        """How many files were applied."""
        return sum(file.landed for file in self.files)

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the goal failed: as a whole, or file by file."""
        return super().errors or tuple(f"{file.path} failed: {file.message}" for file in self.failed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should know, each said once; with the names of the files where there are several."""
        files: dict[str, list[str]] = {}
        for file in self.files:
            for warning in file.warnings:
                files.setdefault(warning, []).append(file.name)
        about = [
            warning if len(self.files) == 1 else f"{_listed(names)}: {warning}" for warning, names in files.items()
        ]
        counters = self.counters
        judged = counters.rows_read - counters.rows_unchanged - counters.rows_rejected
        no_link_value = judged and judged == counters.rows_without_identifier
        return (*about, "No row had a link value.") if no_link_value else tuple(about)

    def _summary(self) -> str:
        counters = self.counters
        last = self.note or ("" if self.failed else "Nothing new to import.")
        if self.landed:
            read = f"{counted(self.landed, 'file')}, {counted(counters.rows_read, 'row')}"
            created, updated = counted(counters.profiles_created, "profile"), f"{counters.profiles_updated:,}"
            last = f"{read}: {counters.in_words() or 'nothing to apply'}; {created} created, {updated} updated."
        return " ".join((*self.errors, *([last] if last else [])))

    def _files(self) -> list[dict[str, Any]]:
        return [file.to_json() for file in self.files]

    def with_files(self, more: Iterable[FileReport]) -> "GoalReport":
        """Return the report with further files."""
        return replace(self, files=(*self.files, *more))


def _listed(names: Sequence[str]) -> str:
    """Return the first of these names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
