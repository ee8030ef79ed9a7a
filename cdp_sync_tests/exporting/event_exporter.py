"""Exports of events from a warehouse, through the product's own steps, into a local folder in place of the server."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.exporting import EventRun, export_events
from cdp_sync.model import EventCounters, EventExportGoal, EventExportReport, Profiles
from cdp_sync.warehouse import Warehouse, quote_identifier, sync_events
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.exporter import EVERYBODY, KEEN, PROPERTIES, Deadly, Folder, Killed

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
"""The time of the first run."""

OPENED = {"name": "opened", "properties": [{"name": "campaign"}, {"name": "url"}]}
ORDER = {
    "name": "order",
    "properties": [
        {"name": "total", "type": "decimal"},
        {"name": "campaign"},
        {"name": "tags", "multiple": True},
        {
            "name": "products",
            "items": [
                {"name": "sku", "identifier": True},
                {"name": "name"},
                {"name": "price", "type": "decimal"},
                {"name": "pieces", "type": "number"},
                {"name": "due", "type": "date"},
                {"name": "gift", "type": "boolean"},
            ],
        },
    ],
}


def profiles(**more: Any) -> Profiles:
    """Return a profile model with two types of events."""
    declared = {"properties": PROPERTIES, "segments": [EVERYBODY, KEEN], "event_types": [OPENED, ORDER]}
    return Profiles.model_validate(declared | more)


def goal(**declared: Any) -> EventExportGoal:
    """Return a goal that exports address, type, campaign and id of every event, with LF line breaks."""
    columns = [
        {"field": "email", "property": "email"},
        {"field": "event", "event_type": True},
        {"field": "campaign", "event": "campaign"},
        {"field": "id", "event_id": True},
    ]
    defaults = {"name": "esp", "events": ["opened", "order"], "directory": "/outbox", "map": columns}
    form = {"row_delimiter": "linux"} | declared.pop("format", {})
    return EventExportGoal.model_validate(defaults | {"format": form} | declared)


def opened(number: int, at: datetime = NOON, person: int = 1, **more: Any) -> dict[str, Any]:
    """Return an event of the type `opened`; the person's id ends in its number."""
    return {
        "event_id": f"o{number}",
        "profile_id": UUID(int=person),
        "happened_at": at,
        "campaign": f"c{number}",
    } | more


@dataclass
class EventExporter:
    """Runs of one goal on one warehouse, at times that the test gives."""

    folder: Path
    goal: EventExportGoal
    profiles: Profiles = field(default_factory=profiles)
    objectives: tuple[str, ...] = ()
    runs: int = 0
    imports: int = 0
    now: datetime = NOON + timedelta(hours=1)

    def __post_init__(self) -> None:
        """Create the warehouse, with two people, and the server's folder."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir(parents=True)
        self.server = Folder(self.outbox)
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb", lock_timeout=20)
        with self.warehouse.open("write") as session:
            sync_properties(session, self.profiles)
            sync_events(session, self.profiles)
            for number, keen in ((1, True), (2, False)):
                session.execute(
                    """insert into warehouse.profile (profile_id, created_at, email, keen)
                    values ($id, $at, $email, $keen)""",
                    {"id": UUID(int=number), "at": NOON, "email": f"p{number}@example.com", "keen": keen},
                )

    def hold(self, events: Iterable[Mapping[str, Any]], kind: str = "opened") -> None:
        """Insert or replace events of a type, as an import does after the last run."""
        self.imports += 1
        written_at = self.now + timedelta(microseconds=self.imports)
        with self.warehouse.open("write") as session:
            table = f"warehouse.event_{kind}"
            for event in events:
                made = {"_written_at": written_at, **event}
                names = ", ".join(quote_identifier(name) for name in made)
                values = ", ".join(f"${name}" for name in made)
                session.execute(f"delete from {table} where event_id = $id", {"id": event["event_id"]})
                session.execute(f"insert into {table} ({names}) values ({values})", made)

    def change(self, statement: str) -> None:
        """Execute a statement in the warehouse."""
        with self.warehouse.open("write") as session:
            session.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def next_run(self) -> EventRun:
        """Return the next run, not yet started."""
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        return EventRun(
            run_id=f"run{self.runs}",
            connection="shop",
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.objectives,
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=self.now,
        )

    def run(self, **later: float) -> EventExportReport:
        """Run the goal, so much later if given, and return its report."""
        self.now += timedelta(**later)
        report = export_events(self.next_run(), self.server, self.folder / "uploads")
        assert report.counters.add_up
        return report

    def run_until_delivered(self, **later: float) -> None:
        """Run the goal and end the process after it has delivered a file."""
        self.now += timedelta(**later)
        with pytest.raises(Killed):
            export_events(self.next_run(), Deadly(self.server), self.folder / "uploads")

    def counters(self, **later: float) -> EventCounters:
        """Run the goal and return its counters."""
        return self.run(**later).counters

    def delivered(self) -> dict[str, list[dict[str, str]]]:
        """Return the rows of the delivered files by name, and delete the files."""
        found = {}
        for file in sorted(self.outbox.iterdir()):
            found[file.name] = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
            file.unlink()
        return found

    def ids(self) -> dict[str, list[str]]:
        """Return the ids of the delivered events by file, and delete the files."""
        return {name: [row["id"] for row in rows] for name, rows in self.delivered().items()}
