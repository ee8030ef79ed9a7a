"""A warehouse that is dumped and restored is the same in every table; whatever is wrong, nothing is restored."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_sync.errors import CdpSyncError, DumpUnusable, FilesInTheWay, WarehouseUnusable
from cdp_sync.model import Profiles
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse import Session, Warehouse, sync_events, sync_groups, sync_properties
from cdp_sync.warehouse.dumping import dump, restore
from cdp_sync.warehouse.dumping.dump import dumped_tables
from cdp_sync_tests.lakes import running_lakes

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "tags", "multiple": True},
            {"name": "total", "type": "decimal"},
        ],
        "event_types": [
            {
                "name": "order",
                "properties": [
                    {"name": "select"},
                    {"name": "products", "items": [{"name": "id"}, {"name": "price", "type": "decimal"}]},
                ],
            }
        ],
        "group_types": [{"name": "store", "properties": [{"name": "city"}]}],
    }
)  # fmt: skip

FILLED = (
    """insert into warehouse.profile by name
    select uuid() as profile_id, '2026-01-01'::timestamptz + to_seconds(range) as created_at,
        'user' || range || '@example.com' as email, ['a', null, 'ü'] as tags, range / 8 as total
    from range(3000)""",
    """insert into warehouse.profile_identifier
    select 'email', email, profile_id from warehouse.profile order by email""",
    """insert into warehouse.event_order by name
    select 'o' || range as event_id, if(range = 1, 'infinity', '2026-01-01')::timestamptz as happened_at,
        'x' as "select", if(range % 2 = 0, null, [{'id': 'p', 'price': 0.0001}, null]) as products
    from range(500)""",
    "insert into warehouse.group_store by name select uuid() as group_store_id, 's1' as group_id, 'Köln' as city",
    "update warehouse.revision set number = 7",
)


def filled(path: Path) -> Warehouse:
    """Return a warehouse with profiles, events and groups."""
    made = Warehouse(path)
    with made.open("write") as session:
        sync_properties(session, PROFILES)
        sync_events(session, PROFILES)
        for group in PROFILES.group_types:
            sync_groups(session, group)
        key = PROFILES.group_types[0].key
        for sql in FILLED:
            session.execute(sql.replace("group_store_id", key))
    return made


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, Path]:
    """A warehouse, and its dump."""
    place = tmp_path_factory.mktemp("source")
    made = filled(place / "warehouse.duckdb")
    dump(made, place / "dump", str)
    return made, place / "dump"


@pytest.fixture
def copied(source: tuple[Warehouse, Path], tmp_path: Path) -> Path:
    """A copy of the dump, to be damaged."""
    target = tmp_path / "dump"
    target.mkdir()
    for file in source[1].iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the rows of every table and view, as DuckDB writes them, sorted; read without the product's digests."""
    with warehouse.open("read") as session:
        names = session.rows("select view_name from duckdb_views() where database_name = 'warehouse' and not internal")
        every = [*dumped_tables(session), *(name for (name,) in names)]
        return {name: _rows(session, name) for name in every}


def _rows(session: Session, name: str) -> list[str]:
    return sorted(map(str, session.rows(f"from warehouse.{quote_identifier(name)}")))


def test_everything_is_the_same(source: tuple[Warehouse, Path], tmp_path: Path) -> None:
    """Tables of every kind, views and columns; a dump of the copy has the same manifest."""
    made, folder = source
    target = Warehouse(tmp_path / "target" / "warehouse.duckdb")
    seen: list[str] = []
    manifest = restore(target, folder, lambda table: seen.append(table.name))
    assert contents(target) == contents(made)
    assert {"profile", "event_order", "group_store", "profile_touch"} <= set(seen)
    assert manifest.rows > 6500
    assert dump(target, tmp_path / "again", str) == manifest
    with target.open("write") as session:
        sync_properties(session, PROFILES)
        assert session.value("select number from warehouse.revision") == 7


def test_columns_keep_their_order(tmp_path: Path) -> None:
    """Properties that stand between the columns of later migrations stand there again."""
    made = filled(tmp_path / "warehouse.duckdb")
    with made.open("write") as session:
        session.execute("alter table warehouse.profile drop column merged_into")
        session.execute("alter table warehouse.profile add column merged_into uuid")
    manifest = dump(made, tmp_path / "dump", str)
    restored = Warehouse(tmp_path / "target" / "warehouse.duckdb")
    restore(restored, tmp_path / "dump", str)
    columns = next(list(table.columns) for table in manifest.tables if table.name == "profile")
    with restored.open("read") as session:
        assert [name for name, *_ in session.rows("describe warehouse.profile")] == columns
        assert session.value("select count(*) from warehouse.live_profile") == 3000


def test_a_dump_is_for_its_owner_alone(source: tuple[Warehouse, Path]) -> None:
    """It holds personal data."""
    assert {file.stat().st_mode & 0o077 for file in (source[1], *source[1].iterdir())} == {0}


def test_a_folder_with_files_is_left_alone(source: tuple[Warehouse, Path], tmp_path: Path) -> None:
    """Files of two dumps would be mixed."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FilesInTheWay, match="is not empty"):
        dump(source[0], tmp_path, str)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_without_a_warehouse_nothing_is_dumped(tmp_path: Path) -> None:
    """An empty dump of a wrong setting would be taken for the whole."""
    with pytest.raises(WarehouseUnusable, match="There is no warehouse yet"):
        dump(Warehouse(tmp_path / "none.duckdb"), tmp_path / "dump", str)
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_that_has_data_is_left_alone(source: tuple[Warehouse, Path]) -> None:
    """Restoring into it would replace what it has."""
    before = contents(source[0])
    with pytest.raises(WarehouseUnusable, match="is not empty"):
        restore(source[0], source[1], str)
    assert contents(source[0]) == before


def _reword(folder: Path, old: str, new: str) -> None:
    file = folder / "manifest.json"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _rewrite(folder: Path, query: str) -> None:
    """Write the file of events anew."""
    file = folder / "event_order.parquet"
    with Warehouse(folder / "none.duckdb").open("none") as session:
        session.execute(f"create table rows as from read_parquet('{file}')")
        session.execute(f"copy ({query}) to '{file}' (format parquet)")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not finished": (lambda folder: (folder / "manifest.json").unlink(), "has no manifest.json"),
    "manifest cut off": (
        lambda folder: (folder / "manifest.json").write_text('{"format": 1, "ver', encoding="utf-8"),
        "is damaged",
    ),
    "another format": (lambda folder: _reword(folder, '"format": 1', '"format": 2'), "has the format 2"),
    "another version": (lambda folder: _reword(folder, '"version": ', '"version": 9'), "of version 9"),
    "file missing": (lambda folder: (folder / "event_order.parquet").unlink(), "event_order.parquet is missing"),
    "file cut off": (
        lambda folder: (folder / "event_order.parquet").write_bytes(
            (folder / "event_order.parquet").read_bytes()[:-100]
        ),
        "cannot be read",
    ),
    "file empty": (lambda folder: (folder / "event_order.parquet").write_bytes(b""), "cannot be read"),
    "row missing": (lambda folder: _rewrite(folder, "from rows where event_id <> 'o3'"), "has 499 rows, not 500"),
    "row twice": (
        lambda folder: _rewrite(folder, "from rows union all from rows where event_id = 'o3'"),
        "has 501 rows, not 500",
    ),
    "cell changed": (
        lambda folder: _rewrite(
            folder, "select * replace (if(event_id = 'o3', 'y', \"select\") as \"select\") from rows"
        ),
        "has other values",
    ),
    "cell null": (
        lambda folder: _rewrite(folder, "select * replace (if(event_id = 'o3', null, products) as products) from rows"),
        "has other values",
    ),
    "a type that no file holds": (lambda folder: _reword(folder, '"UUID"', '"HUGEINT"'), "has the type HUGEINT"),
    "statements for a type": (
        lambda folder: _reword(folder, '"UUID"', '"UUID); drop table warehouse.run; --"'),
        "has the type",
    ),
    "a path for a name": (lambda folder: _reword(folder, '"event_order"', '"../event_order"'), "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_of_a_damaged_dump_is_restored(
    copied: Path, tmp_path: Path, source: tuple[Warehouse, Path], damage: str
) -> None:
    """The error says what is wrong; the warehouse has nothing of it, and takes the whole dump afterwards."""
    do, message = DAMAGES[damage]
    do(copied)
    target = Warehouse(tmp_path / "target" / "warehouse.duckdb")
    with pytest.raises(DumpUnusable, match=message) as raised:
        restore(target, copied, str)
    assert raised.value.remedy
    if target.exists():
        with target.open("read") as session:
            assert session.value("select count(*) from warehouse.profile") == 0
    restore(target, source[1], str)
    assert contents(target) == contents(source[0])


KILLED = """
import sys
from pathlib import Path
from cdp_sync.warehouse.backend import named_warehouse, warehouse_setting
from cdp_sync.warehouse.dumping import dump, restore

def done(table):
    if table.name == "profile":
        print("half", flush=True)
        sys.stdin.read()

move = {"dump": dump, "restore": restore}[sys.argv[1]]
folder = Path(sys.argv[2])
move(named_warehouse(warehouse_setting(folder), folder), Path(sys.argv[3]), done)
"""


def _killed_half_way(move: str, warehouse: Warehouse, folder: Path) -> None:
    lakes = running_lakes()
    settings = lakes.settings(warehouse.path) if lakes else {"CDP_SYNC_WAREHOUSE": str(warehouse.path)}
    command = [sys.executable, "-c", KILLED, move, str(warehouse.path.parent), str(folder)]
    environment = {**os.environ, **settings}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)


def test_a_killed_restore_leaves_an_empty_warehouse(source: tuple[Warehouse, Path], tmp_path: Path) -> None:
    """Restored again, it is whole."""
    target = Warehouse(tmp_path / "target" / "warehouse.duckdb")
    _killed_half_way("restore", target, source[1])
    with target.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 0
        assert session.value("select number from warehouse.revision") == 0
    restore(target, source[1], str)
    assert contents(target) == contents(source[0])


def test_a_killed_dump_is_none(source: tuple[Warehouse, Path], tmp_path: Path) -> None:
    """It has no manifest, so that it is not taken for whole."""
    _killed_half_way("dump", source[0], tmp_path / "dump")
    with pytest.raises(DumpUnusable, match=r"has no manifest\.json"):
        restore(Warehouse(tmp_path / "target.duckdb"), tmp_path / "dump", str)


def test_a_full_disk_ends_a_dump(source: tuple[Warehouse, Path], small: Callable[[int], Path]) -> None:
    """The error names the disk, and what is there is not taken for whole."""
    folder = small(1) / "dump"
    (folder.parent / "ballast").write_bytes(bytes(1_040_000))
    with pytest.raises(CdpSyncError, match=r"no room|cannot be written"):
        dump(source[0], folder, str)
    with pytest.raises(DumpUnusable):
        restore(Warehouse(folder.parent / "none.duckdb"), folder, str)


def test_a_manifest_reads_as_it_was_written(source: tuple[Warehouse, Path]) -> None:
    """Programs read it, too."""
    found = json.loads((source[1] / "manifest.json").read_text(encoding="utf-8"))
    tables = {each["name"]: each for each in found["tables"]}
    assert tables["profile"]["rows"] == 3000
    assert list(tables["group_store"]["columns"])[:2] == [PROFILES.group_types[0].key, "group_id"]
