"""What a run reports: counters, files, goals."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from cdp_sync.model.counting import counted

_MOST_NAMED = 3
"""Files that a warning names."""


@dataclass(frozen=True)
class Counters:
    """How many rows met which end, and what that did to profiles.

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

    @property
    def add_up(self) -> bool:
        """Whether every row that was read is accounted for."""
        return bool(self.rows_read == sum(getattr(self, name) for name in ROW_ENDS))

    def __add__(self, other: "Counters") -> "Counters":
        """Add counter by counter."""
        return Counters(*(getattr(self, name) + getattr(other, name) for name in COUNTERS))


COUNTERS = tuple(counter.name for counter in fields(Counters))
"""The counters' names, in order."""

ROW_ENDS = COUNTERS[1:7]
"""The counters that a row read is counted in exactly once."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file."""

    path: str
    state: str
    """imported, unchanged (its bytes were known), retried (rows of it that waited for a profile), failed, or why it
    waits: growing, changing, vanished, not whole."""
    counters: Counters = Counters()
    message: str = ""
    warnings: tuple[str, ...] = ()
    version: str = field(default="", compare=False)
    """Digest of the file as it was, and of the goal as it was declared; empty where nothing of it was staged."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def to_json(self) -> dict[str, Any]:
        """Return the file as `run --json` shows it."""
        told = {"path": self.path, "state": self.state, **asdict(self.counters)}
        return told | {"message": self.message, "warnings": list(self.warnings)}


@dataclass(frozen=True)
class ProfileSample:
    """A profile that a run created or updated, by id; never with values."""

    profile_id: str
    kind: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoalReport:
    """What a run of one goal did."""

    goal: str
    files: tuple[FileReport, ...] = ()
    samples: tuple[ProfileSample, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    """The quarantine's reasons, most frequent first."""
    seconds: float = 0.0
    profiles_total: int | None = None
    profiles_ever_imported: int | None = None
    """By the connection, each counted once; None where the warehouse was not written to."""
    error: str = ""
    note: str = ""
    """Why there was nothing to import, where that is not for want of anything new."""

    @property
    def counters(self) -> Counters:
        """The sum over the files."""
        return sum((file.counters for file in self.files), Counters())

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files of which nothing landed."""
        return tuple(file for file in self.files if file.state == "failed")

    @property
    def state(self) -> str:
        """Either success or failed."""
        return "failed" if self.failed or self.error else "success"

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong: of the goal, or file by file."""
        return (self.error,) if self.error else tuple(map(_failure, self.failed))

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
        return (*about, *_no_link_value(self.counters))

    @property
    def message(self) -> str:
        """One or two sentences for people."""
        if self.error:
            return self.error
        landed = [sentence(self.files, self.counters)] if _imported(self.files) or not self.failed else []
        if self.note and not _imported(self.files):
            landed = [self.note]
        return " ".join([*map(_failure, self.failed), *landed])

    def to_json(self) -> dict[str, Any]:
        """Return the goal as `run --json` shows it."""
        told = {"goal": self.goal, "state": self.state, "message": self.message, **asdict(self.counters)}
        return told | {"seconds": round(self.seconds, 3), "files": [file.to_json() for file in self.files]}

    def with_files(self, more: Iterable[FileReport]) -> "GoalReport":
        """Return the report with further files."""
        return replace(self, files=(*self.files, *more))


def _failure(file: FileReport) -> str:
    return f"{file.path} failed: {file.message}"


def _listed(names: Sequence[str]) -> str:
    """Return the first of these names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _no_link_value(counters: Counters) -> list[str]:
    judged = counters.rows_read - counters.rows_unchanged - counters.rows_rejected
    return ["No row had a link value."] if judged and judged == counters.rows_without_identifier else []


def sentence(files: Iterable[FileReport], counters: Counters) -> str:
    """Say in one sentence what landed and what did not."""
    imported = _imported(files)
    if not imported:
        return "Nothing new to import."
    ends = {name.removeprefix("rows_").replace("_", " "): getattr(counters, name) for name in ROW_ENDS}
    told = [f"{counted(imported, 'file')}, {counted(counters.rows_read, 'row')}:"]
    told.append((", ".join(f"{times:,} {end}" for end, times in ends.items() if times) or "nothing to apply") + ";")
    told.append(f"{counted(counters.profiles_created, 'profile')} created, {counters.profiles_updated:,} updated.")
    return " ".join(told)


def _imported(files: Iterable[FileReport]) -> int:
    return sum(file.state in ("imported", "retried") for file in files)


__all__ = ["COUNTERS", "ROW_ENDS", "Counters", "FileReport", "GoalReport", "ProfileSample", "sentence"]
