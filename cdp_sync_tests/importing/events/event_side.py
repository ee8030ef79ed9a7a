"""The product, and what tests of events read from its warehouse."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_files
from cdp_sync.model import FetchedFile, FileGoal, ImportReport, Profiles
from cdp_sync.warehouse import Session, event_columns, quote_identifier
from cdp_sync_tests.importing.sides import ProductSide
from cdp_sync_tests.trail.importer import Content, arrived

FIXED = ("event_id", "profile_id", "happened_at", "_written_at", "connection", "goal", "run_id")

Comparable = tuple[Any, ...]


class EventSide(ProductSide):
    """The product with several goals that import events."""

    def __init__(self, folder: Path, profiles: Profiles, *, objectives: tuple[str, ...] = ()) -> None:
        """Start with an empty warehouse in the folder."""
        super().__init__(folder)
        self.declared = profiles
        self.objectives = objectives

    def run(self, goal: FileGoal, files: Sequence[tuple[str, Content]]) -> ImportReport:
        """Import files in one run, and return its report."""
        self.runs += 1
        return import_files(self.import_run(goal), self.arrived(files))

    @property
    def run_id(self) -> str:
        """The id of the current run."""
        return f"run{self.runs}"

    def import_run(self, goal: FileGoal) -> ImportRun:
        """Return the value of the current run."""
        return ImportRun(
            run_id=self.run_id,
            connection="shop",
            goal=goal,
            profiles=self.declared,
            warehouse=self.warehouse,
            staging=self.folder / f"staging{self.runs}.duckdb",
            objectives=self.objectives,
        )

    def arrived(self, files: Sequence[tuple[str, Content]]) -> list[FetchedFile]:
        """Return files as fetched in the current run."""
        return arrived(self.folder / f"fetched{self.runs}", dict(files))

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query, list(values))

    def events(self, kind: str, person: str = "number") -> list[dict[str, Any]]:
        """Return the events of a type with the identifier of their person; none where there is no table."""
        with self.warehouse.open("read") as session:
            return events_in(session, kind, person)


def events_in(session: Session, kind: str, person: str = "number") -> list[dict[str, Any]]:
    """Return the events of a type with the identifier of their person; none where there is no table."""
    if kind not in event_columns(session):
        return []
    query = f"""
        select profile.{quote_identifier(person)} as _person, event.*
        from warehouse.{quote_identifier(f"event_{kind}")} event
        left join warehouse.profile profile using (profile_id)"""
    return session.records(query)


def plain(event: Mapping[str, Any]) -> Comparable:
    """Return an event as a value for comparison, without id and origin."""
    said = {name: value for name, value in event.items() if name not in (*FIXED, "_person") and value is not None}
    values = sorted((name, fold(value)) for name, value in said.items())
    return event["_person"], str(event["happened_at"]), repr(values)


def fold(value: Any) -> Any:
    """Return a value of a property without empty fields of items."""
    match value:
        case [dict(), *_]:
            return [sorted((name, fold(each)) for name, each in item.items() if each is not None) for item in value]
        case list() | tuple():
            return [fold(each) for each in value]
        case Decimal():
            return f"{value.normalize() + 0:f}"
    return value


def counted(report: ImportReport) -> dict[str, Counter[str]]:
    """Return the counters of a report by file, without those that are 0."""
    return {file.path: Counter({k: n for k, n in vars(file.counters).items() if n}) for file in report.files}


def by_id(events: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return events by their ids, each of which names one."""
    found = list(events)
    named = {event["event_id"]: event for event in found}
    assert len(named) == len(found)
    return named
