"""The number of profiles that a connection ever imported and exported, compared with plain sets of addresses."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from cdp_sync.errors import WarehouseLocked
from cdp_sync.exporting import FileRun, deliver_file, record_delivery, select_segment, write_file
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.upserting import upsert as applying
from cdp_sync.model import ExportReport, FileExportGoal, ImportReport, Profiles
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.backend import migrations
from cdp_sync.warehouse.history import data_exchange
from cdp_sync.warehouse.session import Session
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
class Exchanges:
    """Two connections over one warehouse, with the sets of addresses that each has exchanged."""

    folder: Path
    imported: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CONNECTIONS})
    exported: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CONNECTIONS})
    known: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    runs: int = 0

    def __post_init__(self) -> None:
        """Create the warehouse and the server's folder."""
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

    def import_people(
        self, connection: str, goal_name: str, path: str, people: set[str], fails: Callable[[], None] | None = None
    ) -> ImportReport:
        """Import a file of these people; optionally the first attempt fails."""
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

    def export_people(
        self, connection: str, export: FileExportGoal, *, killed: bool = False, times: int = 1
    ) -> ExportReport | None:
        """Export; optionally killed before the delivery is recorded, or recorded several times."""
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
        """Return the product's counts."""
        with self.warehouse.open("read") as session:
            rows = data_exchange(session)
        return {str(row["connection"]): (row["profiles_ever_imported"], row["profiles_ever_exported"]) for row in rows}

    def expected(self) -> dict[str, tuple[object, object]]:
        """Return the expected counts."""
        both = {name: (len(self.imported[name]), len(self.exported[name])) for name in CONNECTIONS}
        return {name: counts for name, counts in both.items() if any(counts)}

    def counts_agree(self) -> bool:
        """Whether the product's counts equal the sizes of the sets; a connection without any may be absent."""
        return {name: counts for name, counts in self.counts().items() if any(counts)} == self.expected()


@pytest.fixture
def exchanges(tmp_path: Path) -> Exchanges:
    """Two connections without runs."""
    return Exchanges(tmp_path / "world")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the next write of any run fail at its end."""

    def fail(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise WarehouseLocked("Somebody writes.")

    return lambda: monkeypatch.setattr(applying, "write_run", fail)


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_those_of_sets(seed: int, exchanges: Exchanges) -> None:
    """After every run of a generated history each connection's counts equal the sizes of two sets."""
    chance = random.Random(seed)
    for _ in range(14):
        connection = chance.choice(CONNECTIONS)
        if chance.random() < 0.6:
            people = set(chance.sample(PEOPLE, chance.randint(1, 6)))
            exchanges.import_people(
                connection, chance.choice(["names", "names", "counts"]), chance.choice(["/a", "/b"]), people
            )
        else:
            export = chance.choice(EXPORTS)
            exchanges.export_people(connection, export, killed=chance.random() < 0.2, times=chance.choice([1, 1, 2]))
        assert exchanges.counts_agree(), (exchanges.counts(), exchanges.expected())


def test_a_failed_attempt_counts_nothing(exchanges: Exchanges, broken: Callable[[], None]) -> None:
    """A rolled-back attempt is not counted, and the next one counts once."""
    exchanges.import_people("shop", "names", "/a", {"a@x", "b@x"})
    with pytest.raises(WarehouseLocked):
        exchanges.import_people("desk", "names", "/a", {"b@x", "c@x"}, fails=broken)
    assert exchanges.counts() == {"shop": (2, 0)}
    exchanges.import_people("desk", "names", "/a", {"b@x", "c@x"})
    exchanges.import_people("desk", "names", "/a", {"b@x", "c@x"})
    assert exchanges.counts() == {"shop": (2, 0), "desk": (2, 0)}


def test_an_unrecorded_delivery_counts_once(exchanges: Exchanges) -> None:
    """An unrecorded delivery counts once, when it is repeated; recording a run twice changes nothing."""
    exchanges.import_people("shop", "names", "/a", {"a@x"})
    exchanges.export_people("shop", EXPORTS[1], killed=True)
    assert exchanges.counts() == {"shop": (1, 0)}
    for _ in range(2):
        exchanges.export_people("shop", EXPORTS[1], times=2)
        assert exchanges.counts() == {"shop": (1, 1)}


def test_profiles_of_another_origin_count_when_imported(exchanges: Exchanges) -> None:
    """A profile of another origin counts for every connection that imports it."""
    exchanges.import_people("shop", "names", "/a", {"a@x"})
    with exchanges.warehouse.open("write") as session:
        session.execute("update warehouse.profile set _created_by = null")
    exchanges.import_people("desk", "names", "/a", {"a@x"})
    assert exchanges.counts()["desk"] == (1, 0)


def test_reports_have_the_counts(exchanges: Exchanges) -> None:
    """A run reports its connection's counts at its end, or none where nothing was recorded."""
    assert exchanges.import_people("shop", "names", "/a", {"a@x", "b@x"}).profiles_ever_imported == 2
    first = exchanges.export_people("shop", EXPORTS[1])
    again = exchanges.export_people("shop", EXPORTS[1])
    assert first is not None
    assert again is not None
    assert (first.profiles_ever_exported, again.profiles_ever_exported) == (2, None)


def test_an_older_warehouse_is_counted_from_its_history(exchanges: Exchanges) -> None:
    """A migrated warehouse is counted from its history and ledger, and counting continues."""
    exchanges.import_people("shop", "names", "/a", {"a@x", "b@x"})
    exchanges.import_people("desk", "names", "/a", {"b@x", "c@x"})
    exchanges.import_people("desk", "counts", "/b", {"a@x"})
    exchanges.export_people("shop", EXPORTS[0])
    exchanges.export_people("shop", EXPORTS[1])
    counted = exchanges.counts()
    with exchanges.warehouse.open("write") as session:
        downgrade(session)
    assert exchanges.counts() == counted == {"shop": (2, 3), "desk": (3, 0)}
    exchanges.import_people("shop", "names", "/c", {"a@x", "b@x", "c@x", "d@x"})
    assert exchanges.counts_agree()


def downgrade(session: Session) -> None:
    """Downgrade the warehouse to version 2: copy back what has another form since, drop all that is new."""
    session.execute(
        """create table warehouse.by_name as
        select connection, goal, profile_id, row_hash, value_hash
        from warehouse.exported_profile
        join warehouse.exported_goal on number = goal_number;
        create table warehouse.by_digest as
        select source, row_hash::uhugeint as row_hash, applied, null::text[] as added
        from warehouse.imported_row;
        drop table warehouse.imported_row; drop table warehouse.exported_profile;
        alter table warehouse.by_digest rename to imported_row;
        alter table warehouse.by_name rename to exported_profile"""
    )
    former = columns_of_version_2()
    views = session.rows("select view_name from duckdb_views() where database_name = 'warehouse' and not internal")
    for (view,) in views:
        session.execute(f"drop view warehouse.{view}")
    columns = session.rows("select table_name, column_name from duckdb_columns() where database_name = 'warehouse'")
    for table in sorted({table for table, _ in columns} - former.keys()):
        session.execute(f"drop table warehouse.{table}")
    for table, column in columns:
        if table in former and column not in former[table]:
            session.execute(f"alter table warehouse.{table} drop column {column}")
    session.execute("delete from warehouse.migration where version > 2")


def columns_of_version_2() -> dict[str, set[str]]:
    """Return the columns of each table after the first two migrations, declared properties included."""
    columns = {"migration": {"version", "name", "applied_at"}}
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        for migration in migrations()[:2]:
            connection.execute(migration.sql)
        made = "select table_name, column_name from duckdb_columns() where database_name = 'warehouse'"
        for table, column in connection.execute(made).fetchall():
            columns.setdefault(table, set()).add(column)
    columns["profile"].update(each.name for each in DECLARED.properties)
    return columns
