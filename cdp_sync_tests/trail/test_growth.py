"""A month of daily deliveries: the ledger grows with the latest deliveries only."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_sync_tests.trail.importer import NOON, Importer, check_adds_up, goal

DAYS = 30
WEEK = 7
SUMS = goal(
    map=[
        {"field": "Name", "property": "first_name"},
        {"field": "Total", "property": "order_total", "mode": "sum"},
    ]
)


def file_of(rows: Iterator[tuple[int, int, int]]) -> str:
    """Return a file of rows: person, day, amount in cents."""
    lines = (f"p{person}@example.com,N{day},{cents / 100:.2f}\n" for person, day, cents in rows)
    return "Email,Name,Total\n" + "".join(lines)


def window(day: int) -> Iterator[tuple[int, int, int]]:
    """Yield the rows of the last five days, as a sender does that always writes the same file."""
    for earlier in range(max(0, day - 4), day + 1):
        yield from ((person, earlier, 100 * person + earlier) for person in range(10))


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """Sums amounts."""
    return Importer(tmp_path, SUMS)


def remembered(importer: Importer) -> dict[str, int]:
    """Return the number of rows in the ledger for each path."""
    return dict(
        importer.rows("""
        select path, count(row_hash)
        from (select distinct path, source from warehouse.imported_file)
        left join warehouse.imported_row using (source)
        group by path""")
    )


def test_a_month_of_deliveries(importer: Importer) -> None:
    """With a rewritten path of five days' rows and a new path each day, each row is added once."""
    daily: dict[str, str] = {}
    for day in range(DAYS):
        daily[f"/extra_{day:02}.csv"] = file_of((person, day, 1 + day) for person in range(10))
        files = {**dict(list(daily.items())[-2:]), "/orders.csv": file_of(window(day))}
        report = importer.deliver(files, at=NOON + timedelta(days=day))
        check_adds_up(report)
        assert [file.state for file in report.files] == ["unchanged", "imported", "imported"][-len(files) :]
        assert (report.counters.rows_applied, report.counters.rows_unchanged) == (20, 10 * min(day, 4))
    assert remembered(importer) == {**dict.fromkeys(daily, 10), "/orders.csv": 50}
    expected = {person: sum(100 * person + day + 1 + day for day in range(DAYS)) for person in range(10)}
    totals = importer.column("order_total")
    assert totals == {f"p{person}@example.com": Decimal(cents) / 100 for person, cents in expected.items()}
    assert set(importer.column("first_name").values()) == {f"N{DAYS - 1}"}
    read = importer.rows(
        "select path = '/orders.csv', count(*), sum(rows_read) from warehouse.imported_file group by 1"
    )
    windows = sum(10 * min(day + 1, 5) for day in range(DAYS))
    assert sorted(read) == [(False, DAYS, 10 * DAYS), (True, DAYS, windows)]


def test_rows_that_leave_and_return(importer: Importer) -> None:
    """A row that leaves the file and returns is new again; repeated rows count as often as they occur."""
    lines = [["a,1"], ["a,1", "a,1"], ["a,1", "a,1"], ["a,1"], [], ["a,1", "a,1", "a,1"], ["a,1", "b,2"]]
    totals = []
    for number, rows in enumerate(lines):
        content = "Email,Name,Total\n" + "".join(f"{r[0]}@example.com,N,{r[2]}\n" for r in rows)
        check_adds_up(importer.deliver({"/a.csv": content}, at=NOON + timedelta(days=number)))
        totals.append(int(importer.column("order_total")["a@example.com"]))
        assert remembered(importer) == {"/a.csv": len(rows)}
    assert totals == [1, 2, 2, 2, 2, 5, 5]


def test_a_declaration_that_changes_repeatedly(importer: Importer) -> None:
    """Under a declaration that changes repeatedly all rows are applied again, and no amount is added twice."""
    for day in range(WEEK):
        if day % 3 == 2:
            blocked = (*importer.goal.blocked_values, f"nobody{day}@example.com")
            importer.goal = importer.goal.model_copy(update={"blocked_values": blocked})
        report = importer.deliver({"/orders.csv": file_of(window(day))}, at=NOON + timedelta(days=day))
        check_adds_up(report)
        assert remembered(importer) == {"/orders.csv": 10 * min(day + 1, 5)}
    expected = {f"p{person}@example.com": sum(100 * person + day for day in range(WEEK)) for person in range(10)}
    assert importer.column("order_total") == {email: Decimal(cents) / 100 for email, cents in expected.items()}
