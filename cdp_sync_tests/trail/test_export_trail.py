"""End-to-end export: customers are imported, selected by their orders, exported to OpenSSH and imported again."""

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.exporting import FileRun, export_file
from cdp_sync.model import ExportCounters, ExportReport, FileExportGoal, FileGoal, Profiles
from cdp_sync_tests.exporting.exporter import Deadly, Killed
from cdp_sync_tests.trail.importer import Importer
from cdp_sync_tests.trail.test_trail import (
    CHINOOK,
    LONG_AGO,
    PROPERTIES,
    Shop,
    inbox,
    openssh,
    read,
    shop,
)

__all__ = ["inbox", "openssh", "shop"]

SPENDERS = {"name": "spenders", "when": {"property": "order_total", "at_least": 40}}
COLUMNS = ("email", "first_name", "last_name", "city", "country", "phone", "postal_code", "order_total", "last_order")


@dataclass
class Exporter:
    """Consecutive runs of an export goal over the shop's warehouse and server."""

    shop: Shop
    outbox: Path
    profiles: Profiles = field(
        default_factory=lambda: Profiles.model_validate({"properties": PROPERTIES, "segments": [SPENDERS]})
    )
    runs: int = 0

    def goal(self) -> FileExportGoal:
        """Return the goal."""
        columns = [{"field": name, "property": name} for name in COLUMNS]
        return FileExportGoal.model_validate(
            {"name": "out", "segment": "spenders", "directory": str(self.outbox), "map": columns}
        )

    def run(self) -> ExportReport:
        """Run the goal."""
        return export_file(*self.next())

    def run_until_delivered(self) -> None:
        """Run the goal up to the delivery, as if the process were killed after it."""
        run, server, uploads = self.next()
        with pytest.raises(Killed):
            export_file(run, Deadly(server), uploads)

    def next(self) -> tuple[FileRun, SftpClient, Path]:
        """Return the next run, its server, and the folder of its uploads."""
        self.runs += 1
        folder = self.outbox.parent / f"export{self.runs}"
        folder.mkdir()
        run = FileRun(
            run_id=f"export{self.runs}",
            connection="shop",
            goal=self.goal(),
            profiles=self.profiles,
            objectives=(),
            warehouse=self.shop.warehouse,
            staging=folder / "staging.duckdb",
            folder=folder / "files",
            now=datetime(2026, 1, 1, 0, 0, self.runs, tzinfo=UTC),
        )
        return run, self.shop.client, folder / "uploads"

    def delivered(self) -> list[dict[str, str]]:
        """Return the rows of the newest file, parsed by Python's csv module, and remove it."""
        (file,) = self.outbox.iterdir()
        with file.open(encoding="utf-8", newline="") as rows:
            found = list(csv.DictReader(rows))
        file.unlink()
        return found


@pytest.fixture
def exporter(shop: Shop, tmp_path: Path) -> Exporter:
    """The goal, with customers and invoices imported and nothing exported yet."""
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    shop.put("Customer.csv")
    shop.put("Invoice.csv")
    shop.run()
    return Exporter(shop, outbox)


def spenders() -> dict[str, Decimal]:
    """Return each customer with a total of at least 40, computed row by row."""
    totals: dict[str, Decimal] = {}
    for invoice in read("Invoice.csv"):
        totals[invoice["CustomerId"]] = totals.get(invoice["CustomerId"], Decimal(0)) + Decimal(invoice["Total"])
    emails = {row["CustomerId"]: row["Email"].lower() for row in read("Customer.csv")}
    return {emails[customer]: total for customer, total in totals.items() if total >= 40}


def test_those_who_spent_at_least_40(exporter: Exporter) -> None:
    """Customers with at least 40 are exported. A second run exports none; a further invoice exactly its customer."""
    report = exporter.run()
    assert report.counters == ExportCounters(profiles_in_segment=len(spenders()), profiles_written=len(spenders()))
    assert {row["email"]: Decimal(row["order_total"]) for row in exporter.delivered()} == spenders()

    report = exporter.run()
    assert (report.path, report.counters.profiles_same, report.counters.profiles_written) == (None, len(spenders()), 0)
    assert list(exporter.outbox.iterdir()) == []

    customer = next(row for row in read("Customer.csv") if row["Email"].lower() in spenders())
    invoice = f"\n413,{customer['CustomerId']},2026-01-05 00:00:00,,Delhi,,India,110017,1.99\n"
    exporter.shop.put(
        "Invoice.csv", (CHINOOK / "Invoice.csv").read_bytes().rstrip() + invoice.encode(), at=LONG_AGO + 60
    )
    exporter.shop.run()
    report = exporter.run()
    assert report.counters.profiles_written == 1
    (row,) = exporter.delivered()
    assert row["email"] == customer["Email"].lower()
    assert Decimal(row["order_total"]) == spenders()[row["email"]] + Decimal("1.99")


def test_a_crash_after_the_delivery_delivers_again(exporter: Exporter) -> None:
    """A delivery that was published but not recorded is repeated; a recorded one is not."""
    exporter.run_until_delivered()
    assert len(exporter.delivered()) == len(spenders())
    exporter.run()
    assert {row["email"] for row in exporter.delivered()} == set(spenders())
    exporter.run()
    assert list(exporter.outbox.iterdir()) == []


def test_an_exported_file_is_imported_unchanged(exporter: Exporter, tmp_path: Path) -> None:
    """An exported file that is imported with the same format yields the same values."""
    exporter.run()
    goal = FileGoal.model_validate(
        {
            "name": "back",
            "directory": str(exporter.outbox),
            "complete": {"settle_seconds": 0},
            "link": [{"field": "email", "property": "email"}],
            "map": [{"field": name, "property": name} for name in COLUMNS if name != "email"],
        }
    )
    back = Importer(tmp_path / "back", goal, exporter.profiles)
    assert back.fetch(exporter.shop.client).state == "success"
    query = f"select {', '.join(COLUMNS)} from warehouse.profile where order_total >= 40 order by email"
    assert back.rows(query) == exporter.shop.customers.rows(query)
    assert len(back.rows(query)) == len(spenders())
