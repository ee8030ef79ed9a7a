"""A delivery that cannot be recorded does not happen, as each run would repeat it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync_tests.projects import SPENDERS, Project, export, goal

PEOPLE = "Email,FirstName,Total\n" + "".join(f"p{number}@example.com,N{number},5\n" for number in range(100))
FILLER = "filler"


@pytest.fixture
def shop(project: Project) -> Iterator[Project]:
    """A connection with imported profiles that are not exported yet. Its data folder is a small disk."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(project.data)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        project.describe(segments=[SPENDERS])
        project.connect("shop", goal())
        project.deliver("/inbox/customers_1.csv", PEOPLE)
        with dg.DagsterInstance.ephemeral() as instance:
            assert project.run("shop_sync", instance).success
        project.connect("shop", goal(), export_profiles=[export()])
        yield project
    finally:
        subprocess.run(["umount", "-l", str(project.data)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Fill a disk except for so many bytes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / FILLER).open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - leave)


def outbox(project: Project) -> list[str]:
    """Return the names in the export directory, including hidden files."""
    return sorted(path.name for path in (project.root / "outbox").iterdir())


def messages(result: dg.ExecuteInProcessResult) -> str:
    """Return the error messages of a run's steps."""
    return "\n".join(
        event.step_failure_data.error_display_string for event in result.all_events if event.is_step_failure
    )


def test_a_read_only_warehouse_prevents_the_delivery(shop: Project, instance: dg.DagsterInstance) -> None:
    """A read-only warehouse fails the export before any delivery, and its file is named."""
    file = str(shop.data / "warehouse.duckdb")
    subprocess.run(["mount", "--bind", "-o", "ro", file, file], check=True)
    try:
        result = shop.run("shop_sync", instance)
        assert not result.success
        assert "warehouse.duckdb" in messages(result)
        assert outbox(shop) == []
    finally:
        subprocess.run(["umount", "-l", file], check=True)
    assert shop.run("shop_sync", instance).success
    assert outbox(shop) == ["spenders.csv"]


def test_a_full_disk_prevents_the_delivery(shop: Project, instance: dg.DagsterInstance) -> None:
    """A full disk fails each run before it connects and names the needed bytes; with room, one run delivers."""
    fill(shop.data, leave=1 << 20)
    before = shop.sandbox.connections
    for number in (1, 2):
        result = shop.run("shop_sync", instance)
        assert not result.success
        assert "has no room for" in messages(result)
        assert outbox(shop) == []
        assert shop.sandbox.connections == before + number  # of the import goal
    (shop.data / FILLER).unlink()
    assert shop.run("shop_sync", instance).success
    assert outbox(shop) == ["spenders.csv"]
    (shop.root / "outbox" / "spenders.csv").unlink()
    assert shop.run("shop_sync", instance).success
    assert outbox(shop) == []
