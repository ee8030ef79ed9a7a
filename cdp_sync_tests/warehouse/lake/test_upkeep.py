"""The upkeep of a lake: what it holds stays, files become fewer, and no reader misses one."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from cdp_sync.errors import WarehouseLocked, WarehouseUnusable
from cdp_sync.warehouse import Session
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.services import Service

if TYPE_CHECKING:
    from cdp_sync.warehouse.backend.lake import Lake

Values = dict[str, int]
QUERY = "select connection, value::integer from warehouse.watermark"
ALL = timedelta(days=365)
SOON = timedelta(days=2)


def write(session: Session, random: Random, held: Values) -> None:
    """Insert, update and delete rows in one transaction, and note the same in a dict."""
    session.execute("begin")
    for _ in range(random.randint(1, 3)):
        first, many = random.randrange(300), random.choice([3, 200])
        chosen = [f"c{number}" for number in range(first, first + many)]
        match random.choice(["insert", "update", "delete"]):
            case "insert":
                new = {name: random.randrange(1000) for name in chosen if name not in held}
                session.execute(
                    "insert into warehouse.watermark by name select unnest($names) as connection, "
                    "unnest($values)::text as value",
                    {"names": list(new), "values": list(new.values())},
                )
                held |= new
            case "update":
                session.execute(
                    "update warehouse.watermark set value = (value::integer + 1)::text "
                    "where list_contains($names, connection)",
                    {"names": chosen},
                )
                held |= {name: held[name] + 1 for name in chosen if name in held}
            case _:
                session.execute(
                    "delete from warehouse.watermark where list_contains($names, connection)", {"names": chosen}
                )
                for name in chosen:
                    held.pop(name, None)
    session.execute("commit")


def read(session: Session, *, version: int | None = None) -> Values:
    """Return what the lake holds, or held at a snapshot."""
    rows = session.rows(QUERY if version is None else f"{QUERY} at (version => {version})")
    assert len(rows) == len(dict(rows))
    return dict(rows)


def files(lake: "Lake") -> set[Path]:
    """Return the files of the lake's folder."""
    return {file for file in Path(lake.data).rglob("*") if file.is_file()}


def snapshot(session: Session) -> tuple[int, datetime]:
    """Return the number and the time of the latest snapshot."""
    number, at = session.row("from ducklake_snapshots('warehouse') select max(snapshot_id), max(snapshot_time)")
    return int(number), at


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_contents_stay(lake: "Lake", seed: int) -> None:
    """After any history the lake equals a dict, before and after each upkeep; afterwards no file is superfluous."""
    random, held = Random(seed), Values()
    for _ in range(3):
        with lake.open("write") as session:
            for _ in range(random.randint(2, 6)):
                write(session, random, held)
            assert read(session) == held
        lake.upkeep(datetime.now(UTC) + SOON, timedelta(days=1))
        with lake.open("read") as session:
            assert read(session) == held
    with lake.open("read") as session:
        known = session.row(
            """select count(data_file), count(delete_file)
            from ducklake_list_files('warehouse', 'watermark')"""
        )
    assert len([file for file in files(lake) if "watermark" in file.parts]) == sum(known)


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_states_that_are_kept_can_be_read(lake: "Lake", seed: int) -> None:
    """Each snapshot since a moment is as it was, although all replaced files are old enough to be removed."""
    random, held = Random(seed), Values()
    states: list[tuple[int, datetime, Values]] = []
    with lake.open("write") as session:
        for _ in range(8):
            write(session, random, held)
            states.append((*snapshot(session), dict(held)))
    now, (_, moment, _) = datetime.now(UTC) + SOON, states[3]
    lake.upkeep(now, now - moment)
    with lake.open("read") as session:
        assert [read(session, version=number) for number, _, _ in states[3:]] == [each for *_, each in states[3:]]
        assert session.value("select min(snapshot_id) from ducklake_snapshots('warehouse')") == states[3][0]


def test_files_become_fewer(lake: "Lake") -> None:
    """Small files of many transactions become one; the report counts them."""
    with lake.open("write") as session:
        for number in range(5):
            session.execute(
                f"insert into warehouse.watermark by name select 'c{number}_' || range as connection from range(100)"
            )
    before = [file for file in files(lake) if "watermark" in file.parts]
    done = lake.upkeep(datetime.now(UTC) + SOON, timedelta(days=1))
    after = [file for file in files(lake) if "watermark" in file.parts]
    assert (len(before), len(after), done["files merged"]) == (5, 1, 5)
    assert done["old files removed"] == 5
    assert done["former states removed"] >= 5
    with lake.open("read") as session:
        assert session.value("select count(*) from warehouse.watermark") == 500


def test_a_reader_goes_on(lake: "Lake") -> None:
    """A reader that began before writes and upkeep reads what it began with, to its end."""
    random, held = Random(SEED), Values()
    with lake.open("write") as session:
        for _ in range(5):
            write(session, random, held)
    began = dict(held)
    with lake.open("read") as reader:
        assert read(reader) == began
        with lake.open("write") as session:
            write(session, random, held)
        lake.upkeep(datetime.now(UTC), timedelta(days=1))
        assert read(reader) == began
    with lake.open("read") as reader:
        assert read(reader) == held != began


def test_upkeep_waits_for_its_turn(lake: "Lake") -> None:
    """While somebody writes it does nothing, and says who does after the time to wait."""
    with lake.open("write") as session:
        write(session, Random(SEED), {})
        before = files(lake)
        with pytest.raises(WarehouseLocked, match=f"process {os.getpid()}"):
            replace(lake, lock_timeout=0.2).upkeep(datetime.now(UTC) + SOON, timedelta(days=1))
        assert files(lake) == before


def test_unknown_files_go_after_a_day(lake: "Lake") -> None:
    """A file of a run that was killed while it wrote is removed once it is a day old."""
    with lake.open("write") as session:
        session.execute("insert into warehouse.watermark by name select range::text as connection from range(500)")
    (known,) = (file for file in files(lake) if "watermark" in file.parts)
    old, new = known.with_name("ducklake-old.parquet"), known.with_name("ducklake-new.parquet")
    for file in (old, new):
        file.write_bytes(known.read_bytes())
    os.utime(old, (0, 0))
    done = lake.upkeep(datetime.now(UTC), ALL)
    assert done["unknown files removed"] == 1
    assert not old.exists()
    assert {known, new} <= files(lake)


def test_a_new_lake_needs_a_place_of_its_own(server: Service, tmp_path: Path) -> None:
    """Files of another lake, or of a person, would be removed as unknown ones: no lake is made there."""
    from cdp_sync.warehouse.backend.lake import Lake

    (tmp_path / "files" / "photos").mkdir(parents=True)
    photo = tmp_path / "files" / "photos" / "cat.jpg"
    photo.touch()
    lake = Lake(tmp_path / "lake", 20, catalog=server.database("beside"), data=str(tmp_path / "files"))
    with pytest.raises(WarehouseUnusable, match="There are files in"), lake.open("write"):
        pass
    assert not lake.exists()
    photo.unlink()
    with lake.open("write"):
        assert lake.exists()
