"""A disk that fills up at any place of a run fails it with a clear error; with room the next run succeeds."""

import resource
import shutil
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import DiskFull
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.model import FetchedFile, SftpServer
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.disks import Small
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.archives import gzipped
from cdp_sync_tests.trail.importer import Importer, arrived, goal, state_of

PASSWORD = "correct horse"
ROWS = 60_000
PEOPLE = "Email,Name\n" + "".join(f"person{n}@example.com,{n * 7919 % 1000003:06}{n:06}\n" for n in range(ROWS))
MEBIBYTE = 1 << 20
"""The people's rows take 2.5 times this size as text, and more as a table."""


def check_lands(importer: Importer) -> None:
    """Run with room: all people land, once."""
    report = importer.deliver({"/people.csv": PEOPLE})
    assert report.counters.rows_applied == ROWS
    assert importer.rows("select count(*), count(distinct email) from warehouse.profile") == [(ROWS, ROWS)]


def server_of(sandbox: SftpSandbox) -> SftpServer:
    """Declare a sandbox as a server."""
    return SftpServer(
        host=sandbox.host, port=sandbox.port, username="shop", password_env="PASSWORD", host_key=sandbox.fingerprint
    )  # fmt: skip


def test_full_while_downloading(small: Small, tmp_path: Path) -> None:
    """A file that does not fit is not started or is removed, and the error names the disk."""
    (tmp_path / "root" / "inbox").mkdir(parents=True)
    (tmp_path / "root" / "inbox" / "people.csv").write_text(PEOPLE)
    disk = small(2)
    with SftpSandbox(tmp_path / "root", accounts={"shop": PASSWORD}) as sandbox:
        importer = Importer(disk)
        with SftpClient(server_of(sandbox), environ={"PASSWORD": PASSWORD}) as client:
            with pytest.raises(DiskFull):
                importer.fetch(client)
            assert not [path for path in disk.rglob("*") if path.name.endswith((".part", ".csv"))]
            small(200)
            assert importer.fetch(client).counters.rows_applied == ROWS


def test_full_while_unpacking(small: Small, tmp_path: Path) -> None:
    """An archive that does not fit unpacked is DiskFull, not a damaged archive or a crash."""
    importer = Importer(small(2))
    run = importer.new_run()
    with pytest.raises(DiskFull):
        stage_files(run, arrived(tmp_path / "fetched", {"/people.csv.gz": gzipped(PEOPLE)}))
    small(200)
    shutil.rmtree(importer.folder / "staging")
    check_lands(importer)


def test_full_while_rewriting(small: Small) -> None:
    """A file that does not fit while it is re-encoded is DiskFull."""
    disk = small(4)
    importer = Importer(disk, goal(format={"encoding": "latin-1"}))
    files = arrived(disk / "fetched", {"/people.csv": PEOPLE})
    with pytest.raises(DiskFull):
        stage_files(importer.new_run(), files)
    small(200)
    shutil.rmtree(importer.folder / "staging")
    check_lands(importer)


def test_full_while_staging(small: Small, tmp_path: Path) -> None:
    """A staging file that does not fit is DiskFull."""
    importer = Importer(small(1))
    with pytest.raises(DiskFull):
        stage_files(importer.new_run(), arrived(tmp_path / "fetched", {"/people.csv": PEOPLE}))
    small(200)
    shutil.rmtree(importer.folder / "staging")
    check_lands(importer)


def test_full_while_writing(small: Small, tmp_path: Path) -> None:
    """A warehouse that does not fit is DiskFull with unchanged content; with room, the run succeeds."""
    disk = small(200)
    importer = Importer(disk / "shop")
    importer.deliver({"/before.csv": "Email,Name\nbefore@example.com,Before\n"})
    before = state_of(importer.warehouse)
    run = importer.new_run()
    stage_files(run, arrived(tmp_path / "fetched", {"/people.csv": PEOPLE}))
    link_identifiers(run)
    fill(disk, leave=MEBIBYTE)
    with pytest.raises(DiskFull):
        upsert_profiles(run)
    assert state_of(importer.warehouse) == before
    (disk / "filler").unlink()
    assert upsert_profiles(run).counters.profiles_created == ROWS
    assert importer.rows("select count(*), count(distinct email) from warehouse.profile") == [(ROWS + 1, ROWS + 1)]


def fill(disk: Path, *, leave: int) -> None:
    """Fill a disk except for so many bytes."""
    with (disk / "filler").open("wb") as file:
        left = shutil.disk_usage(disk).free - leave
        while left > 0:
            left -= file.write(bytes(min(left, MEBIBYTE)))


def limited(importer: Importer, files: list[FetchedFile], until: str, outcome: Any) -> None:
    """Import in this process with a file size limit from a step on; return the failing step and its error."""
    run = importer.new_run()
    work = {"staging": lambda: stage_files(run, files), "linking": lambda: link_identifiers(run)}
    step = "none"
    try:
        for step, do in (work | {"writing": lambda: upsert_profiles(run)}).items():
            if step == until:
                resource.setrlimit(resource.RLIMIT_FSIZE, (MEBIBYTE // 2, MEBIBYTE // 2))
            do()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        outcome.put((step, type(error).__name__))
    else:
        outcome.put(("none", ""))


LIMITED = ("staging", "writing")
"""The steps from which the file size is limited."""


def fail_by_limit(importer: Importer, step: str) -> str:
    """Import the people in a process with a file size limit; return how the step fails."""
    outcome = victim.PROCESSES.SimpleQueue()
    files = arrived(importer.folder / "fetched", {"/people.csv": PEOPLE})
    process = victim.start(limited, importer, files, step, outcome)
    assert victim.exit_code(process) == 0
    failed, kind = outcome.get()
    assert failed == step
    importer.runs += 1
    return str(kind)


@pytest.mark.parametrize("step", LIMITED)
def test_a_file_size_limit_prevents_the_import(step: str, tmp_path: Path) -> None:
    """With a file size limit, as under a quota, nothing of a run lands; without the limit everything does."""
    importer = Importer(tmp_path)
    importer.deliver({"/before.csv": "Email,Name\nbefore@example.com,Before\n"})
    before = state_of(importer.warehouse)
    fail_by_limit(importer, step)
    assert state_of(importer.warehouse) == before
    assert importer.deliver({"/people.csv": PEOPLE}).counters.profiles_created == ROWS


@pytest.mark.parametrize("step", LIMITED)
def test_a_file_size_limit_is_disk_full(step: str, tmp_path: Path) -> None:
    """A quota or a limit on the file size is DiskFull, as in a download."""
    importer = Importer(tmp_path)
    assert fail_by_limit(importer, step) == DiskFull.__name__
