"""End-to-end export of events: imported, exported to OpenSSH, and imported again into another warehouse."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.exporting import EventRun, export_events
from cdp_sync.model import EventCounters, EventExportGoal, EventExportReport, FileGoal, Profiles
from cdp_sync_tests.exporting.exporter import Deadly, Killed
from cdp_sync_tests.trail.importer import Importer, check_adds_up
from cdp_sync_tests.trail.test_trail import CHINOOK, CUSTOMERS, PROPERTIES, inbox, openssh, read, server_of

__all__ = ["inbox", "openssh"]

VISIT = {
    "name": "visit",
    "properties": [
        {"name": "page"},
        {"name": "tags", "multiple": True},
        {
            "name": "seen",
            "items": [{"name": "sku", "identifier": True}, {"name": "note"}, {"name": "at", "type": "date"}],
        },
    ],
}
PROFILES = Profiles.model_validate({"properties": PROPERTIES, "event_types": ["order", VISIT]})
BY_CUSTOMER = [{"field": "CustomerId", "property": "customer_id"}]
ORDERS = {
    "name": "orders",
    "files": "Invoice.csv",
    "link": BY_CUSTOMER,
    "allow_new_profiles": False,
    "events": [
        {
            "type": "order",
            "id": "InvoiceId",
            "time": "InvoiceDate",
            "map": [
                {"field": "Total", "property": "total_revenue"},
                {"field": "BillingCity", "property": "affiliation"},
            ],
        }
    ],
}
LINES = {
    "name": "lines",
    "files": "InvoiceLine.csv",
    "events": [
        {
            "type": "order",
            "id": "InvoiceId",
            "items": {
                "products": {
                    "id": "InvoiceLineId",
                    "map": [
                        {"field": "TrackId", "property": "name"},
                        {"field": "UnitPrice", "property": "netprice"},
                        {"field": "Quantity", "property": "quantity"},
                    ],
                }
            },
        }
    ],
}
PRODUCT = ("id", "name", "quantity", "netprice")
BACK = {
    "link": [{"field": "email", "property": "email"}],
    "allow_new_profiles": False,
}
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@dataclass
class Sides:
    """The warehouse that exports over OpenSSH, and one that imports what arrives."""

    folder: Path
    inbox: Path
    client: SftpClient
    runs: int = 0

    def __post_init__(self) -> None:
        """Create the folder of exported files, and let both warehouses know the customers."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir()
        (self.inbox / "Customer.csv").write_bytes((CHINOOK / "Customer.csv").read_bytes())
        self.here = self.importer("here", CUSTOMERS)
        self.there = self.importer("there", CUSTOMERS)
        for side in (self.here, self.there):
            side.fetch(self.client)

    def importer(self, side: str, goal: dict[str, Any], folder: Path | None = None) -> Importer:
        """Return a goal of one side, over the inbox unless another folder is given."""
        self.runs += 1
        declared = FileGoal.model_validate(
            goal | {"directory": str(folder or self.inbox), "complete": {"settle_seconds": 0}}
        )
        return Importer(self.folder / side, declared, PROFILES, runs=self.runs * 100)

    def bring(self, side: str, goal: dict[str, Any], folder: Path | None = None) -> None:
        """Import the files of a goal."""
        report = self.importer(side, goal, folder).fetch(self.client)
        check_adds_up(report)
        assert report.state == "success", report.message

    def next(self, **goal: Any) -> EventRun:
        """Return the next run of an export goal."""
        self.runs += 1
        own = self.folder / f"export{self.runs}"
        own.mkdir()
        return EventRun(
            run_id=own.name,
            connection="esp",
            goal=EventExportGoal.model_validate({"name": "out", "directory": str(self.outbox)} | goal),
            profiles=PROFILES,
            objectives=(),
            warehouse=self.here.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=NOW,
        )

    def export(self, **goal: Any) -> EventExportReport:
        """Run an export goal over OpenSSH."""
        report = export_events(self.next(**goal), self.client, self.folder / "uploads")
        assert report.counters.add_up
        return report

    def events(self, side: str, kind: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return the events of a side with the addresses of their people."""
        query = f"""
            select event_id, email, happened_at, {", ".join(columns)}
            from warehouse.event_{kind}
            join warehouse.live_profile using (profile_id)
            order by event_id"""
        return getattr(self, side).rows(query)


@pytest.fixture(name="sides")
def sides(openssh: Any, inbox: Path, tmp_path: Path) -> Iterator[Sides]:
    """Both sides, before any event."""
    with SftpClient(server_of(openssh)) as client:
        yield Sides(tmp_path, inbox, client)


def test_orders_come_back_as_they_were(sides: Sides) -> None:
    """Orders with their lines, exported with a JSON column and imported again, are the same orders."""
    for name, goal in (("InvoiceLine.csv", LINES), ("Invoice.csv", ORDERS)):
        (sides.inbox / name).write_bytes((CHINOOK / name).read_bytes())
        sides.bring("here", goal)
    orders = len(read("Invoice.csv"))
    columns = [
        {"field": "email", "property": "email"},
        {"field": "id", "event_id": True},
        {"field": "time", "happened_at": True},
        *({"field": name, "event": name} for name in ("total_revenue", "affiliation", "products")),
    ]
    exported = {"events": ["order"], "map": columns, "file": {"name": "orders.csv", "compress": "gzip"}}
    assert sides.export(**exported).counters == EventCounters(events_in_window=orders, events_written=orders)
    assert sides.export(**exported).files == ()

    products = {"field": "products", "map": [{"field": name, "property": name} for name in PRODUCT]}
    values = [{"field": name, "property": name} for name in ("total_revenue", "affiliation")]
    event = {"type": "order", "id": "id", "time": "time", "map": values, "items": {"products": products}}
    sides.bring("there", {"name": "back", "files": "orders_*.csv.gz", **BACK, "events": [event]}, sides.outbox)
    shown = ("total_revenue", "affiliation", "list_sort(products)")
    found = sides.events("there", "order", *shown)
    assert found == sides.events("here", "order", *shown)
    assert (len(found), sum(len(row[-1]) for row in found)) == (orders, len(read("InvoiceLine.csv")))


AWKWARD = ('say "hi"', "a,b;c|d\te", "line\nbreak", "=1+1", "{}[]\\u0000", "Jürgen 😀", "null", "ﬀ", "\\N", "'")


@pytest.mark.parametrize("form", [{}, {"separator": "\t", "decimal": ",", "quote": "all"}])
def test_awkward_values_come_back(form: dict[str, Any], sides: Sides) -> None:
    """Quotes, separators, line breaks and JSON in values and items survive both ways, in a file of each day."""
    with (sides.inbox / "visits.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", "id", "time", "page", "seen"])
        for number, (person, page) in enumerate(zip(read("Customer.csv"), AWKWARD, strict=False)):
            seen = json.dumps([{"sku": page, "note": page, "at": "2026-02-28"}])
            rows.writerow([person["Email"], f"v{number}", f"2026-11-{number + 10}T23:59:59.999999Z", page, seen])
    items = {"field": "seen", "map": [{"field": name, "property": name} for name in ("sku", "note", "at")]}
    page = {"field": "page", "property": "page"}
    events = [{"type": "visit", "id": "id", "time": "time", "map": [page], "items": {"seen": items}}]
    sides.bring("here", {"name": "visits", "files": "visits.csv", **BACK, "events": events})

    columns = [
        {"field": "email", "property": "email"},
        {"field": "id", "event_id": True},
        {"field": "time", "happened_at": True},
        {"field": "page", "event": "page"},
        {"field": "seen", "event": "seen"},
    ]
    daily = {"window": "day", "file": {"name": "visits.csv"}}
    assert len(sides.export(events=["visit"], map=columns, format=form, **daily).files) == len(AWKWARD)
    read_as = {name: value for name, value in form.items() if name != "quote"}
    sides.bring(
        "there", {"name": "back", "files": "visits_*.csv", "format": read_as, **BACK, "events": events}, sides.outbox
    )
    found = sides.events("there", "visit", "page", "seen")
    assert found == sides.events("here", "visit", "page", "seen")
    assert {row[3] for row in found} == set(AWKWARD)


def test_a_killed_run_leaves_the_files_of_its_days_once(sides: Sides) -> None:
    """After a kill between two files the next run publishes all days under their names, and records each event once."""
    (sides.inbox / "Invoice.csv").write_bytes((CHINOOK / "Invoice.csv").read_bytes())
    sides.bring("here", ORDERS)
    columns = [{"field": "id", "event_id": True}, {"field": "email", "property": "email"}]
    # The last month that has any.
    daily = {
        "events": ["order"],
        "map": columns,
        "window": "day",
        "since": max(row["InvoiceDate"] for row in read("Invoice.csv"))[:8] + "01",
        "file": {"name": "o.csv"},
    }
    with pytest.raises(Killed):
        export_events(sides.next(**daily), Deadly(sides.client), sides.folder / "uploads")
    assert len(list(sides.outbox.iterdir())) == 1
    assert sides.here.rows("from warehouse.exported_event") == []

    report = sides.export(**daily)
    assert {Path(path).name for path, *_ in report.files} == {file.name for file in sides.outbox.iterdir()}
    events = report.counters.events_written
    assert events >= len(report.files) > 1
    counted = "select count(*), count(distinct event_hash) from warehouse.exported_event"
    assert sides.here.rows(counted) == [(events, events)]
    assert sides.export(**daily).files == ()


WEEK = {
    "events": ["visit"],
    "map": [{"field": "id", "event_id": True}, {"field": "email", "property": "email"}],
    "window": "day",
    "file": {"name": "visits.csv"},
    "keep_days": 7,
}


def visit(sides: Sides, number: int, day: int) -> None:
    """Import a visit of a customer on a day of November 2026."""
    person = read("Customer.csv")[0]["Email"]
    text = f"email,id,time\n{person},v{number},2026-11-{day:02}T10:00:00Z\n"
    (sides.inbox / f"visit_{number}.csv").write_text(text)
    events = [{"type": "visit", "id": "id", "time": "time"}]
    sides.bring("here", {"name": "visits", "files": f"visit_{number}.csv", **BACK, "events": events})


def pass_time(sides: Sides, interval: str) -> None:
    """Move all deliveries into the past."""
    with sides.here.warehouse.open("write") as session:
        session.execute(f"update warehouse.exported_file set exported_at = exported_at - interval '{interval}'")


def export_now(sides: Sides, **more: Any) -> EventExportReport:
    """Run the goal with `keep_days`, at the moment of the test."""
    run = replace(sides.next(**WEEK | more), now=datetime.now(UTC))
    return export_events(run, sides.client, sides.folder / "uploads")


def names(sides: Sides) -> set[str]:
    """Return the names of what is in the outbox."""
    return {file.name for file in sides.outbox.iterdir()}


def test_files_are_available_for_so_many_days_after_delivery(sides: Sides) -> None:
    """A file of the goal is removed when `keep_days` have passed since it was delivered; all other files stay."""
    for number, day in ((1, 2), (2, 3)):
        visit(sides, number, day)
    assert len(export_now(sides).files) == 2
    of_others = {"visits.csv", "visits_20261101.csv", "visits_20261102.csv.done", "notes.txt"}
    for name in of_others:
        (sides.outbox / name).write_text("of somebody else")
    other = sides.next(**WEEK | {"name": "other", "keep_days": None, "file": {"name": "other.csv"}})
    export_events(other, sides.client, sides.folder / "uploads")
    of_others |= {"other_20261102.csv", "other_20261103.csv"}

    pass_time(sides, "6 days 23 hours")
    assert export_now(sides).removed == ()
    pass_time(sides, "2 hours")
    report = export_now(sides)
    assert [Path(path).name for path in report.removed] == ["visits_20261102.csv", "visits_20261103.csv"]
    assert "2 old files removed" in report.message
    assert names(sides) == of_others
    assert export_now(sides).removed == ()
    found = sides.here.rows("select outcome, count(*) from warehouse.removed_file group by all")
    assert found == [("removed", 2)]


def test_a_day_that_is_delivered_again_is_kept_anew(sides: Sides) -> None:
    """A late event delivers its day again, also after its file was removed; that file has its own days."""
    for number, day in ((1, 2), (2, 3)):
        visit(sides, number, day)
    export_now(sides)
    pass_time(sides, "8 days")
    visit(sides, 3, 2)
    report = export_now(sides)
    assert [Path(path).name for path, *_ in report.files] == ["visits_20261102.csv"]
    assert [Path(path).name for path in report.removed] == ["visits_20261103.csv"]
    assert (sides.outbox / "visits_20261102.csv").read_text().count("\n") == 3

    pass_time(sides, "6 days")
    visit(sides, 4, 3)
    report = export_now(sides)
    assert ([Path(path).name for path, *_ in report.files], report.removed) == (["visits_20261103.csv"], ())
    pass_time(sides, "2 days")
    assert [Path(path).name for path in export_now(sides).removed] == ["visits_20261102.csv"]
    assert names(sides) == {"visits_20261103.csv"}


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_somebody_replaced_stays(same_size: bool, sides: Sides) -> None:
    """What has the name of a delivered file and another content is not ours: it stays, with one warning."""
    for number, day in ((1, 2), (2, 3), (3, 4)):
        visit(sides, number, day)
    export_now(sides)
    replaced, gone, folder = (sides.outbox / f"visits_2026110{day}.csv" for day in (2, 3, 4))
    content = bytes(reversed(replaced.read_bytes())) if same_size else b"of somebody else"
    replaced.write_bytes(content)
    gone.unlink()
    folder.unlink()
    folder.mkdir()

    pass_time(sides, "8 days")
    report = export_now(sides)
    assert (report.removed, len(report.warnings)) == ((), 2)
    assert "is not the file that was delivered, so it stays" in report.warnings[0]
    assert replaced.read_bytes() == content
    assert folder.is_dir()
    outcomes = "select outcome, count(*) from warehouse.removed_file group by all order by all"
    assert sides.here.rows(outcomes) == [("missing", 1), ("replaced", 2)]
    assert export_now(sides).warnings == ()


def test_a_path_that_another_goal_delivers_by_now_is_its_own(sides: Sides) -> None:
    """Of two goals that delivered the same path, the file belongs to the later one."""
    visit(sides, 1, 2)
    export_now(sides)
    pass_time(sides, "8 days")
    export_now(sides, name="heir", keep_days=None)
    assert export_now(sides).removed == ()
    assert names(sides) == {"visits_20261102.csv"}
