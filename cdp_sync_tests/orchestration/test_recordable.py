"""Nobody is delivered whose delivery cannot be recorded: they would be delivered again by each run."""

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
    """A shop whose people are imported and not exported yet; its data folder is a small disk of its own."""
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
    """Fill a disk but for so many bytes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / FILLER).open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - leave)


def outbox(project: Project) -> list[str]:
    """Return what lies in the directory that is exported to, hidden files included."""
    return sorted(path.name for path in (project.root / "outbox").iterdir())


def messages(result: dg.ExecuteInProcessResult) -> str:
    """Return why steps of a run failed."""
    return "\n".join(
        event.step_failure_data.error_display_string for event in result.all_events if event.is_step_failure
    )


def test_a_warehouse_that_can_only_be_read_delivers_to_nobody(shop: Project, instance: dg.DagsterInstance) -> None:
    """It fails before anybody is delivered, and names the file."""
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


def test_a_full_disk_delivers_to_nobody(shop: Project, instance: dg.DagsterInstance) -> None:
    """Run after run fails before it connects, and says how much room is needed; with room, one run delivers, once."""
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
