"""One run of one import goal: the value that every step receives."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import UUID

from cdp_sync.model import ImportGoal, Records, Run, fingerprint
from cdp_sync.warehouse import Access, Session, Warehouse
from cdp_sync.warehouse.renaming import rival_problem, source_of

_ROW_GROUP = 20_480
"""The parser yields some megabytes of rows at a time. Where they are fewer than a row group, DuckDB copies them once
more before it writes them, which costs a third of staging."""


@dataclass(frozen=True)
class ImportRun(Run):
    """One run of one import goal.

    Args:
        warehouse: Where profiles live.
        staging: DuckDB file of this run's own.
        downloads: Folder of this run's own, where files arrive; beside `staging` where it is not given.
        objectives: Those of the connection: only profiles whose consent allows one of them are processed.
        again: All rows of the files are applied again, as under a changed declaration; none is summed twice.
        faults: Folder of this run's own for the rows that a strict goal refuses; None: they are not written.
        began: When its first step began, in seconds since 1970; the history shows how long the run took.
    """

    goal: ImportGoal
    warehouse: Warehouse
    staging: Path
    downloads: Path | None = None
    objectives: tuple[str, ...] = ()
    again: bool = False
    began: float | None = None
    faults: Path | None = None

    @cached_property
    def records(self) -> Records:
        """What the rows become, of what is declared."""
        return self.goal.records(self.profiles)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything declared that affects the result."""
        return fingerprint(self.goal, self.profiles, self.objectives)

    @cached_property
    def moment(self) -> datetime:
        """When it began, or now."""
        return datetime.now(UTC) if self.began is None else datetime.fromtimestamp(self.began, UTC)

    @property
    def unchanged_under(self) -> str:
        """The fingerprint of those earlier imports whose rows need not be applied again."""
        return "" if self.again else self.fingerprint

    @property
    def source(self) -> UUID:
        """What the ledger knows the goal by, as the sender of rows with keys."""
        return source_of((self.connection, self.goal.name))

    @property
    def goal_named(self) -> dict[str, object]:
        """The columns that name the goal in the warehouse's tables."""
        return {"connection": self.connection, "goal": self.goal.name}

    @contextmanager
    def open(self, access: Access) -> Iterator[Session]:
        """Open the warehouse beside the run's staging file."""
        warehouse = self.warehouse.within(self.goal.memory_limit)
        with warehouse.open(access, staging=self.staging, row_group=_ROW_GROUP) as session:
            session.define_functions()
            yield session

    @property
    def folder(self) -> Path:
        """Where files arrive and are unpacked."""
        return self.downloads or self.staging.with_suffix(".files")


def refuse_rivals(run: ImportRun, files: Iterable[tuple[str, int | None, datetime | None]]) -> None:
    """Make sure that no other goal has summed these files, given by path, size and time.

    Raises:
        GoalFailed: Another goal has imported some of them with the same links and sums.
    """
    if run.goal.sums_as_json == "[]":
        return
    with run.warehouse.open("read") as session:
        problem = rival_problem(session, run.connection, run.goal, files)
    if problem:
        raise problem
