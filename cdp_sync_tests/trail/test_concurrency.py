"""Two processes at once: one profile per person, every value once, and no failure from waiting."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import WarehouseLocked
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.model import Counters, ImportReport
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import Importer, goal

PEOPLE = [f"p{number}@example.com" for number in range(50)]
NAMES = "Email,Name\n" + "".join(f"{email},{email[:3]}\n" for email in PEOPLE)
TOTALS = "Mail,Total,Name\n" + "".join(f"{email},1.5,\n{email},2,\n" for email in PEOPLE)

TOTALS_GOAL = goal(
    name="totals",
    link=[{"field": "Mail", "property": "email"}],
    map=[{"field": "Total", "property": "order_total", "mode": "sum"}],
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a warehouse, whose holders are released at the end of the test."""
    yield tmp_path
    with Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=30).open("read") as session:
        assert session.value("select count(*) from warehouse.profile") >= 0


def deliver(importer: Importer, files: dict[str, str], gate: Any, answer: Any) -> None:
    """Import files in this process; wait at the gate, if given, after the link step."""
    report = importer.deliver(files, between=(lambda _: gate.wait(30)) if gate else None)
    answer.put(report.counters)


@dataclass(frozen=True)
class ImportProcess:
    """A process that imports, and the file of its counters."""

    process: BaseProcess
    answer: "SimpleQueue[Counters]"


def start(importer: Importer, files: dict[str, str], gate: Barrier | None = None) -> ImportProcess:
    """Start an import in a process of its own."""
    answer: SimpleQueue[Counters] = victim.PROCESSES.SimpleQueue()
    return ImportProcess(victim.start(deliver, importer, files, gate, answer), answer)


def counters_of(started: ImportProcess) -> Counters:
    """Wait for a process and return the counters of its import."""
    assert victim.exit_code(started.process) == 0
    counters = started.answer.get()
    assert counters.add_up
    return counters


def check_one_profile_each(folder: Path) -> None:
    """Assert that every person has one profile, with the values of both files."""
    importer = Importer(folder)
    held = importer.rows("select email, first_name, order_total from warehouse.profile order by email")
    assert held == [(email, email[:3], Decimal("3.5")) for email in sorted(PEOPLE)]
    identifiers = importer.rows('select property, "value" from warehouse.profile_identifier order by all')
    assert identifiers == [("email", email) for email in sorted(PEOPLE)]
    (unowned,) = importer.rows("""
        select count(*) from warehouse.profile_identifier i
        anti join warehouse.profile p on p.profile_id = i.profile_id and p.email = i."value" """)[0]
    assert unowned == 0


def test_both_linked_before_either_writes(folder: Path) -> None:
    """Two connections that link the same new people before either writes end in one profile each."""
    names, other = Importer(folder, connection="shop"), []

    def other_process_imports(_: object) -> None:
        other.append(counters_of(start(Importer(folder, TOTALS_GOAL, connection="branch"), {"/totals.csv": TOTALS})))

    report = names.deliver({"/names.csv": NAMES}, between=other_process_imports)
    assert (other[0].profiles_created, report.counters.profiles_created) == (50, 0)
    assert report.counters.profiles_updated == 50
    check_one_profile_each(folder)


def test_two_writers_at_once(folder: Path) -> None:
    """Two processes that write at the same time take turns: one creates the people, the other updates them."""
    Importer(folder).deliver({"/nobody.csv": "Email,Name\n"})
    barrier = victim.PROCESSES.Barrier(2)
    names = start(Importer(folder, runs=1), {"/names.csv": NAMES}, barrier)
    totals = start(Importer(folder, TOTALS_GOAL, connection="branch"), {"/totals.csv": TOTALS}, barrier)
    both = counters_of(names) + counters_of(totals)
    assert (both.profiles_created, both.profiles_updated) == (50, 50)
    check_one_profile_each(folder)


def test_the_same_file_in_two_runs(folder: Path) -> None:
    """When two runs of a goal read the same file, the second write finds all rows unchanged."""
    first, inner = Importer(folder, TOTALS_GOAL), []

    def other_process_imports(_: object) -> None:
        inner.append(counters_of(start(Importer(folder, TOTALS_GOAL, runs=10), {"/totals.csv": TOTALS})))

    report = first.deliver({"/totals.csv": TOTALS}, between=other_process_imports)
    assert (inner[0].rows_applied, inner[0].rows_unchanged) == (100, 0)
    assert (report.counters.rows_applied, report.counters.rows_unchanged) == (0, 100)
    assert set(first.column("order_total").values()) == {Decimal("3.5")}


def test_the_same_file_in_four_processes(folder: Path) -> None:
    """Of four processes that import the same file at once, one applies its rows; the others find them unchanged."""
    Importer(folder, TOTALS_GOAL).deliver({"/nobody.csv": "Mail,Total\n"})
    barrier = victim.PROCESSES.Barrier(4)
    files = {"/totals.csv": TOTALS}
    started = [start(Importer(folder, TOTALS_GOAL, runs=10 * n + 10), files, barrier) for n in range(4)]
    counters = [counters_of(process) for process in started]
    assert sorted((each.rows_applied, each.rows_unchanged) for each in counters) == [(0, 100)] * 3 + [(100, 0)]
    importer = Importer(folder)
    assert set(importer.column("order_total").values()) == {Decimal("3.5")}
    assert importer.rows("select count(*) from warehouse.profile") == [(50,)]
    assert importer.rows("select count(*) from warehouse.imported_row") == [(100,)]


def test_people_known_by_two_identifiers(folder: Path) -> None:
    """A process that knows people by number and address and one by number only end in the same profiles."""
    links = [{"field": "Email", "property": "email"}, {"field": "Id", "property": "customer_id"}]
    by_both = Importer(folder, goal(link=links, map=[]))
    by_number = goal(link=links[1:])
    rows = [(f"p{number}@example.com", f"C{number}", f"N{number}") for number in range(20)]

    def other_process_imports(_: object) -> None:
        content = "Id,Name\n" + "".join(f"{number},{name}\n" for _, number, name in rows)
        counters_of(start(Importer(folder, by_number, connection="branch"), {"/names.csv": content}))

    content = "Email,Id\n" + "".join(f"{email},{number}\n" for email, number, _ in rows)
    by_both.deliver({"/both.csv": content}, between=other_process_imports)
    assert sorted(by_both.rows("select email, customer_id, first_name from warehouse.profile")) == sorted(rows)


def test_a_reader_delays_a_writer(folder: Path) -> None:
    """An import waits while another process reads the warehouse, and then lands."""
    importer = Importer(folder)
    importer.deliver({"/a.csv": "Email,Name\na@example.com,Ann\n"})
    held, let_go = victim.PROCESSES.Event(), victim.PROCESSES.Event()
    reader = victim.start(victim.hold, importer.warehouse.path, held, let_go)
    assert held.wait(30)
    reports: list[ImportReport] = []
    more = {"/b.csv": "Email,Name\nb@example.com,B\n"}
    writer = threading.Thread(target=lambda: reports.append(importer.deliver(more)))
    writer.start()
    writer.join(1)
    assert writer.is_alive()
    assert not reports
    let_go.set()
    writer.join(30)
    assert victim.exit_code(reader) == 0
    assert reports[0].counters.profiles_created == 1
    assert importer.column("first_name") == {"a@example.com": "Ann", "b@example.com": "B"}


def test_a_reader_beyond_the_deadline_is_named(folder: Path) -> None:
    """A writer fails at the deadline, names the process that holds the file, and can be run again."""
    importer = Importer(folder)
    importer.deliver({"/a.csv": "Email,Name\na@example.com,Ann\n"})
    held, let_go = victim.PROCESSES.Event(), victim.PROCESSES.Event()
    reader = victim.start(victim.hold, importer.warehouse.path, held, let_go)
    assert held.wait(30)
    run = importer.new_run()
    impatient = Importer(folder, warehouse=Warehouse(importer.warehouse.path, lock_timeout=0.2), runs=5)
    with pytest.raises(WarehouseLocked) as failed:
        impatient.deliver({"/b.csv": "Email,Name\nb@example.com,Bob\n"})
    assert f"process {reader.pid}" in str(failed.value)
    let_go.set()
    assert victim.exit_code(reader) == 0
    stage_files(run, [])
    link_identifiers(run)
    assert upsert_profiles(run).state == "success"
