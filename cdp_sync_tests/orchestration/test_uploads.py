"""Leftovers of a killed run on a server are removed by later runs."""

import json
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync_tests.projects import SPENDERS, Project, export

PART = ".spenders.csv.0123456789abcdef.part"


@pytest.fixture
def shop(project: Project) -> Project:
    """An export connection without profiles. A part of an earlier file is on the server."""
    project.describe(segments=[SPENDERS])
    project.connect("shop", export_profiles=[export()])
    project.deliver(f"/outbox/{PART}", "ada@example.com")
    return project


def note(project: Project) -> Path:
    """Record the part as a killed run does."""
    upload = {
        "server": f"shop@{project.sandbox.host}:{project.sandbox.port}",
        "path": "/outbox/spenders.csv",
        "part": f"/outbox/{PART}",
        "aside": f"/outbox/{PART.replace('part', 'old')}",
    }
    file = project.data / "uploads" / "shop" / "1.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(upload) + "\n")
    return file


def warnings(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return the warnings in a run's log."""
    return [entry.user_message for entry in instance.all_logs(run_id) if entry.level == 30]


def test_a_run_without_delivery_removes_leftovers(shop: Project, instance: dg.DagsterInstance) -> None:
    """A run without a delivery connects only to remove leftovers."""
    assert shop.run("shop_sync", instance).success
    assert shop.sandbox.connections == 0
    file = note(shop)
    result = shop.run("shop_sync", instance)
    assert result.success
    assert warnings(instance, result.run_id) == []
    assert (shop.sandbox.connections, list((shop.root / "outbox").iterdir()), file.exists()) == (1, [], False)


def test_an_unreachable_server_fails_no_run(shop: Project, instance: dg.DagsterInstance) -> None:
    """An unreachable server is a warning in the run's log, and the note stays for the next run."""
    file = note(shop)
    shop.sandbox.__exit__(None, None, None)
    result = shop.run("shop_sync", instance)
    assert result.success
    (warning,) = warnings(instance, result.run_id)
    assert warning.startswith("What an earlier upload left on the server could not be removed. ")
    assert file.exists()


def test_a_leftover_that_stays_is_named(shop: Project, instance: dg.DagsterInstance) -> None:
    """A leftover that cannot be removed is named with its server in each run's log."""
    file = note(shop)
    file.write_text(file.read_text().replace(f"{shop.sandbox.port}", "22").replace(PART[-21:], "fedcba9876543210.part"))
    for _ in range(2):
        result = shop.run("shop_sync", instance)
        assert result.success
        (warning,) = warnings(instance, result.run_id)
        assert warning.startswith("'/outbox/.spenders.csv.fedcba9876543210.part' may be left on shop@127.0.0.1:22, ")
    assert [path.name for path in (shop.root / "outbox").iterdir()] == [PART]


def test_each_connection_has_its_own_notes(shop: Project, instance: dg.DagsterInstance) -> None:
    """Each connection removes the leftovers in its own notes only."""
    file = note(shop)
    shop.connect("other", export_profiles=[export()])
    assert shop.run("other_sync", instance).success
    assert file.exists()
    assert [path.name for path in (shop.root / "outbox").iterdir()] == [PART]
    assert shop.run("shop_sync", instance).success
    assert list((shop.root / "outbox").iterdir()) == []


@pytest.mark.parametrize("kind", ["a folder", "a link to itself"])
def test_an_invalid_note_fails_no_run(kind: str, shop: Project, instance: dg.DagsterInstance) -> None:
    """A file that is no note is skipped with a warning; the other notes are processed."""
    file = note(shop)
    other = file.with_name("0.json")
    other.mkdir() if kind == "a folder" else other.symlink_to(other)
    result = shop.run("shop_sync", instance)
    assert result.success
    (warning,) = warnings(instance, result.run_id)
    assert warning.startswith(f"The note of an upload {other} cannot be read")
    assert (list((shop.root / "outbox").iterdir()), file.exists()) == ([], False)
