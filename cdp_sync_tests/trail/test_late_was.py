"""`was` is declared after the goal or its connection has run under both names, and nothing counts twice."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.exporting.exporter import Exporter
from cdp_sync_tests.exporting.exporter import goal as export_goal
from cdp_sync_tests.trail.importer import Importer, goal
from cdp_sync_tests.trail.test_data_exchange import EXPORTS, Exchanges, exchanges

__all__ = ["exchanges"]

LEDGER = """select profile_id, count(*)
from warehouse.exported_profile
join warehouse.exported_goal on number = goal_number
where goal = 'people'
group by profile_id
having count(*) > 1"""


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """Exported Ann, Bob and Cid under the former name; Bob again, Cid and Dan under the new one."""
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
    """Every profile has its last delivery under either name, and a change is delivered."""
    counters = exporter.counters()
    assert (counters.profiles_same, counters.profiles_written) == (4, 0)
    exporter.change("update warehouse.profile set name = 'Anne' where name = 'ann'")
    assert exporter.counters().profiles_written == 1
    assert exporter.rows(LEDGER) == []
    assert exporter.rows("select goal from warehouse.exported_goal") == [("people",)]


def test_an_export_goal_that_ran_under_both_names(exporter: Exporter) -> None:
    """The ledgers are merged: the new name's deliveries count before the former name's."""
    assert adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    assert not adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    check_goes_on(exporter)


def test_two_entries_of_one_export_goal_are_merged(exporter: Exporter) -> None:
    """Two ledger entries that a former version left for one export goal are merged."""
    for table in ("exported_goal", "exported_file", "run"):
        exporter.change(f"update warehouse.{table} set goal = 'people'")
    assert adopt(exporter.warehouse, ("shop", "people"), (None, "out"))
    check_goes_on(exporter)


def test_a_connection_that_ran_under_both_names(exchanges: Exchanges) -> None:
    """Each exchanged profile counts once, also in later runs, whichever run created it."""
    exchanges.import_people("shop", "names", "/a", {"a@x", "b@x"})
    exchanges.import_people("desk", "names", "/a", {"b@x", "c@x"})
    exchanges.import_people("shop", "names", "/b", {"c@x", "d@x"})
    for connection in ("shop", "desk"):
        exchanges.export_people(connection, EXPORTS[1])
    exchanges.import_people("desk", "names", "/c", {"e@x"})
    exchanges.export_people("desk", EXPORTS[0])
    for name in ("names", "named", "all"):
        adopt(exchanges.warehouse, ("desk", name), ("shop", None))
    for exchanged in (exchanges.imported, exchanges.exported):
        exchanged["desk"] |= exchanged["shop"]
        exchanged["shop"] = set()
    assert exchanges.counts_agree(), (exchanges.counts(), exchanges.expected())
    exchanges.import_people("desk", "names", "/d", {f"{name}@x" for name in "abcdef"})
    for export in EXPORTS:
        exchanges.export_people("desk", export)
    assert exchanges.counts_agree(), (exchanges.counts(), exchanges.expected())


def test_keys_and_waiting_rows_of_both_names(tmp_path: Path) -> None:
    """Of a row key under both names the last content counts; a row that waits under both waits once."""
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


def test_a_row_whose_key_the_other_name_imported_stops_waiting(tmp_path: Path) -> None:
    """A row whose key the other name has imported stops waiting."""
    importer = Importer(tmp_path / "shop", goal=goal(name="orders", row_key=["Email"], allow_new_profiles=False))
    importer.deliver({"/a.csv": "Email,Name\nann@x,Old\n"})
    importer.goal = goal(name="invoices", row_key=["Email"])
    importer.deliver({"/b.csv": "Email,Name\nann@x,New\n"})
    assert importer.rows("select count(*) from warehouse.waiting_row") == [(1,)]
    adopt(importer.warehouse, ("shop", "invoices"), (None, "orders"))
    assert importer.rows("select count(*) from warehouse.waiting_row") == [(0,)]


def test_forgotten_users_of_a_renamed_connection(exporter: Exporter) -> None:
    """They stay known under the new name."""
    exporter.change("insert into warehouse.forgotten_user values ('old', 'digest')")
    exporter.change("insert into warehouse.exported_goal values ('old', 'out', 7)")
    adopt(exporter.warehouse, ("shop", "out"), ("old", None))
    assert exporter.rows("select * from warehouse.forgotten_user") == [("shop", "digest")]


def test_lists_of_both_names(exporter: Exporter) -> None:
    """A list member under both names is stored once, as last known; of two intents the first counts."""
    for goal_name, hour in (("out", 1), ("people", 2)):
        began = f"timestamptz '2026-01-01 0{hour}:00:00+00'"
        exporter.change(
            f"""insert into warehouse.list_member (connection, goal, profile_id, list, key, id)
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
