"""`was` is declared late: the goal, or its connection, has run under both names, and nothing is there twice."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.exporting.exporter import Exporter
from cdp_sync_tests.exporting.exporter import goal as export_goal
from cdp_sync_tests.trail.importer import Importer, goal
from cdp_sync_tests.trail.test_data_exchange import EXPORTS, World, world

__all__ = ["world"]

LEDGER = """select profile_id, count(*)
from warehouse.exported_profile
join warehouse.exported_goal on number = goal_number
where goal = 'people'
group by profile_id
having count(*) > 1"""


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """Under its former name the goal exported Ann, Bob and Cid; under its new one Bob, anew, Cid and Dan."""
    made = Exporter(tmp_path / "shop", export_goal(name="out", segment="keen", file={"name": "a.csv"}))
    made.hold({"email": f"{name}@x", "name": name, "keen": name != "dan"} for name in ("ann", "bob", "cid", "dan"))
    assert made.counters().profiles_written == 3
    made.change("update warehouse.profile set keen = (name <> 'ann')")
    made.change("update warehouse.profile set name = 'Bobby' where name = 'bob'")
    made.goal = export_goal(name="people", segment="keen", file={"name": "a.csv"})
    assert made.counters().profiles_written == 3
    made.change("update warehouse.profile set keen = true")
    return made


def check_goes_on(exporter: Exporter) -> None:
    """Everybody is known as they were delivered last, under whichever name; a change is delivered."""
    counters = exporter.counters()
    assert (counters.profiles_same, counters.profiles_written) == (4, 0)
    exporter.change("update warehouse.profile set name = 'Anne' where name = 'ann'")
    assert exporter.counters().profiles_written == 1
    assert exporter.rows(LEDGER) == []
    assert exporter.rows("select goal from warehouse.exported_goal") == [("people",)]


def test_an_export_goal_that_ran_under_both_names(exporter: Exporter) -> None:
    """Its ledgers become one: what the new name delivered counts, and of others what the former one did."""
    assert adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    assert not adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    check_goes_on(exporter)


def test_two_numbers_of_one_export_goal_are_mended(exporter: Exporter) -> None:
    """As they were left by a version that renamed one and did not look for the other."""
    for table in ("exported_goal", "exported_file", "run"):
        exporter.change(f"update warehouse.{table} set goal = 'people'")
    assert adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    check_goes_on(exporter)


def test_a_connection_that_ran_under_both_names(world: World) -> None:
    """Each exchanged person is counted once, whichever run made the profile, and stays so in later runs."""
    world.bring("shop", "names", "/a", {"a@x", "b@x"})
    world.bring("desk", "names", "/a", {"b@x", "c@x"})
    world.bring("shop", "names", "/b", {"c@x", "d@x"})
    for connection in ("shop", "desk"):
        world.send(connection, EXPORTS[1])
    world.bring("desk", "names", "/c", {"e@x"})
    world.send("desk", EXPORTS[0])
    for name in ("names", "named", "all"):
        adopt(world.warehouse, ("desk", name), ("shop", None))
    for exchanged in (world.imported, world.exported):
        exchanged["desk"] |= exchanged["shop"]
        exchanged["shop"] = set()
    assert world.agrees(), (world.counts(), world.expected())
    world.bring("desk", "names", "/d", {f"{name}@x" for name in "abcdef"})
    for export in EXPORTS:
        world.send("desk", export)
    assert world.agrees(), (world.counts(), world.expected())


def test_keys_and_waiting_rows_of_both_names(tmp_path: Path) -> None:
    """Of a key that both have brought the last content counts; a row that waits under both waits once."""
    importer = Importer(tmp_path / "shop", goal=goal(name="people"))
    importer.deliver({"/people.csv": "Email,Name\nann@x,Ann\n"})
    declared = {"row_key": ["Email"], "allow_new_profiles": False}
    for name, brought in (("orders", "One"), ("invoices", "Two")):
        importer.goal = goal(name=name, **declared)
        report = importer.deliver({"/a.csv": f"Email,Name\nann@x,{brought}\nbob@x,Bob\n"})
        assert report.counters.rows_unmatched == 1
    assert adopt(importer.warehouse, ("shop", "invoices"), (None, "orders"))
    assert importer.rows("select count(*) from warehouse.keyed_row") == [(1,)]
    assert importer.rows("select goal, line from warehouse.waiting_row") == [("invoices", 3)]
    again = importer.deliver({"/b.csv": "Email,Name\nann@x,Two\n"}).counters
    assert (again.rows_unchanged, importer.column("first_name")) == (1, {"ann@x": "Two"})


def test_a_row_that_waits_for_what_the_other_name_has_landed(tmp_path: Path) -> None:
    """Its key is known by now: it waits no more."""
    importer = Importer(tmp_path / "shop", goal=goal(name="orders", row_key=["Email"], allow_new_profiles=False))
    importer.deliver({"/a.csv": "Email,Name\nann@x,Old\n"})
    importer.goal = goal(name="invoices", row_key=["Email"])
    importer.deliver({"/b.csv": "Email,Name\nann@x,New\n"})
    assert importer.rows("select count(*) from warehouse.waiting_row") == [(1,)]
    adopt(importer.warehouse, ("shop", "invoices"), (None, "orders"))
    assert importer.rows("select count(*) from warehouse.waiting_row") == [(0,)]


def test_lists_of_both_names(exporter: Exporter) -> None:
    """Who was put on a list under both is there once, as last known; of two intents the first counts."""
    for goal_name, hour in (("out", 1), ("people", 2)):
        began = f"timestamptz '2026-01-01 0{hour}:00:00+00'"
        exporter.change(
            f"""insert into warehouse.list_member
            select 'shop', '{goal_name}', profile_id, 'gold', 'email', '{goal_name}' || email from warehouse.profile
            where name in ('ann', '{"cid" if goal_name == "out" else "dan"}')"""
        )
        exporter.change(
            f"""insert into warehouse.list_intent
            select 'shop', '{goal_name}', profile_id, {began} from warehouse.profile where name = 'ann'"""
        )
    adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    members = exporter.rows("select goal, id from warehouse.list_member order by id")
    assert members == [("people", "outcid@x"), ("people", "peopleann@x"), ("people", "peopledan@x")]
    assert exporter.rows("select goal, began from warehouse.list_intent") == [
        ("people", datetime(2026, 1, 1, 1, tzinfo=UTC))
    ]
