"""End-to-end import from an OpenSSH server into the warehouse, with real data."""

import csv
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.model import Completeness, Counters, FileGoal, ImportReport, Profiles, SftpServer
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.openssh import OpenSshServer, openssh_server
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.archives import gzipped, zipped
from cdp_sync_tests.trail.importer import Importer, check_adds_up, state_of
from cdp_sync_tests.trail.project import REPOSITORY, Project

CHINOOK = REPOSITORY.parent / "shared" / "data" / "chinook"
TOTAL = Decimal("2328.60")
"""Over all invoices, by the description of the data."""

PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "customer_id", "identifier": True},
    *({"name": name} for name in ("first_name", "last_name", "city", "country", "phone", "postal_code")),
    {"name": "order_total", "type": "decimal"},
    {"name": "last_order", "type": "datetime"},
]
CUSTOMERS = {
    "name": "customers",
    "files": "Customer.*",
    "link": [{"field": "CustomerId", "property": "customer_id"}, {"field": "Email", "property": "email"}],
    "map": [
        {"field": "FirstName", "property": "first_name"},
        {"field": "LastName", "property": "last_name"},
        {"field": "City", "property": "city"},
        {"field": "Country", "property": "country"},
        {"field": "PostalCode", "property": "postal_code"},
        {"field": "Phone", "property": "phone"},
    ],
}
INVOICES = {
    "name": "invoices",
    "files": "Invoice.*",
    "link": [{"field": "CustomerId", "property": "customer_id"}],
    "allow_new_profiles": False,
    "map": [
        {"field": "Total", "property": "order_total", "mode": "sum"},
        {"field": "InvoiceDate", "property": "last_order"},
    ],
}
LONG_AGO = 1_600_000_000


@pytest.fixture(scope="module")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """OpenSSH's server, shared by all tests."""
    with openssh_server(tmp_path_factory.mktemp("openssh") / "sshd") as server:
        yield server


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """The folder of delivered files; the test is skipped without the data."""
    if not CHINOOK.is_dir():
        pytest.skip("the Chinook data is not beside the repository")
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def server_of(openssh: OpenSshServer) -> SftpServer:
    """Declare the server with a private key and its pinned host key."""
    return SftpServer(
        host=openssh.host,
        port=openssh.port,
        username=openssh.username,
        private_key_file=str(openssh.client_key),
        host_key=openssh.fingerprint(),
    )


@dataclass
class Shop:
    """Both goals on one warehouse, over one server."""

    inbox: Path
    client: SftpClient
    customers: Importer
    invoices: Importer

    def put(self, name: str, content: bytes | None = None, *, at: int = LONG_AGO) -> Path:
        """Deliver a file of the data, or other content under its name."""
        file = self.inbox / name
        file.write_bytes((CHINOOK / name).read_bytes() if content is None else content)
        os.utime(file, (at, at))
        return file

    def run(self) -> tuple[ImportReport, ImportReport]:
        """Import the customers, then the invoices."""
        reports = self.customers.fetch(self.client), self.invoices.fetch(self.client)
        for report in reports:
            check_adds_up(report)
            assert report.state == "success", report.message
        return reports

    @property
    def warehouse(self) -> Warehouse:
        """The path of the warehouse."""
        return self.customers.warehouse

    def total(self) -> Decimal:
        """Return the sum of all order totals."""
        return Decimal(self.customers.rows("select sum(order_total) from warehouse.profile")[0][0])


@pytest.fixture
def shop(openssh: OpenSshServer, inbox: Path, tmp_path: Path) -> Iterator[Shop]:
    """Both goals, before any delivery."""
    with SftpClient(server_of(openssh)) as client:
        yield shop_in(tmp_path / "shop", inbox, client)


def shop_in(folder: Path, inbox: Path, client: SftpClient, **invoices: Any) -> Shop:
    """Return both goals on a warehouse in a folder."""
    here = {"directory": str(inbox), "complete": Completeness(settle_seconds=0)}
    declared = Profiles(properties=PROPERTIES)
    customers = Importer(folder, FileGoal(**CUSTOMERS | here), declared, runs=100)
    goal = FileGoal(**INVOICES | here | invoices)
    return Shop(inbox, client, customers, Importer(folder, goal, declared, warehouse=customers.warehouse))


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a file, parsed by Python's csv module."""
    with (CHINOOK / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected_profiles() -> list[tuple[Any, ...]]:
    """Return the expected profiles, computed row by row."""
    totals: dict[str, Decimal] = {}
    latest: dict[str, str] = {}
    for invoice in read("Invoice.csv"):
        customer = invoice["CustomerId"]
        totals[customer] = totals.get(customer, Decimal(0)) + Decimal(invoice["Total"])
        latest[customer] = max(latest.get(customer, ""), invoice["InvoiceDate"])
    names = ("FirstName", "LastName", "City", "Country", "Phone", "PostalCode")
    return sorted(
        (
            row["Email"].lower(),
            row["CustomerId"],
            *(row[name] or None for name in names),
            totals[row["CustomerId"]],
            datetime.fromisoformat(latest[row["CustomerId"]]).replace(tzinfo=UTC),
        )
        for row in read("Customer.csv")
    )


def check_profiles(warehouse: Warehouse) -> None:
    """Check every value of every profile, and the sums and values that are known to be difficult."""
    with warehouse.open("read") as session:
        names = ", ".join(prop["name"] for prop in PROPERTIES)
        profiles = session.rows(f"select {names} from warehouse.profile")
        identifiers = session.value("select count(*) from warehouse.profile_identifier")
    assert len(profiles) == 59
    assert identifiers == 2 * 59
    assert sorted(profiles) == expected_profiles()
    assert sum(profile[8] for profile in profiles) == TOTAL
    assert "0171" in {profile[7] for profile in profiles}
    assert "+55 (12) 3923-5555" in {profile[6] for profile in profiles}


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
def test_customers_and_their_invoices(kind: str, shop: Shop) -> None:
    """59 customers and their 412 invoices become 59 profiles with correct values, packed or not."""
    for name in ("Customer.csv", "Invoice.csv"):
        content = (CHINOOK / name).read_bytes()
        packed = {"plain": content, "gz": gzipped(content), "zip": zipped({name: content})}[kind]
        shop.put({"plain": name, "gz": f"{name}.gz", "zip": name.replace(".csv", ".zip")}[kind], packed)
    customers, invoices = shop.run()
    assert customers.counters == Counters(rows_read=59, rows_applied=59, profiles_created=59)
    assert invoices.counters == Counters(rows_read=412, rows_applied=412, profiles_updated=59)
    check_profiles(shop.warehouse)


def test_nothing_new(shop: Shop) -> None:
    """A second run reads no byte and needs no write lock."""
    shop.put("Customer.csv")
    invoices = shop.put("Invoice.csv")
    shop.run()
    before = state_of(shop.warehouse)
    shop.put("Invoice.csv", bytes(invoices.stat().st_size))  # would show if anybody looked into it
    held, let_go = victim.PROCESSES.Event(), victim.PROCESSES.Event()
    reader = victim.start(victim.hold, shop.warehouse.path, held, let_go)
    assert held.wait(30)
    for report in shop.run():
        assert (report.files, report.message) == ((), "Nothing new to import.")
    let_go.set()
    assert victim.exit_code(reader) == 0
    assert state_of(shop.warehouse) == before


def test_a_touched_file(shop: Shop) -> None:
    """A file with the same bytes and a new time changes nothing; the new time is recorded."""
    shop.put("Customer.csv")
    shop.put("Invoice.csv")
    shop.run()
    before = state_of(shop.warehouse)
    touched = LONG_AGO + 3600
    shop.put("Invoice.csv", at=touched)
    _, invoices = shop.run()
    assert [(Path(file.path).name, file.state) for file in invoices.files] == [("Invoice.csv", "unchanged")]
    assert invoices.counters == Counters()
    noted = shop.invoices.rows("select modified_at from warehouse.imported_file where goal = 'invoices'")
    assert noted == [(datetime.fromtimestamp(touched, UTC),)]
    after = state_of(shop.warehouse)
    assert {name: after[name] for name in after if name != "ledger"} == {
        name: before[name] for name in before if name != "ledger"
    }
    assert shop.run()[1].files == ()


def test_a_further_invoice(shop: Shop) -> None:
    """A further invoice in a known file adds its amount once, and no other twice."""
    shop.put("Customer.csv")
    shop.put("Invoice.csv")
    shop.run()
    more = (CHINOOK / "Invoice.csv").read_bytes().rstrip() + b"\n413,58,2026-01-05 00:00:00,,Delhi,,India,110017,1.99\n"
    shop.put("Invoice.csv", more, at=LONG_AGO + 60)
    _, invoices = shop.run()
    assert invoices.counters == Counters(rows_read=413, rows_applied=1, rows_unchanged=412, profiles_updated=1)
    assert shop.total() == TOTAL + Decimal("1.99")
    assert shop.invoices.column("last_order", by="customer_id")["58"] == datetime(2026, 1, 5, tzinfo=UTC)
    shop.run()
    assert shop.total() == TOTAL + Decimal("1.99")


def test_invoices_before_customers(openssh: OpenSshServer, inbox: Path, tmp_path: Path) -> None:
    """In the reverse order the invoices create the profiles and the customers complete them."""
    with SftpClient(server_of(openssh)) as client:
        shop = shop_in(tmp_path / "shop", inbox, client, allow_new_profiles=True)
        shop.put("Invoice.csv")
        _, invoices = shop.run()
        assert invoices.counters == Counters(rows_read=412, rows_applied=412, profiles_created=59)
        assert shop.total() == TOTAL
        shop.put("Customer.csv")
        customers, _ = shop.run()
    assert customers.counters == Counters(rows_read=59, rows_applied=59, profiles_updated=59)
    check_profiles(shop.warehouse)


def test_invoices_without_a_profile(shop: Shop) -> None:
    """Invoices without a profile are unmatched, each with its line; they land when read again later."""
    shop.put("Invoice.csv")
    _, invoices = shop.run()
    assert invoices.counters == Counters(rows_read=412, rows_unmatched=412)
    lines = shop.invoices.rows("select line from warehouse.quarantine order by line")
    assert [line for (line,) in lines] == list(range(2, 414))
    shop.put("Customer.csv")
    shop.put("Invoice.csv", (CHINOOK / "Invoice.csv").read_bytes() + b"\n", at=LONG_AGO + 60)
    shop.run()
    check_profiles(shop.warehouse)


def test_the_command(openssh: OpenSshServer, inbox: Path, tmp_path: Path) -> None:
    """`cdp-sync run` imports the same, and prints the counters of both goals in order."""
    for name in ("Customer.csv", "Invoice.csv"):
        shutil.copy(CHINOOK / name, inbox)
        os.utime(inbox / name, (LONG_AGO, LONG_AGO))
    goals = [{**declared, "directory": str(inbox)} for declared in (CUSTOMERS, INVOICES)]
    connection = {"name": "shop", "server": server_of(openssh).model_dump(exclude_unset=True), "import_profiles": goals}
    project = Project(tmp_path / "project")
    project.declare(PROPERTIES, connection)
    summary = project.command("run", "shop")
    assert summary["state"] == "success"
    assert [goal["goal"] for goal in summary["goals"]] == ["customers", "invoices"]
    assert [goal["rows_applied"] for goal in summary["goals"]] == [59, 412]
    check_profiles(project.warehouse)
    again = project.answer("run", "shop")
    assert [goal["message"] for goal in again["goals"]] == ["Nothing new to import."] * 2
    left = [path.name for place in ("staging", "downloads") for path in (project.folder / "data" / place).glob("*__*")]
    assert left == []
