"""How many profiles a connection ever imported and exported: the product's count beside plain sets of addresses."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdp_sync.errors import WarehouseLocked
from cdp_sync.exporting import FileRun, deliver_file, record_delivery, select_segment, write_file
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.upserting import upsert as applying
from cdp_sync.model import ExportReport, FileExportGoal, ImportReport, Profiles
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.history import data_exchange
from cdp_sync_tests.exporting.exporter import Folder
from cdp_sync_tests.trail.importer import PROFILES, Importer, arrived, goal

CONNECTIONS = ("shop", "desk")
DECLARED = Profiles(
    properties=PROFILES.properties,
    segments=[
        {"name": "everybody", "when": {"property": "email", "has_value": True}},
        {"name": "named", "when": {"property": "first_name", "has_value": True}},
    ],
)
NAMES = goal(name="names")
COUNTS = goal(name="counts", map=[{"field": "Count", "property": "order_count"}], allow_new_profiles=False)
PEOPLE = tuple(f"p{number}@x" for number in range(12))


def export_goal(name: str, segment: str, changes: str) -> FileExportGoal:
    """Return a goal that exports a segment's addresses and names."""
    columns = [{"field": "Email", "property": "email"}, {"field": "Name", "property": "first_name"}]
    declared = {"name": name, "segment": segment, "changes": changes, "directory": "/out", "map": columns}
    return FileExportGoal.model_validate(declared)


EXPORTS = (export_goal("all", "everybody", "all"), export_goal("named", "named", "changed"))


@dataclass
class World:
    """Two connections over one warehouse, and what each of them has exchanged, as sets."""

    folder: Path
    imported: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CONNECTIONS})
    exported: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CONNECTIONS})
    known: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    runs: int = 0

    def __post_init__(self) -> None:
        """Make the warehouse, and a folder that plays the server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb", lock_timeout=20)
        (self.folder / "outbox").mkdir()
        self.server = Folder(self.folder / "outbox")
        self.importers = {
            (name, each.name): Importer(
                self.folder / name / each.name, each, profiles=DECLARED, connection=name, warehouse=self.warehouse
            )
            for name in CONNECTIONS
            for each in (NAMES, COUNTS)
        }

    def bring(
        self, connection: str, goal_name: str, path: str, people: set[str], fails: Callable[[], None] | None = None
    ) -> ImportReport:
        """Import a file of these people; the first attempt fails where that is asked for."""
        text = "Email,Name,Count\n" + "".join(f"{person},N{self.runs % 3},1\n" for person in sorted(people))
        importer = self.importers[connection, goal_name]
        run = importer.new_run()
        self.runs += 1
        stage_files(run, arrived(importer.folder / run.run_id, {path: text}))
        link_identifiers(run)
        if fails:
            fails()
        report = upsert_profiles(run)
        self.imported[connection] |= people if goal_name == "names" else people & self.known
        if goal_name == "names":
            self.known |= people
            self.named |= people
        return report

    def send(
        self, connection: str, export: FileExportGoal, *, killed: bool = False, times: int = 1
    ) -> ExportReport | None:
        """Export; killed before the delivery is recorded, or recorded several times, where that is asked for."""
        self.runs += 1
        own = self.folder / f"export{self.runs}"
        own.mkdir()
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.runs)
        run = FileRun(
            f"e{self.runs}", connection, export, DECLARED, (), self.warehouse, own / "staging.duckdb", own, now
        )
        counters = select_segment(run)
        file = write_file(run)
        delivered = deliver_file(run, self.server, file, self.folder / "uploads") if file else None
        if killed:
            return None
        reports = [record_delivery(run, counters, delivered) for _ in range(times)]
        self.exported[connection] |= self.known if export.segment == "everybody" else self.named
        return reports[-1]

    def counts(self) -> dict[str, tuple[object, object]]:
        """Return what the product counted."""
        with self.warehouse.open("read") as session:
            rows = data_exchange(session)
        return {str(row["connection"]): (row["profiles_ever_imported"], row["profiles_ever_exported"]) for row in rows}

    def expected(self) -> dict[str, tuple[object, object]]:
        """Return what it should have counted."""
        both = {name: (len(self.imported[name]), len(self.exported[name])) for name in CONNECTIONS}
        return {name: counts for name, counts in both.items() if any(counts)}

    def agrees(self) -> bool:
        """Whether the product's counts are those of the sets; connections that count nothing may be absent."""
        return {name: counts for name, counts in self.counts().items() if any(counts)} == self.expected()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two connections that have done nothing yet."""
    return World(tmp_path / "world")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the next writing fail at its end, whatever run it is of."""

    def fail(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise WarehouseLocked("Somebody writes.")

    return lambda: monkeypatch.setattr(applying, "write_run", fail)


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_sets(seed: int, world: World) -> None:
    """After every run of a made-up history each connection's counts are the sizes of two sets."""
    chance = random.Random(seed)
    for _ in range(14):
        connection = chance.choice(CONNECTIONS)
        if chance.random() < 0.6:
            people = set(chance.sample(PEOPLE, chance.randint(1, 6)))
            world.bring(connection, chance.choice(["names", "names", "counts"]), chance.choice(["/a", "/b"]), people)
        else:
            export = chance.choice(EXPORTS)
            world.send(connection, export, killed=chance.random() < 0.2, times=chance.choice([1, 1, 2]))
        assert world.agrees(), (world.counts(), world.expected())


def test_an_attempt_that_failed_counts_nothing(world: World, broken: Callable[[], None]) -> None:
    """What is rolled back is not counted; the next attempt counts it once."""
    world.bring("shop", "names", "/a", {"a@x", "b@x"})
    with pytest.raises(WarehouseLocked):
        world.bring("desk", "names", "/a", {"b@x", "c@x"}, fails=broken)
    assert world.counts() == {"shop": (2, 0)}
    world.bring("desk", "names", "/a", {"b@x", "c@x"})
    world.bring("desk", "names", "/a", {"b@x", "c@x"})
    assert world.counts() == {"shop": (2, 0), "desk": (2, 0)}


def test_a_delivery_that_was_not_recorded_counts_once(world: World) -> None:
    """The run that delivers it again counts it; recording a run twice changes nothing."""
    world.bring("shop", "names", "/a", {"a@x"})
    world.send("shop", EXPORTS[1], killed=True)
    assert world.counts() == {"shop": (1, 0)}
    for _ in range(2):
        world.send("shop", EXPORTS[1], times=2)
        assert world.counts() == {"shop": (1, 1)}


def test_profiles_that_nobody_imported_are_counted_by_who_does(world: World) -> None:
    """A profile that came to the warehouse otherwise counts for every connection that imports it."""
    world.bring("shop", "names", "/a", {"a@x"})
    with world.warehouse.open("write") as session:
        session.execute("update warehouse.profile set _created_by = null")
    world.bring("desk", "names", "/a", {"a@x"})
    assert world.counts()["desk"] == (1, 0)


def test_reports_have_the_counts(world: World) -> None:
    """What a run reports is what its connection has exchanged by then; nothing where nothing was recorded."""
    assert world.bring("shop", "names", "/a", {"a@x", "b@x"}).profiles_ever_imported == 2
    first = world.send("shop", EXPORTS[1])
    again = world.send("shop", EXPORTS[1])
    assert first is not None
    assert again is not None
    assert (first.profiles_ever_exported, again.profiles_ever_exported) == (2, None)


def test_an_older_warehouse_is_counted_from_its_history(world: World) -> None:
    """The migration finds in history and ledger what was counted since, and counting goes on from there."""
    world.bring("shop", "names", "/a", {"a@x", "b@x"})
    world.bring("desk", "names", "/a", {"b@x", "c@x"})
    world.bring("desk", "counts", "/b", {"a@x"})
    world.send("shop", EXPORTS[0])
    world.send("shop", EXPORTS[1])
    counted = world.counts()
    with world.warehouse.open("write") as session:
        go_back(session.execute)
    assert world.counts() == counted == {"shop": (2, 3), "desk": (3, 0)}
    world.bring("shop", "names", "/c", {"a@x", "b@x", "c@x", "d@x"})
    assert world.agrees()


def go_back(execute: Callable[[str], object]) -> None:
    """Make the warehouse one of version 2."""
    execute("drop view warehouse.run_goal")
    execute("drop view warehouse.live_profile")
    execute("drop table warehouse.watermark")
    execute(
        """create table warehouse.by_name as
        select connection, goal, profile_id, row_hash, value_hash
        from warehouse.exported_profile
        join warehouse.exported_goal on number = goal_number"""
    )
    execute(
        """create table warehouse.by_digest as
        select source, row_hash::uhugeint as row_hash, applied, null::text[] as added
        from warehouse.imported_row"""
    )
    execute("drop table warehouse.imported_row; drop table warehouse.keyed_row; drop table warehouse.waiting_row")
    execute("alter table warehouse.by_digest rename to imported_row")
    for column in ("format", "links", "sums"):
        execute(f"alter table warehouse.imported_file drop column {column}")
    execute("drop table warehouse.exported_profile")
    execute("alter table warehouse.by_name rename to exported_profile")
    for table in (
        "exported_goal",
        "data_exchange",
        "imported_profile",
        "connection_number",
        "changed_value",
        "list_member",
        "list_intent",
    ):
        execute(f"drop table warehouse.{table}")
    execute("alter table warehouse.profile drop column _created_by")
    for column in ("seconds", "warnings", "errors", "profiles_without_identifier", "profiles_unmatched"):
        execute(f"alter table warehouse.run drop column {column}")
    for column in ("kind", "row_hash", "seen_run_id"):
        execute(f"alter table warehouse.quarantine drop column {column}")
    execute("alter table warehouse.identifier_property drop column domains_in_ascii")
    execute("delete from warehouse.migration where version > 2")
