"""Groups from an OpenSSH server into the warehouse, with real data: the employees that customers have as contacts."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.model import FileGroupGoal, Profiles
from cdp_sync.model.group_import import FileGroupImport
from cdp_sync.warehouse.groups import count_members, group_named
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import Importer, arrived, check_adds_up, goal
from cdp_sync_tests.trail.test_crash import import_all
from cdp_sync_tests.trail.test_trail import CHINOOK, inbox, openssh, read, server_of

__all__ = ["inbox", "openssh"]

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "contact", "type": "group", "group_type": "employee"},
        ],
        "group_types": [
            {
                "name": "employee",
                "properties": [{"name": "countries", "multiple": True}, {"name": "customers", "type": "number"}],
            }
        ],
    }
)
EMPLOYEES = {
    "name": "employees",
    "type": "employee",
    "id": "SupportRepId",
    "files": "Customer.*",
    "complete": {"settle_seconds": 0},
    "processors": [{"add_value": {"field": "One", "value": "1"}}],
    "map": [
        {"field": "Country", "property": "countries", "mode": "add"},
        {"field": "One", "property": "customers", "mode": "sum"},
    ],
}


@pytest.fixture
def client(openssh: object, inbox: Path) -> Iterator[SftpClient]:
    """A client of the server, whose inbox has the customers."""
    file = inbox / "Customer.csv"
    file.write_bytes((CHINOOK / file.name).read_bytes())
    os.utime(file, (1_600_000_000, 1_600_000_000))
    with SftpClient(server_of(openssh)) as client:
        yield client


def test_groups_and_their_members_come_from_one_file(client: SftpClient, inbox: Path, tmp_path: Path) -> None:
    """Each employee has the countries and the number of their customers; a redelivery with a new row adds that row."""
    rows = read("Customer.csv")
    declared = FileGroupGoal(**EMPLOYEES | {"directory": str(inbox)}).as_groups(FileGroupImport)
    employees = Importer(tmp_path, declared, PROFILES)
    report = employees.fetch(client)
    check_adds_up(report)
    expected = Counter(row["SupportRepId"] for row in rows)
    assert (report.counters.rows_applied, report.counters.groups_created) == (len(rows), len(expected))
    mapped = [{"field": "SupportRepId", "property": "contact"}]
    people = goal(directory=str(inbox), files="Customer.*", map=mapped)
    Importer(tmp_path, people, PROFILES, warehouse=employees.warehouse, runs=10).fetch(client)
    with employees.warehouse.open("read") as session:
        for number, times in expected.items():
            found = group_named(session, PROFILES.group["employee"], number)
            assert found is not None
            assert (found["group_id"], found["customers"]) == (number, times)
            assert set(found["countries"]) == {row["Country"] for row in rows if row["SupportRepId"] == number}
            assert count_members(session, PROFILES, PROFILES.group["employee"], number) == {"contact": times}
    header, *lines = (CHINOOK / "Customer.csv").read_text(encoding="utf-8").splitlines()
    more = lines[0].replace("1,", "60,", 1)
    (inbox / "Customer.csv").write_text("\n".join([header, *lines, more]), encoding="utf-8")
    again = employees.fetch(client)
    assert (again.counters.rows_unchanged, again.counters.groups_updated) == (len(rows), 1)


FILE = {"/inbox/Customer.csv": "SupportRepId,Country,One\n3,Brazil,\n5,Germany,\n3,Canada,\n"}


@pytest.mark.parametrize(
    ("statement", "number", "after"),
    [
        ("create table warehouse.group_employee", 1, False),
        ("create table warehouse.group_employee", 2, True),
        ("alter table warehouse.group_employee", 2, False),
        ("insert into warehouse.group_employee", 1, True),
        ("insert into warehouse.group_employee_identifier", 1, True),
        ("commit", 2, False),
        ("commit", 3, False),
        ("commit", 3, True),
    ],
)
def test_a_killed_first_import_of_groups_lands_whole_or_not_at_all(
    tmp_path: Path, statement: str, number: int, after: bool
) -> None:
    """A process that is killed while it makes the tables, or writes, leaves all groups or none; a second run completes.

    The first transaction stages the file, the second makes the type's tables, the third lands the rows.
    """
    declared = FileGroupGoal(**EMPLOYEES | {"directory": "/inbox"}).as_groups(FileGroupImport)
    importer = Importer(tmp_path, declared, PROFILES)
    with importer.warehouse.open("write"):
        pass  # there is a warehouse, with the tables of every project
    deadly = {"only": statement, "number": number, "after": after}
    files = arrived(tmp_path / "fetched", FILE)
    assert victim.exit_code(victim.start(import_all, importer.new_run(), files, deadly)) == victim.KILLED
    landed = "select count(*) from warehouse.imported_file"
    assert importer.rows(landed) == [(int(statement == "commit" and after),)]
    importer.deliver(FILE)
    groups = "select group_id, countries, customers from warehouse.group_employee order by group_id"
    assert importer.rows(groups) == [("3", ["Brazil", "Canada"], 2), ("5", ["Germany"], 1)]
    identifiers = "select value, _group from warehouse.group_employee_identifier"
    assert sorted(importer.rows(identifiers)) == sorted(
        importer.rows("select group_id, _group from warehouse.group_employee")
    )
