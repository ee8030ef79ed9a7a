"""A run that is killed at any point applies all of its work or none, and a second run completes it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import paramiko
import pytest

from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.model import FetchedFile, Profiles
from cdp_sync.orchestration.data_folder import remove
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files, OpenFile
from cdp_sync.warehouse.session import Session, Values
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import PROFILES, Importer, arrived, goal, state_of
from cdp_sync_tests.trail.project import Project

HEADER = "Email,Id,Name,Total,Tags\n"
FIRST = {
    "/people.csv": HEADER + "a@example.com,1,Ann,1.5,x\nb@example.com,2,Bob,2,y\nc@example.com,,Cid,3,\n",
}
SECOND = {
    "/people.csv": HEADER + "a@example.com,1,Ann,1.5,x\nb@example.com,2,Bob,2,z\nc@example.com,3,Cid,bad,\n",
    "/more.csv": HEADER + "d@example.com,4,Dan,4,\n,4,,5,x\nragged\n,,nobody,1,\nd@example.com,,,6,\n",
}
"""A corrected file and a new one, with new, unchanged, rejected and unidentified rows and an invalid number."""

SUMS = goal(
    link=[{"field": "Email", "property": "email"}, {"field": "Id", "property": "customer_id"}],
    map=[
        {"field": "Name", "property": "first_name"},
        {"field": "Total", "property": "order_total", "mode": "sum"},
        {"field": "Tags", "property": "interests", "mode": "add"},
    ],
)

Deadly = dict[str, Any] | None

FRACTIONS = [0.0, 0.08, 0.17, 0.25, 0.33, 0.42, 0.5, 0.58, 0.67, 0.75, 0.83, 0.92, 1.0]
"""The point of the kill as a fraction of the statements, from first to last."""


@dataclass(frozen=True)
class Undisturbed:
    """An import of both deliveries without a crash."""

    seed: Path
    """The warehouse after the first delivery."""
    before: dict[str, Any]
    """Its content."""
    after: dict[str, Any]
    """Its content after the second delivery."""
    statements: int
    """The number of statements of the second delivery."""

    def importer(self, folder: Path) -> Importer:
        """Return an importer in another folder after the first delivery."""
        importer = Importer(folder, SUMS, runs=1)
        shutil.copy(self.seed, importer.warehouse.path)
        return importer


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Import both deliveries without a crash."""
    folder = tmp_path_factory.mktemp("undisturbed")
    importer = Importer(folder, SUMS)
    import_all(importer.new_run(), fetched(folder, FIRST))
    seed, before = folder / "seed.duckdb", state_of(importer.warehouse)
    shutil.copy(importer.warehouse.path, seed)
    second = importer.new_run()
    with counting_statements() as seen:
        import_all(second, fetched(folder, SECOND))
    return Undisturbed(seed, before, state_of(importer.warehouse), len(seen))


@contextmanager
def counting_statements() -> Iterator[list[str]]:
    """Yield the statements that are executed inside the block."""
    execute, seen = Session.execute, []

    def counting(session: Session, sql: str, values: Values = None) -> Session:
        seen.append(sql)
        return execute(session, sql, values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session, "execute", counting)
        yield seen


def fetched(folder: Path, files: dict[str, str]) -> list[FetchedFile]:
    """Return files as if they were fetched."""
    return arrived(folder / "fetched", files)


def import_all(run: ImportRun, files: list[FetchedFile], deadly: Deadly = None) -> None:
    """Execute the three steps in a process that can kill itself."""
    if deadly:
        victim.die_at(**deadly)
    stage_files(run, files)
    link_identifiers(run)
    upsert_profiles(run)


def killed(importer: Importer, deadly: dict[str, Any]) -> ImportRun:
    """Import the second delivery in a process that kills itself; return its run."""
    run = importer.new_run()
    dead = victim.start(import_all, run, fetched(importer.folder, SECOND), deadly)
    assert victim.exit_code(dead) == victim.KILLED
    return run


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_killed_at_a_statement(fraction: float, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """An import that is killed at a statement and run again equals one without a crash."""
    importer = undisturbed.importer(tmp_path)
    killed(importer, {"number": 1 + round(fraction * (undisturbed.statements - 1))})
    import_all(importer.new_run(), fetched(tmp_path, SECOND))
    assert state_of(importer.warehouse) == undisturbed.after


STEPS = ("stage_files", "link_identifiers", "upsert_profiles")


def import_until(run: ImportRun, files: list[FetchedFile], last: str) -> None:
    """Execute the steps up to the named one, then kill the process."""
    stage_files(run, files)
    if last != "stage_files":
        link_identifiers(run)
    if last == "upsert_profiles":
        upsert_profiles(run)
    victim.die()


@pytest.mark.parametrize("last", STEPS)
def test_killed_between_steps(last: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """An import that is killed between two steps and run again equals one without a crash."""
    importer = undisturbed.importer(tmp_path)
    dead = victim.start(import_until, importer.new_run(), fetched(tmp_path, SECOND), last)
    assert victim.exit_code(dead) == victim.KILLED
    assert state_of(importer.warehouse) == (undisturbed.after if last == STEPS[-1] else undisturbed.before)
    import_all(importer.new_run(), fetched(tmp_path, SECOND))
    assert state_of(importer.warehouse) == undisturbed.after


@pytest.mark.parametrize("boundary", ["begin", "commit"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_the_transaction(boundary: str, after: bool, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A kill right before or after the begin or the end of the transaction leaves all of its work or none."""
    importer = undisturbed.importer(tmp_path)
    # The first transaction stages a file, the second adds columns for the declared properties.
    killed(importer, {"number": 3, "only": boundary, "after": after})
    landed = boundary == "commit" and after
    assert state_of(importer.warehouse) == (undisturbed.after if landed else undisturbed.before)
    import_all(importer.new_run(), fetched(tmp_path, SECOND))
    assert state_of(importer.warehouse) == undisturbed.after


@pytest.mark.parametrize(
    ("statement", "after"),
    [("begin", False), ("create table warehouse.migration", True), ("commit", False), ("commit", True)],
)
def test_killed_while_the_tables_are_created(statement: str, after: bool, tmp_path: Path) -> None:
    """After a kill during the creation of the warehouse's tables a second run works."""
    importer = Importer(tmp_path, SUMS)
    # The first transaction stages the file.
    deadly = {"number": 1 if statement.startswith("create") else 2, "only": statement, "after": after}
    dead = victim.start(import_all, importer.new_run(), fetched(tmp_path, FIRST), deadly)
    assert victim.exit_code(dead) == victim.KILLED
    import_all(importer.new_run(), fetched(tmp_path, FIRST))
    assert importer.column("order_total") == {"a@example.com": 1.5, "b@example.com": 2, "c@example.com": 3}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_same_staging_file_again(after: bool, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Rows that were staged and linked before the kill are written by the next process, once."""
    importer = undisturbed.importer(tmp_path)
    dead = killed(importer, {"number": 2, "only": "commit", "after": after})  # the first one ends staging
    upsert_profiles(dead)
    state = state_of(importer.warehouse)
    for name in ("profiles", "identifiers", "imported_row"):
        assert state[name] == undisturbed.after[name]


def test_a_half_filled_staging_file_is_filled_again(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A half-filled staging file of a killed run is removed and filled from the beginning."""
    importer = undisturbed.importer(tmp_path)
    dead = killed(importer, {"number": undisturbed.statements // 4})
    assert dead.staging.exists()
    remove(dead.staging)
    import_all(dead, fetched(tmp_path, SECOND))
    assert state_of(importer.warehouse) == undisturbed.after


def test_staging_twice_into_one_file(tmp_path: Path) -> None:
    """Staging removes the rows that an earlier attempt left in the same file."""
    importer = Importer(tmp_path, SUMS)
    run = importer.new_run()
    stage_files(run, fetched(tmp_path, FIRST))
    import_all(run, fetched(tmp_path, FIRST))
    assert importer.column("order_total")["a@example.com"] == 1.5


def test_killed_while_a_new_identifier_is_collected(tmp_path: Path) -> None:
    """After a kill while a new identifier's values are collected, none of them is collected twice."""
    importer = Importer(tmp_path, goal(map=[{"field": "Id", "property": "customer_id"}]))
    by_email = [prop.model_copy(update={"identifier": prop.name == "email"}) for prop in PROFILES.properties]
    importer.profiles = Profiles(properties=tuple(by_email))
    importer.deliver(FIRST)
    importer.profiles = PROFILES
    killed(importer, {"number": 1, "only": "insert into warehouse.profile_identifier", "after": True})
    importer.deliver(SECOND)
    held = importer.rows('select property, "value" from warehouse.profile_identifier')
    assert sorted(held) == sorted(set(held))


# The whole command


class Waiting(SftpSandbox):
    """A server that sends no file content until the test allows it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked, self.go_on = Event(), Event()
        sandbox = self

        class Slow(OpenFile):
            """A file that waits before its first byte."""

            def read(self, offset: int, length: int) -> bytes | int:
                """Wait, then read."""
                sandbox.asked.set()
                sandbox.go_on.wait(60)
                return super().read(offset, length)

        class Served(Files):
            """Files of a waiting server."""

            def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
                """Open a file."""
                return Slow(self.local(path), flags)

        self.files = Served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Waiting]:
    """A server with a file of a hundred people, each with an amount."""
    (tmp_path / "root" / "inbox").mkdir(parents=True)
    with Waiting(tmp_path / "root", accounts={"shop": "correct horse"}) as sandbox:
        rows = "".join(f"p{number}@example.com,P{number},1.5\n" for number in range(100))
        put(sandbox, "people.csv", "Email,Name,Total\n" + rows)
        yield sandbox


def put(sandbox: SftpSandbox, name: str, content: str) -> None:
    """Deliver a file with an old modification time."""
    file = sandbox.root / "inbox" / name
    file.write_text(content, encoding="utf-8")
    os.utime(file, (1_600_000_000, 1_600_000_000))


def project_of(sandbox: SftpSandbox, folder: Path) -> Project:
    """Return a project that sums the amounts of the server's files."""
    project = Project(folder / "project", {"SHOP_PASSWORD": "correct horse"})
    server = {"host": sandbox.host, "port": sandbox.port, "username": "shop", "password_env": "SHOP_PASSWORD"}
    goals = [goal(map=SUMS.map[:2]).model_dump(mode="json", exclude_unset=True)]
    connection = {"name": "shop", "server": {**server, "host_key": sandbox.fingerprint}, "import_profiles": goals}
    project.declare([prop.model_dump(exclude_unset=True) for prop in PROFILES.properties], connection)
    return project


def totals_in(project: Project) -> list[Decimal]:
    """Return the order totals of all profiles, or none before the first write."""
    with project.warehouse.open("read") as session:
        if not session.value("select count(*) from warehouse.profile"):
            return []
        return sorted(total for (total,) in session.rows("select order_total from warehouse.profile"))


def test_killed_commands_do_not_block_the_next(server: Waiting, tmp_path: Path) -> None:
    """After `cdp-sync run` is killed while fetching, writing or ending, the next one imports once."""
    project = project_of(server, tmp_path)
    fetching = project.start("run", "shop")
    assert server.asked.wait(60)
    fetching.kill()
    assert victim.exit_code(fetching) == victim.KILLED
    server.go_on.set()
    assert totals_in(project) == []

    writing = project.start("run", "shop", deadly={"number": 1, "only": "update warehouse.revision"})
    assert victim.exit_code(writing) == victim.KILLED
    assert totals_in(project) == []

    written = project.start("run", "shop", deadly={"number": 3, "only": "commit", "after": True})
    assert victim.exit_code(written) == victim.KILLED
    assert totals_in(project) == [Decimal("1.5")] * 100

    put(server, "more.csv", "Email,Name,Total\np0@example.com,P0,2\n")
    summary = project.command("run", "shop")
    assert summary["state"] == "success"
    assert [(file["path"], file["state"]) for file in summary["goals"][0]["files"]] == [("/inbox/more.csv", "imported")]
    assert totals_in(project) == [Decimal("1.5")] * 99 + [Decimal("3.5")]
    found = project.answer("runs", "shop")["runs"]
    assert [run["state"] for run in found] == ["finished", "failed", "failed", "failed"]
