"""What a killed run left on a server is cleared up by runs that do not depend on it."""

import json
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync_tests.projects import SPENDERS, Project, export

PART = ".spenders.csv.0123456789abcdef.part"


@pytest.fixture
def shop(project: Project) -> Project:
    """A shop that exports, and has nobody to deliver; a part of an earlier file is on the server."""
    project.describe(segments=[SPENDERS])
    project.connect("shop", export_profiles=[export()])
    project.deliver(f"/outbox/{PART}", "ada@example.com")
    return project


def note(project: Project) -> Path:
    """Note the part as a run does that is killed then."""
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


def test_a_run_that_sends_nothing_clears_up(shop: Project, instance: dg.DagsterInstance) -> None:
    """It connects for that alone; where nothing is noted it does not connect at all."""
    assert shop.run("shop_sync", instance).success
    assert shop.sandbox.connections == 0
    file = note(shop)
    result = shop.run("shop_sync", instance)
    assert result.success
    assert warnings(instance, result.run_id) == []
    assert (shop.sandbox.connections, list((shop.root / "outbox").iterdir()), file.exists()) == (1, [], False)


def test_a_server_that_is_away_fails_no_run(shop: Project, instance: dg.DagsterInstance) -> None:
    """The run's log says so, and the note stays for the next run."""
    file = note(shop)
    shop.sandbox.__exit__(None, None, None)
    result = shop.run("shop_sync", instance)
    assert result.success
    (warning,) = warnings(instance, result.run_id)
    assert warning.startswith("What an earlier upload left on the server could not be removed. ")
    assert file.exists()


def test_what_must_not_be_removed_is_named(shop: Project, instance: dg.DagsterInstance) -> None:
    """By path and server, in each run's log, until somebody has removed it."""
    file = note(shop)
    file.write_text(file.read_text().replace(f"{shop.sandbox.port}", "22").replace(PART[-21:], "fedcba9876543210.part"))
    for _ in range(2):
        result = shop.run("shop_sync", instance)
        assert result.success
        (warning,) = warnings(instance, result.run_id)
        assert warning.startswith("'/outbox/.spenders.csv.fedcba9876543210.part' may be left on shop@127.0.0.1:22, ")
    assert [path.name for path in (shop.root / "outbox").iterdir()] == [PART]


def test_another_connection_to_the_server_has_its_own(shop: Project, instance: dg.DagsterInstance) -> None:
    """What one has noted is the other's to leave alone."""
    file = note(shop)
    shop.connect("other", export_profiles=[export()])
    assert shop.run("other_sync", instance).success
    assert file.exists()
    assert [path.name for path in (shop.root / "outbox").iterdir()] == [PART]
    assert shop.run("shop_sync", instance).success
    assert list((shop.root / "outbox").iterdir()) == []


@pytest.mark.parametrize("kind", ["a folder", "a link to itself"])
def test_what_is_no_note_fails_no_run(kind: str, shop: Project, instance: dg.DagsterInstance) -> None:
    """It is passed over with a warning that names it, and what is noted beside it is cleared up."""
    file = note(shop)
    other = file.with_name("0.json")
    other.mkdir() if kind == "a folder" else other.symlink_to(other)
    result = shop.run("shop_sync", instance)
    assert result.success
    (warning,) = warnings(instance, result.run_id)
    assert warning.startswith(f"The note of an upload {other} cannot be read")
    assert (list((shop.root / "outbox").iterdir()), file.exists()) == ([], False)
