"""Imports into a warehouse by the product's own steps, and queries about the result."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.importing import ImportRun, Scan, fetch_files, scan_directory
from cdp_sync.importing.pipeline import import_files, link_identifiers, parse_files, upsert_profiles
from cdp_sync.model import FetchedFile, FileGoal, ImportReport, Profiles, RemoteFile
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.ledger import known_files

Content = str | bytes

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
"""The default modification time of files."""

PROFILES = Profiles(
    properties=(
        {"name": "email", "type": "email", "identifier": True},
        {"name": "customer_id", "identifier": True},
        {"name": "first_name"},
        {"name": "order_count", "type": "number"},
        {"name": "order_total", "type": "decimal"},
        {"name": "interests", "multiple": True},
        {"name": "birthday", "type": "date"},
        {"name": "last_seen", "type": "datetime"},
    )
)


def goal(**declared: Any) -> FileGoal:
    """Return a goal that by default links by Email and sets the first name."""
    usual = {
        "name": "customers",
        "directory": "/inbox",
        "complete": {"settle_seconds": 0},
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": "Name", "property": "first_name"}],
    }
    return FileGoal(**{**usual, **declared})


@dataclass
class Importer:
    """Consecutive runs of one goal, each with a staging file of its own."""

    folder: Path
    goal: FileGoal = field(default_factory=goal)
    profiles: Profiles = PROFILES
    connection: str = "shop"
    warehouse: Warehouse = None  # type: ignore[assignment]  # made from the folder
    runs: int = 0
    objectives: tuple[str, ...] = ()
    scan: Scan | None = None

    def __post_init__(self) -> None:
        """Create the folder and, by default, the warehouse."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.warehouse = self.warehouse or Warehouse(self.folder / "warehouse.duckdb", lock_timeout=60)

    def new_run(self) -> ImportRun:
        """Return a new run."""
        self.runs += 1
        return ImportRun(
            run_id=f"{self.connection}{self.runs}",
            connection=self.connection,
            goal=self.goal,
            profiles=self.profiles,
            warehouse=self.warehouse,
            staging=self.folder / "staging" / f"{self.connection}{self.runs}__{self.goal.name}.duckdb",
            objectives=self.objectives,
        )

    def deliver(
        self, files: Mapping[str, Content], *, at: datetime = NOON, between: Callable[[ImportRun], object] | None = None
    ) -> ImportReport:
        """Import files as if they had been fetched.

        Args:
            files: The contents by path.
            at: The modification time.
            between: Called after the link step, before any write.
        """
        run = self.new_run()
        fetched = arrived(self.folder / run.run_id, files, at)
        if between is None:
            return import_files(run, fetched)
        parse_files(run, fetched)
        link_identifiers(run)
        between(run)
        return upsert_profiles(run)

    def fetch(self, server: SftpClient) -> ImportReport:
        """Scan, fetch and import from a server, as the steps of a Dagster run do."""
        run = self.new_run()
        with self.warehouse.open("read") as session:
            known = known_files(session, self.connection, self.goal.name)
        self.scan = scan_directory(server, self.goal, known, run.fingerprint)
        if not self.scan.due:
            return ImportReport(self.goal.name).with_files(self.scan.waiting)
        arrivals = fetch_files(server, self.scan.due, run.folder)
        return import_files(run, arrivals, known).with_files(self.scan.waiting)

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query, list(values))

    def column(self, name: str, *, by: str = "email") -> dict[str, Any]:
        """Return a property of all profiles, by an identifier."""
        return dict(self.rows(f'select "{by}", "{name}" from warehouse.profile'))

    def quarantine(self) -> list[tuple[Any, ...]]:
        """Return path, line, field, value and reason of all quarantined rows and cells."""
        columns = 'path, line, field, "value", reason'
        return self.rows(f"select {columns} from warehouse.quarantine order by path, line, field")


def arrived(folder: Path, files: Mapping[str, Content], at: datetime = NOON) -> list[FetchedFile]:
    """Write files into a folder as if they had been fetched, each a second younger than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _arrived(folder / f"{number}_{Path(path).name}", path, content, at + timedelta(seconds=number))
        for number, (path, content) in enumerate(files.items())
    ]


def _arrived(local: Path, path: str, content: Content, at: datetime) -> FetchedFile:
    data = content.encode() if isinstance(content, str) else content
    local.write_bytes(data)
    return FetchedFile(RemoteFile(at, path, len(data)), local, hashlib.sha256(data).hexdigest())


def check_adds_up(report: ImportReport) -> None:
    """Assert that every row read is accounted for, per file and in total."""
    assert all(file.counters.add_up for file in report.files)
    assert report.counters.add_up


def state_of(warehouse: Warehouse) -> dict[str, Any]:
    """Return the content of a warehouse without its ids and times, for comparison."""
    with warehouse.open("read") as session:
        profiles = session.records("select * from warehouse.profile")
        identifiers = session.rows('select property, "value", profile_id from warehouse.profile_identifier')
        ledger = session.records("select * exclude (run_id, imported_at) from warehouse.imported_file")
        known = session.rows("select source, row_hash, applied, sums, profile_id from warehouse.imported_row")
        columns = 'connection, goal, path, line, field, "value", raw, reason'
        quarantine = session.rows(f"select {columns} from warehouse.quarantine")
        changes = session.rows("select profile_id, kind, properties from warehouse.profile_change")
    names = {each["profile_id"]: _as_text(_properties(each)) for each in profiles}
    return {
        "profiles": sorted(names.values()),
        "identifiers": sorted(_as_text((*row, names.get(owner, "nobody"))) for *row, owner in identifiers),
        "ledger": sorted(map(_as_text, ledger)),
        "imported_row": sorted(_as_text((*row, names.get(owner, "nobody"))) for *row, owner in known),
        "quarantine": sorted(map(_as_text, quarantine)),
        "changes": sorted(_as_text((names.get(owner, "nobody"), *row)) for owner, *row in changes),
    }


def _properties(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in profile.items() if name not in _ITS_OWN}


_ITS_OWN = ("profile_id", "created_at", "updated_at", "_created_by")


def _as_text(value: object) -> str:
    return repr(value)
