"""The oracle and the product with one interface, for tests that compare them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_files
from cdp_sync.model import Counters, FetchedFile, FileGoal, Profiles, RemoteFile
from cdp_sync.model.property import RESERVED
from cdp_sync.warehouse import Session, Warehouse, quote_identifier
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests import oracle
from cdp_sync_tests.oracle import Entry, State

File = tuple[str, bytes]
"""A path on the server and its content."""

_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _begin(run: int) -> datetime:
    """Return when the n-th run begins."""
    return _NOON + timedelta(hours=run)


@dataclass(frozen=True)
class Delivered:
    """The outcome of one run."""

    counters: dict[str, Counters]
    failed: dict[str, str]
    quarantine: tuple[Entry, ...]

    @property
    def total(self) -> Counters:
        """The counters of the run, summed over its files."""
        return sum(self.counters.values(), Counters())

    @property
    def kinds(self) -> Counter[tuple[str, int, str | None]]:
        """The quarantine as path, line and field, without values and wording. The field None is the whole row."""
        return Counter((entry.path, entry.line, entry.field) for entry in self.quarantine)


class Side(Protocol):
    """An implementation of importing with its state."""

    def seed(self, declared: Profiles, profiles: Iterable[dict[str, Any]]) -> None:
        """Create profiles, in order."""

    def deliver(
        self, goal: FileGoal, declared: Profiles, files: Sequence[File], objectives: tuple[str, ...] = ()
    ) -> Delivered:
        """Import files in one run of a connection with these objectives."""

    def profiles(self) -> list[dict[str, Any]]:
        """Return the properties of all profiles."""


class OracleSide:
    """The slow reference implementation."""

    def __init__(self, folder: Path | None = None) -> None:
        """Start without profiles; the folder is not used."""
        self.state = State()
        self.runs = 0

    def seed(self, declared: Profiles, profiles: Iterable[dict[str, Any]]) -> None:
        """Create profiles, in order."""
        self.state.profiles += [dict(profile) for profile in profiles]

    def deliver(
        self, goal: FileGoal, declared: Profiles, files: Sequence[File], objectives: tuple[str, ...] = ()
    ) -> Delivered:
        """Import files in one run of a connection with these objectives."""
        self.runs += 1
        outcome = oracle.import_files(self.state, goal, declared, files, objectives, _begin(self.runs))
        return Delivered(outcome.counters, outcome.failed, tuple(outcome.quarantine))

    def profiles(self) -> list[dict[str, Any]]:
        """Return the properties of all profiles."""
        return self.state.profiles


class ProductSide:
    """The product with a warehouse in a folder."""

    def __init__(self, folder: Path) -> None:
        """Start with an empty warehouse in the folder."""
        self.folder = folder
        self.warehouse = Warehouse(folder / "warehouse.duckdb")
        self.runs = 0

    def seed(self, declared: Profiles, profiles: Iterable[dict[str, Any]]) -> None:
        """Create profiles, in order."""
        with self.warehouse.open("write") as session:
            sync_properties(session, declared)
            for number, profile in enumerate(profiles):
                insert_profile(session, declared, number, profile)

    def deliver(
        self, goal: FileGoal, declared: Profiles, files: Sequence[File], objectives: tuple[str, ...] = ()
    ) -> Delivered:
        """Import files in one run of a connection with these objectives."""
        self.runs += 1
        adopt(self.warehouse, ("shop", goal.name), (None, goal.was))
        run = ImportRun(
            run_id=f"run{self.runs}",
            connection="shop",
            goal=goal,
            profiles=declared,
            warehouse=self.warehouse,
            staging=self.folder / f"staging{self.runs}.duckdb",
            objectives=objectives,
            began=_begin(self.runs).timestamp(),
        )
        report = import_files(run, [self.fetched(number, file) for number, file in enumerate(files)])
        counters = {file.path: file.counters for file in report.files}
        failed = {file.path: file.message for file in report.files if file.state == "failed"}
        return Delivered(counters, failed, tuple(self.quarantine(run.run_id)))

    def fetched(self, number: int, file: File) -> FetchedFile:
        """Write a file to the folder and return it as fetched in this run."""
        path, content = file
        local = self.folder / f"{self.runs}_{number}_{Path(path).name}"
        local.write_bytes(content)
        modified_at = _begin(self.runs) + timedelta(seconds=number)
        return FetchedFile(RemoteFile(modified_at, path, len(content)), local, hashlib.sha256(content).hexdigest())

    def quarantine(self, run_id: str) -> list[Entry]:
        """Return the quarantine of a run."""
        query = 'select path, line, reason, field, "value", raw from warehouse.quarantine where run_id = ?'
        with self.warehouse.open("read") as session:
            return [Entry(*row) for row in session.rows(query, [run_id])]

    def profiles(self) -> list[dict[str, Any]]:
        """Return the properties of all live profiles."""
        with self.warehouse.open("read") as session:
            found = session.records("select * from warehouse.profile where merged_into is null")
        return [{name: value for name, value in profile.items() if name not in RESERVED} for profile in found]

    def identifiers(self) -> Counter[tuple[str, str, str]]:
        """Return the rows of `profile_identifier` as property, value and profile."""
        query = 'select property, "value", profile_id::text from warehouse.profile_identifier'
        with self.warehouse.open("read") as session:
            return Counter(session.rows(query))

    def identifiers_unnested(self, declared: Profiles) -> Counter[tuple[str, str, str]]:
        """Return the expected rows of `profile_identifier`, from the identifier columns of the live profiles."""
        found: Counter[tuple[str, str, str]] = Counter()
        with self.warehouse.open("read") as session:
            for profile in session.records("select * from warehouse.profile where merged_into is null"):
                for prop in declared.identifiers:
                    values = profile[prop.name] if prop.multiple else [profile[prop.name]]
                    owner = str(profile["profile_id"])
                    found.update((prop.name, str(value), owner) for value in values or [] if value is not None)
        return found


def insert_profile(session: Session, declared: Profiles, number: int, profile: dict[str, Any]) -> None:
    """Insert a profile that was created earlier; a larger number is a later creation."""
    profile_id = f"00000000-0000-7000-8000-{number:012d}"
    row = {"profile_id": profile_id, "created_at": _NOON + timedelta(seconds=number), "updated_at": _NOON} | profile
    columns = ", ".join(quote_identifier(name) for name in row)
    places = ", ".join("?" for _ in row)
    session.execute(f"insert into warehouse.profile ({columns}) values ({places})", list(row.values()))
    for prop in declared.identifiers:
        value = profile.get(prop.name)
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                values = [prop.name, str(one), profile_id]
                session.execute("insert into warehouse.profile_identifier values (?, ?, ?)", values)
