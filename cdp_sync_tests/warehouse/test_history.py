"""Queries on the history: runs, profiles, quarantine and ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cdp_sync.model import Profiles
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.history import changed_profiles, goals_of_runs, profiles_named, quarantined
from cdp_sync.warehouse.ledger import known_files
from cdp_sync.warehouse.properties import sync_properties

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ADA = UUID("00000000-0000-7000-8000-000000000001")
BOB = UUID("00000000-0000-7000-8000-000000000002")
GONE = UUID("00000000-0000-7000-8000-000000000003")

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "customer_id", "identifier": True},
            {"name": "order"},
        ]
    }
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A warehouse with two live profiles that share a customer id, a merged one, and a history."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as opened:
        sync_properties(opened, PROFILES)
        profiles = [(ADA, "ada@x.nl", "C1", None), (BOB, "bob@x.nl", "C1", None), (GONE, "old@x.nl", "C9", ADA)]
        for who, email, customer, merged in profiles:
            opened.execute(
                "insert into warehouse.profile (profile_id, created_at, email, customer_id, merged_into) "
                "values (?, ?, ?, ?, ?)",
                [who, NOON, email, customer, merged],
            )
        for who, email, customer, _ in profiles[:2]:
            for name, value in (("email", email), ("customer_id", customer)):
                opened.execute("insert into warehouse.profile_identifier values (?, ?, ?)", [name, value, who])
        for number in range(12):
            change = ["run", ADA, "updated", NOON + timedelta(hours=number), ["order"]]
            opened.execute("insert into warehouse.profile_change values (?, ?, ?, ?, ?)", change)
        yield opened


def note_run(session: Session, run_id: str, goal: str, *, hours: int) -> None:
    """Insert a run of a goal."""
    session.execute(
        "insert into warehouse.run (run_id, connection, goal, state, started_at) values (?, 'shop', ?, 'success', ?)",
        [run_id, goal, NOON + timedelta(hours=hours)],
    )


def quarantine(session: Session, run_id: str, path: str, line: int, connection: str = "shop") -> None:
    """Insert a quarantined row."""
    columns = "run_id, connection, goal, path, line, field, value, raw, reason, kind"
    values = [run_id, connection, "customers", path, line, "Email", "x", "raw", "no reason", "rows_rejected"]
    session.execute(f"insert into warehouse.quarantine ({columns}) values ({', '.join('?' * 10)})", values)


def ids(session: Session, value: str) -> set[UUID]:
    """Return the ids of the profiles with this identifier or id."""
    return {profile["profile_id"] for profile in profiles_named(session, value)}


def test_a_profile_is_found_by_identifier_in_any_case_and_by_id(session: Session) -> None:
    """E-mail addresses are found in any case, ids exactly; surrounding blanks are ignored."""
    assert ids(session, " ADA@x.nl ") == {ADA}
    assert ids(session, f" {BOB} ") == {BOB}
    session.execute("insert into warehouse.profile_identifier values ('email', 'Öl@xn--bcher-kva.example', ?)", [ADA])
    assert ids(session, "Öl@BÜCHER.Example") == {ADA}
    assert ids(session, "öl@bücher.example") == set()


def test_all_profiles_with_an_identifier_are_found(session: Session) -> None:
    """All profiles with an identifier are found, each once."""
    assert ids(session, "C1") == {ADA, BOB}


def test_a_merged_profile_finds_the_live_one(session: Session) -> None:
    """The id of a profile that was merged into another one finds that one, and says so."""
    (found,) = profiles_named(session, str(GONE))
    assert (found["profile_id"], found["named_parts"]) == (ADA, [GONE])


def test_unknown_values_are_not_found(session: Session) -> None:
    """Unknown values name nobody."""
    assert [ids(session, value) for value in ("old@x.nl", "C9", "nobody", "", "'")] == [set()] * 5


def test_a_profile_has_its_properties_and_latest_changes(session: Session) -> None:
    """A profile has its properties and the ten latest changes, newest first."""
    (shown,) = profiles_named(session, "ada@x.nl")
    assert (shown["email"], shown["customer_id"], shown["order"]) == ("ada@x.nl", "C1", None)
    assert "merged_into" not in shown
    times = [change["changed_at"] for change in shown["changes"]]
    assert times == [NOON + timedelta(hours=hours) for hours in range(11, 1, -1)]
    assert shown["changes"][0]["properties"] == ["order"]


def test_goals_are_reported_by_run_in_order_of_start(session: Session) -> None:
    """Goals are returned by run in order of start; runs without goals are left out."""
    note_run(session, "one", "second", hours=2)
    note_run(session, "one", "first", hours=1)
    note_run(session, "two", "other", hours=0)
    found = goals_of_runs(session, ["one", "three"])
    assert {run: [goal["goal"] for goal in goals] for run, goals in found.items()} == {"one": ["first", "second"]}
    assert goals_of_runs(session, []) == {}


def test_a_change_has_its_goal_and_values(session: Session) -> None:
    """A change has its connection, goal and stored values, from the run of its own goal only."""
    for goal, hours in (("customers", 11), ("orders", 10)):
        note_run(session, "run", goal, hours=hours)
        values = ["run", "shop", goal, ADA, "updated", "order", None, goal]
        session.execute("insert into warehouse.changed_value values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    (shown,) = profiles_named(session, "ada@x.nl")
    first, second, third = shown["changes"][:3]
    assert (first["connection"], first["goal"], second["goal"], third["goal"]) == ("shop", "customers", "orders", None)
    assert first["changed"] == [{"property": "order", "before": None, "after": "customers"}]
    assert third["changed"] is None


def test_changed_profiles_are_reported_by_run_and_goal(session: Session) -> None:
    """Changed profiles are returned once for each run and goal, with their changes sorted by property."""
    for who, name in ((ADA, "order"), (ADA, "email"), (BOB, "order")):
        values = ["one", "shop", "customers", who, "updated", name, "x", None]
        session.execute("insert into warehouse.changed_value values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    found = changed_profiles(session, ["one", "two"])
    assert list(found) == [("one", "customers")]
    changes = [(each["profile_id"], each["kind"], len(each["changed"])) for each in found["one", "customers"]]
    assert changes == [(ADA, "updated", 2), (BOB, "updated", 1)]
    assert [change["property"] for change in found["one", "customers"][0]["changed"]] == ["email", "order"]


def test_the_view_has_a_row_for_each_goal_run(session: Session) -> None:
    """`run_goal` has a readable row for each goal of a run; its seconds include earlier steps."""
    note_run(session, "one", "customers", hours=0)
    session.execute(
        """update warehouse.run set ended_at = started_at + interval 2 seconds, direction = 'import', message = 'Done.',
        rows_rejected = 2, rows_unmatched = 0, rows_without_consent = 1, profiles_created = 3"""
    )
    columns = "connection, goal, direction, state, started_at, seconds, sentence, profiles_created, left_out, run_id"
    ask = f"select {columns} from warehouse.run_goal"
    expected = (
        "shop",
        "customers",
        "import",
        "finished",
        NOON,
        2.0,
        "Done.",
        3,
        "2 rejected, 1 without consent",
        "one",
    )
    assert session.rows(ask) == [expected]
    session.execute("update warehouse.run set seconds = 7.25, state = 'failed', rows_rejected = 0")
    session.execute("update warehouse.run set rows_without_consent = 0")
    assert session.rows("select state, seconds, left_out from warehouse.run_goal") == [("failed", 7.3, None)]


def test_the_quarantine_has_the_latest_import_of_each_file(session: Session) -> None:
    """The quarantine has the rows of each file's latest import."""
    note_run(session, "one", "customers", hours=0)
    note_run(session, "two", "customers", hours=1)
    for path in ("/in/a.csv", "/in/b.csv"):
        quarantine(session, "one", path, 2)
        quarantine(session, "one", path, 3)
    quarantine(session, "two", "/in/a.csv", 3)
    total, rows = quarantined(session, "shop", 10)
    assert total == 3
    assert [(row["path"], row["line"]) for row in rows] == [("/in/a.csv", 3), ("/in/b.csv", 2), ("/in/b.csv", 3)]


def test_a_file_that_was_corrected_leaves_quarantine(session: Session) -> None:
    """A file whose latest import had no problems is not in the quarantine."""
    note_run(session, "one", "customers", hours=0)
    quarantine(session, "one", "/in/a.csv", 2)
    note_run(session, "two", "customers", hours=1)
    session.execute(
        "insert into warehouse.imported_file (connection, goal, path, run_id, imported_at) "
        "values ('shop', 'customers', '/in/a.csv', 'two', ?)",
        [NOON + timedelta(hours=1)],
    )
    assert quarantined(session, "shop", 10) == (0, [])


def test_the_latest_import_is_the_last_written(session: Session) -> None:
    """The latest import or export is the last one written, also after the clock was set back."""
    note_run(session, "one", "customers", hours=5)
    quarantine(session, "one", "/in/a.csv", 2)
    quarantine(session, "one", "/in/b.csv", 2)
    note_run(session, "two", "customers", hours=0)
    quarantine(session, "two", "/in/b.csv", 3)
    for run, hours in (("one", 5), ("two", 0)):
        session.execute(
            "insert into warehouse.imported_file (connection, goal, path, run_id, imported_at) "
            "values ('shop', 'customers', '/in/a.csv', ?, ?)",
            [run, NOON + timedelta(hours=hours)],
        )
    note_run(session, "three", "audience", hours=5)
    quarantine(session, "three", "/out/c.csv", 1)
    note_run(session, "four", "audience", hours=0)
    session.execute("update warehouse.run set direction = 'export' where goal = 'audience'")
    total, rows = quarantined(session, "shop", 10)
    assert [(row["path"], row["line"]) for row in rows] == [("/in/b.csv", 3)]
    assert total == 1


def test_the_quarantine_is_counted_beyond_the_limit(session: Session) -> None:
    """The limit applies to the rows returned, not to the count; a connection has its own rows."""
    note_run(session, "one", "customers", hours=0)
    for line in range(5):
        quarantine(session, "one", "/in/a.csv", line)
    total, rows = quarantined(session, None, 2)
    assert (total, [row["line"] for row in rows]) == (5, [0, 1])
    assert quarantined(session, "other", 2) == (0, [])


def test_the_ledger_has_the_latest_import_of_each_path(session: Session) -> None:
    """The ledger has the latest import of each path, separately for each goal."""
    for hours, size, goal in ((0, 10, "customers"), (1, 20, "customers"), (2, 30, "orders")):
        session.execute(
            "insert into warehouse.imported_file "
            "(connection, goal, path, size, modified_at, sha256, fingerprint, imported_at, fields) "
            "values ('shop', ?, '/in/a.csv', ?, ?, 'sha', 'print', ?, ['Email'])",
            [goal, size, NOON, NOON + timedelta(hours=hours)],
        )
    (known,) = known_files(session, "shop", "customers").values()
    assert (known.path, known.size, known.modified_at, known.fields) == ("/in/a.csv", 20, NOON, ("Email",))
    assert known_files(session, "other", "customers") == {}
