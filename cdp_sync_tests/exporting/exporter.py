"""Exports from a warehouse, through the product's own steps, into a local folder in place of the server."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.exporting import FileRun, export_file
from cdp_sync.model import ExportCounters, ExportReport, FileExportGoal, Profiles
from cdp_sync.model.remote import Removal
from cdp_sync.warehouse import Warehouse, quote_identifier
from cdp_sync.warehouse.clock import touch_everybody
from cdp_sync.warehouse.properties import sync_properties

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""The time of the first run."""

PROPERTIES: tuple[Mapping[str, Any], ...] = (
    {"name": "email", "type": "email", "identifier": True},
    {"name": "name"},
    {"name": "count", "type": "number"},
    {"name": "total", "type": "decimal"},
    {"name": "born", "type": "date"},
    {"name": "seen", "type": "datetime"},
    {"name": "keen", "type": "boolean"},
    {"name": "likes", "multiple": True},
    {"name": "marks", "type": "number", "multiple": True},
)
EVERYBODY = {
    "name": "everybody",
    "title": "All of them",
    "when": {"any": [{"property": "email", "has_value": True}, {"property": "email", "is_empty": True}]},
}
KEEN = {"name": "keen", "when": {"property": "keen", "equals": True}}


def profiles(**more: Any) -> Profiles:
    """Return a profile model with properties of all types and two segments."""
    return Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY, KEEN], **more})


@dataclass
class Folder:
    """A server that copies files to a local folder."""

    path: Path
    published: list[str] = field(default_factory=list)

    def publish(self, local: Path, path: str, **_: object) -> None:
        """Copy a file to the folder."""
        shutil.copy(local, self.path / path.rpartition("/")[2])
        self.published.append(path)

    def remove_delivered(self, path: str, size: int, sha256: str) -> Removal:
        """Remove a file, if it is the one that was delivered."""
        file = self.path / path.rpartition("/")[2]
        if not file.exists():
            return "missing"
        if (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()) != (size, sha256):
            return "replaced"
        file.unlink()
        return "removed"


class Killed(Exception):
    """The simulated end of the process."""


@dataclass(frozen=True)
class Deadly:
    """A server that receives a file, after which the process ends."""

    server: Any

    def publish(self, *arguments: object, **options: object) -> None:
        """Publish the file and raise Killed."""
        self.server.publish(*arguments, **options)
        raise Killed

    def remove_delivered(self, path: str, size: int, sha256: str) -> Removal:
        """Remove a file as the server does."""
        outcome: Removal = self.server.remove_delivered(path, size, sha256)
        return outcome


@dataclass
class Exporter:
    """Runs of one goal on one warehouse, one minute apart."""

    folder: Path
    goal: FileExportGoal
    profiles: Profiles = field(default_factory=profiles)
    objectives: tuple[str, ...] = ()
    runs: int = 0

    def __post_init__(self) -> None:
        """Create the warehouse and the server's folder."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir(parents=True)
        self.server = Folder(self.outbox)
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb", lock_timeout=20)

    def hold(self, people: Iterable[Mapping[str, Any]]) -> None:
        """Insert these people as profiles; the n-th has an id that ends in n."""
        with self.warehouse.open("write") as session:
            sync_properties(session, self.profiles)
            for number, person in enumerate(people, start=1):
                made = {"profile_id": UUID(int=number), "created_at": NOON + timedelta(microseconds=number), **person}
                names = ", ".join(quote_identifier(name) for name in made)
                values = ", ".join(f"${name}" for name in made)
                session.execute(f"insert into warehouse.profile ({names}) values ({values})", made)
            touch_everybody(session, NOON)

    def change(self, statement: str) -> None:
        """Execute a statement in the warehouse."""
        with self.warehouse.open("write") as session:
            session.execute(statement)
            touch_everybody(session, NOON)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def next_run(self) -> FileRun:
        """Return the next run, not yet started."""
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        return FileRun(
            run_id=f"run{self.runs}",
            connection="shop",
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.objectives,
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=NOON + timedelta(minutes=self.runs - 1),
        )

    def run(self) -> ExportReport:
        """Run the goal and return its report."""
        report = export_file(self.next_run(), self.server, self.folder / "uploads")
        assert report.counters.add_up
        return report

    def run_until_delivered(self) -> None:
        """Run the goal and end the process after the delivery."""
        with pytest.raises(Killed):
            export_file(self.next_run(), Deadly(self.server), self.folder / "uploads")

    def counters(self) -> ExportCounters:
        """Run the goal and return its counters."""
        return self.run().counters

    def delivered(self) -> bytes:
        """Return the content of the only delivered file, and delete the file."""
        (file,) = self.outbox.iterdir()
        content = file.read_bytes()
        file.unlink()
        return content


def goal(**declared: Any) -> FileExportGoal:
    """Return a goal that exports the e-mail address and name of every profile, with LF line breaks."""
    columns = [{"field": "Email", "property": "email"}, {"field": "Name", "property": "name"}]
    defaults = {"name": "out", "segment": "everybody", "directory": "/outbox", "map": columns}
    form = {"row_delimiter": "linux"} | declared.pop("format", {})
    return FileExportGoal.model_validate(defaults | {"format": form} | declared)


def column(name: str, **more: Any) -> dict[str, Any]:
    """Return a column with the name of its property."""
    return {"field": name, "property": name} | more
