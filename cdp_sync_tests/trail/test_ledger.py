"""The ledger's guarantees for sums and profiles: across upgrades, renamed goals and repeated rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import GoalFailed
from cdp_sync.importing.pipeline import import_files
from cdp_sync.importing.run import refuse_rivals
from cdp_sync.model import FileGoal, ImportReport, SftpConnection, SftpServer, fingerprint
from cdp_sync.warehouse.backend import migrations
from cdp_sync.warehouse.history import quarantined
from cdp_sync.warehouse.renaming import adopt, rival_problems
from cdp_sync_tests.trail.importer import NOON, PROFILES, Importer, arrived, check_adds_up, goal

ORDERS = "Email,Amount\nann@x,10\nann@x,5\nbob@x,7\n"
PATH = "/inbox/orders.csv"


def sums(**declared: Any) -> FileGoal:
    """Return a goal that sums amounts."""
    mapping = [{"field": "Amount", "property": "order_total", "mode": "sum"}]
    return goal(**{"name": "orders", "map": mapping, **declared})


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """Runs of the goal `orders`."""
    return Importer(tmp_path / "shop", goal=sums())


def totals(importer: Importer) -> dict[str, float]:
    """Return the sum of each profile."""
    return {email: float(total) for email, total in importer.column("order_total").items() if total is not None}


def check_against_rivals(importer: Importer) -> None:
    """Check, as a run does, whether another goal has summed the file."""
    refuse_rivals(importer.new_run(), [(PATH, len(ORDERS), NOON)])


def test_a_ledger_of_version_5_guards_its_rows(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a former version applied are unchanged and summed once, also under a changed declaration."""
    every = migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr("cdp_sync.warehouse.backend.migrating.migrations", lambda: every[:5])
        with importer.warehouse.open("write") as session:
            session.execute(
                """insert into warehouse.imported_file by name
                select 'shop' as connection, 'orders' as goal, $path as path, 1 as size,
                    now() as modified_at, '' as sha256, $fingerprint as fingerprint, 'r' as run_id,
                    now() as imported_at, uuid() as source,
                    ['Email', 'Amount'] as fields""",
                {"path": PATH, "fingerprint": fingerprint(importer.goal, PROFILES)},
            )
            session.execute(
                """insert into warehouse.imported_row
                select source, md5_number(concat_ws(chr(31), email, amount)), true, ['order_total']
                from warehouse.imported_file,
                    (values ('ann@x', '10'), ('ann@x', '5'), ('bob@x', '7')) r(email, amount)"""
            )
    counters = importer.deliver({PATH: ORDERS + "cid@x,1\n"}).counters
    assert (counters.rows_unchanged, counters.rows_applied) == (3, 1)
    importer.goal = sums(blocked_values=["guest"])
    assert importer.deliver({PATH: ORDERS + "cid@x,1\n"}).counters.rows_applied == 4
    assert totals(importer) == {"cid@x": 1}


def test_a_renamed_goal_with_was_keeps_its_ledger(importer: Importer) -> None:
    """The same files are unchanged under the new name, including rows with keys."""
    importer.deliver({PATH: ORDERS})
    importer.goal = sums(name="invoices", was="orders")
    assert adopt(importer.warehouse, ("shop", "invoices"), (None, "orders"))
    assert not adopt(importer.warehouse, ("shop", "invoices"), (None, "orders"))
    check_against_rivals(importer)
    counters = importer.deliver({PATH: ORDERS + "ann@x,1\n"}).counters
    assert (counters.rows_unchanged, counters.rows_applied) == (3, 1)
    assert totals(importer) == {"ann@x": 16, "bob@x": 7}
    assert {goal for (goal,) in importer.rows("select goal from warehouse.run")} == {"invoices"}


def test_a_renamed_connection_with_was_keeps_its_ledger(importer: Importer) -> None:
    """Files, row keys and imported profiles move to the new name."""
    importer.goal = sums(row_key=["Email", "Amount"])
    importer.deliver({PATH: ORDERS})
    importer.connection = "store"
    assert adopt(importer.warehouse, ("store", "orders"), ("shop", None))
    check_against_rivals(importer)
    report = importer.deliver({"/inbox/more.csv": ORDERS})
    assert report.counters.rows_unchanged == 3
    assert report.profiles_ever_imported == 2
    assert totals(importer) == {"ann@x": 15, "bob@x": 7}


@pytest.mark.parametrize(
    ("connection", "name", "way_out"), [("shop", "invoices", "orders"), ("store", "orders", "shop")]
)
def test_a_renamed_goal_without_was_is_refused(importer: Importer, connection: str, name: str, way_out: str) -> None:
    """A run and a check name both goals and both remedies; nothing is summed twice."""
    importer.deliver({PATH: ORDERS}, at=NOON)
    importer.connection, importer.goal = connection, sums(name=name)
    with pytest.raises(GoalFailed) as refused:
        check_against_rivals(importer)
    assert f"{connection}/{name} reads files that shop/orders has imported" in str(refused.value)
    assert f"`was: {way_out}`" in str(refused.value)
    assert "different properties" in str(refused.value)
    with importer.warehouse.open("read") as session:
        assert rival_problems(session, [declared(importer)], importer.profiles) == [str(refused.value)]


def declared(importer: Importer) -> SftpConnection:
    """Return the declaration of the importer's connection."""
    server = SftpServer(host="127.0.0.1", username="shop", password_env="SHOP", host_key="SHA256:" + "A" * 43)
    return SftpConnection(name=importer.connection, server=server, import_profiles=[importer.goal])


@pytest.mark.parametrize(
    "other",
    [
        sums(name="invoices", link=[{"field": "Email", "property": "customer_id"}]),
        sums(name="invoices", map=[{"field": "Amount", "property": "order_count", "mode": "sum"}]),
        sums(name="invoices", map=[{"field": "Amount", "property": "order_total"}]),
    ],
    ids=["other links", "other sums", "no sums"],
)
def test_goals_that_sum_otherwise_may_read_the_same_files(importer: Importer, other: FileGoal) -> None:
    """Two goals may read the same files unless they would add the same amounts."""
    importer.deliver({PATH: ORDERS})
    importer.goal = other
    check_against_rivals(importer)


def test_the_same_path_on_another_server_is_another_file(importer: Importer) -> None:
    """Files of another connection are the same only if size and time are equal as well."""
    importer.deliver({PATH: ORDERS})
    importer.connection = "branch"
    refuse_rivals(importer.new_run(), [(PATH, len(ORDERS) + 1, NOON)])


def test_a_redelivery_with_corrections_warns(importer: Importer) -> None:
    """A corrected amount is added as well, and the warning names both declarations."""
    importer.deliver({PATH: ORDERS})
    report = importer.deliver({PATH: ORDERS.replace("ann@x,10", "ann@x,12")})
    assert totals(importer) == {"ann@x": 27, "bob@x": 7}
    (warning,) = report.warnings
    assert warning.startswith("1 ")
    assert "`row_key`" in warning
    assert "`redelivered: replaces`" in warning


@pytest.mark.parametrize("content", [ORDERS + "ann@x,3\n", ORDERS.replace("bob@x,7\n", ""), ORDERS + "cid@x,1\n"])
def test_a_redelivery_without_corrections_does_not_warn(importer: Importer, content: str) -> None:
    """Rows that were only added or only removed are no corrections."""
    importer.deliver({PATH: ORDERS})
    assert importer.deliver({PATH: content}).warnings == ()


def test_changing_redelivered_doubles_no_sum(importer: Importer) -> None:
    """Changing from adds to replaces and back, with a correction each time, sums each amount once."""
    importer.deliver({PATH: ORDERS})
    importer.goal = sums(redelivered="replaces")
    importer.deliver({PATH: ORDERS.replace("ann@x,10", "ann@x,12")})
    assert totals(importer) == {"ann@x": 17, "bob@x": 7}
    importer.goal = sums()
    assert again(importer, {PATH: ORDERS.replace("ann@x,10", "ann@x,12")}).counters.rows_applied == 3
    assert totals(importer) == {"ann@x": 17, "bob@x": 7}


def again(importer: Importer, files: dict[str, str]) -> ImportReport:
    """Import files as `--again` does."""
    run = replace(importer.new_run(), again=True)
    return import_files(run, arrived(importer.folder / run.run_id, files))


def test_again_leaves_rows_with_their_profiles(importer: Importer) -> None:
    """A row that landed on another profile, as its address was in use, creates none when it is repeated."""
    links = [{"field": "Email", "property": "email"}, {"field": "Id", "property": "customer_id"}]
    importer.goal = sums(link=links)
    files = {PATH: "Email,Id,Amount\nben@x,1,10\nben.stone@x,1,5\n"}
    importer.deliver(files)
    people = importer.rows("select profile_id from warehouse.profile")
    report = again(importer, files)
    check_adds_up(report)
    assert (report.counters.rows_applied, report.counters.profiles_created) == (2, 0)
    assert importer.rows("select profile_id from warehouse.profile") == people
    assert [float(total) for (total,) in importer.rows("select order_total from warehouse.profile")] == [15]


def test_a_row_key_needs_its_column(importer: Importer) -> None:
    """A file without the column of the row key fails, and the column is named."""
    importer.goal = sums(row_key=["OrderId"])
    report = importer.deliver({PATH: ORDERS})
    assert report.state == "failed"
    assert "'OrderId'" in report.message
    assert totals(importer) == {}


def test_a_clock_set_back_changes_nothing(importer: Importer) -> None:
    """The latest import counts after the clock was set back: a corrected value is not quarantined again."""
    importer.deliver({PATH: ORDERS + "cat@x,much\n"})
    with importer.warehouse.open("write") as session:  # as if the clock had been a day ahead
        session.execute("update warehouse.run set started_at = started_at + interval 1 day")
        session.execute("update warehouse.imported_file set imported_at = imported_at + interval 1 day")
        assert quarantined(session, "shop", 10)[0] == 1
    assert importer.deliver({PATH: ORDERS + "cat@x,3\n"}).counters.rows_applied == 1
    with importer.warehouse.open("read") as session:
        assert quarantined(session, "shop", 10) == (0, [])
    again = importer.deliver({PATH: ORDERS + "cat@x,3\n"})
    assert [file.state for file in again.files] == ["unchanged"]
    assert totals(importer) == {"ann@x": 15, "bob@x": 7, "cat@x": 3}
