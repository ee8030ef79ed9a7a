"""What a strict import expects of a file: to be like the one that was learned. Refused rows come back as a faults file.

A file that was learned fixes the names of the columns, the type of the file, the separator, and which columns may have
empty cells. The order of the columns does not matter.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from cdp_sync.errors import FileRejected
from cdp_sync.model.column_name import shown
from cdp_sync.model.declared import Declared
from cdp_sync.model.format import Format
from cdp_sync.model.goal import FileGoal, ImportGoal

FAULTS = ".faults.csv"
"""How the names of faults files end: they have the name of the file whose rows were refused before it."""

FAULTS_INDEX = "index.json"
"""Stands beside the faults files of a run until its import is reported."""

FileType = Literal["csv", "txt", "xlsx", "xls"]

_SEPARATORS = (",", ";", "\t", "|", ":")


class LearnedFile(Declared):
    """What was learned from a file."""

    columns: tuple[str, ...]
    """The names in its header, in order."""
    type: FileType
    """By its format and, of delimited text, its name."""
    separator: str
    """Between the fields of delimited text; of faults files where it is a workbook."""
    may_be_empty: tuple[str, ...]
    """The columns in which cells may be empty: those with an empty cell in the file, or named by a person."""

    def differences(self, columns: tuple[str, ...], found: FileType, separator: str) -> Iterator[str]:
        """Yield how a file differs, column by column."""
        if found != self.type:
            yield f"the type of the file is {found}; learned is {self.type}"
        if separator != self.separator:
            yield f"the separator is declared as {separator!r}; learned is {self.separator!r}"
        elif len(columns) == 1 and (other := self._other_separator(columns[0])):
            yield f"the separator is {other!r}; learned is {self.separator!r}"
            return
        if not set(columns) & set(self.columns):
            yield "no column that was learned is in the header"  # it may be a person's data
            return
        yield from (f"column {shown(name)} is missing" for name in self.columns if name not in columns)
        new = [shown(name) for name in dict.fromkeys(columns) if name not in self.columns]
        if new:
            named = f"{len(new)} columns are new" if len(new) > 1 else "one column is new"
            yield f"{named}: {', '.join(new)}"
        for name in dict.fromkeys(name for name in columns if columns.count(name) > 1):
            yield f"column {shown(name)} is there more than once"

    def _other_separator(self, header: str) -> str:
        split = ((each, {name.strip(' "') for name in header.split(each)}) for each in _SEPARATORS)
        return next((each for each, names in split if len(names & set(self.columns)) > 1), "")


class Expected(Declared):
    """What a goal expects of its files."""

    zip: bool = False
    """Whether files come as zip archives; otherwise none does."""
    max_megabytes: int = 20
    """The largest file, in millions of bytes as it is delivered."""
    learned: LearnedFile | None = None
    """What was learned; without it no file is imported."""
    call: str = ""
    """The command that learns a file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a faults file has."""
        return self.learned.columns if self.learned else ()

    @property
    def required(self) -> tuple[str, ...]:
        """The columns in which every row needs a value."""
        return tuple(name for name in self.columns if self.learned and name not in self.learned.may_be_empty)

    def check_arrival(self, path: str, size: int, *, is_archive: bool) -> None:
        """Make sure that a file has the size and the packing that are declared.

        Raises:
            FileRejected: It does not.
        """
        if size > self.max_megabytes * 1_000_000:
            raise FileRejected(
                f"The file has {size / 1_000_000:,.1f} MB.",
                needed=f"At most {self.max_megabytes:,} MB are allowed.",
                remedy=f"Have it delivered in parts, or declare `max_megabytes: {size // 1_000_000 + 1}`.",
            )
        if path.endswith(FAULTS) or is_archive == self.zip:
            return
        found = "a zip archive" if is_archive else "no zip archive"
        needed = "a zip archive: `zip: true`" if self.zip else "a file that is not packed"
        raise FileRejected(
            f"The file is {found}.",
            needed=f"Declared is {needed}.",
            remedy=f"Have it delivered so, or declare `zip: {str(is_archive).lower()}`.",
        )

    def check_part(self, name: str, columns: tuple[str, ...], form: Format) -> None:
        """Make sure that a text or a sheet is like the one that was learned.

        Raises:
            FileRejected: Nothing was learned, or it differs: each difference is named.
        """
        if self.learned is None:
            raise FileRejected(
                "No file was learned for this goal.",
                needed="A strict import compares each file with one that was learned.",
                remedy=f"Learn one that is right: {self.call}.",
            )
        found = self.learned.type if name.endswith(FAULTS) else type_of(name, form)
        if differences := list(self.learned.differences(columns, found, form.separator)):
            raise FileRejected(
                f"The file differs from the one that was learned: {'; '.join(differences)}.",
                needed="Needed are the same column names, the same type of file and the same separator.",
                remedy=f"Have the file corrected or, if the change is meant, learn a new one: {self.call}.",
            )


def type_of(name: str, form: Format) -> FileType:
    """Return the type of a file by the format that reads it and, of delimited text, its name."""
    if form.is_workbook:
        return form.type
    return "txt" if PurePosixPath(name.lower()).suffix == ".txt" else "csv"


class StrictGoal(FileGoal):
    """Imports profiles from files that have to be like the one that was learned."""

    strict: Expected

    @property
    def expected(self) -> Expected:
        """What the goal expects of its files."""
        return self.strict

    def names_file(self, name: str) -> bool:
        """Return whether the goal's pattern names a file, or the one whose faults file it is."""
        return super().names_file(name) or (name.endswith(FAULTS) and super().names_file(name.removesuffix(FAULTS)))

    def reading(self, path: str) -> ImportGoal:
        """Return the goal as it reads a file: the faults file of a workbook is delimited text."""
        if not (self.format.is_workbook and path.endswith(FAULTS)):
            return self
        return self.model_copy(update={"format": self.format.model_copy(update={"type": "csv"})})


G = TypeVar("G", bound=ImportGoal)


def like(goal: G, learned: LearnedFile | None) -> G:
    """Return a goal that, where it is strict, expects files like the one that was learned."""
    if goal.expected is None:
        return goal
    return goal.model_copy(update={"strict": goal.expected.model_copy(update={"learned": learned})})
