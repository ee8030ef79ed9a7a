"""Imports killed at any instant and run again end where imports end that were never killed."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableProject, UserImportGoal
from cdp_sync.importing import ImportRun
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import HOUR, MINUTE, Crm, bring, column, iterable, person, users_goal
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import state_of


def die_at_call(method: str) -> None:
    """Have this process die after a call of the client."""
    work = getattr(IterableClient, method)

    def deadly(*arguments: Any, **options: Any) -> None:
        work(*arguments, **options)
        victim.die()

    setattr(IterableClient, method, deadly)


def killed(run: ImportRun, goal: UserImportGoal, project: IterableProject, now: float, at: str | int) -> None:
    """Import, and die after a call, or at one of the statements that write."""
    if isinstance(at, str):
        die_at_call(at)
    else:
        victim.die_at(at, only="insert")
    bring(run, goal, project, now)


def second_run(folder: Path, box: IterableSandbox) -> Crm:
    """Return a goal that has imported once; since then one user changed and one came."""
    crm = Crm(folder=folder, box=box, goal=users_goal(map=[column("spent", "number_one", "sum")]))
    box.load(person(name, spent=number) for number, name in enumerate(("ann", "bob", "cat"), 5))
    crm.run()
    box.clock.advance(HOUR)
    crm.change("bob@example.com", spent=60)
    box.load([person("dan", updated=-HOUR, spent=1)])
    box.clock.advance(6 * MINUTE)
    return crm


def state(crm: Crm) -> dict[str, Any]:
    """Return what the warehouse holds."""
    return {**state_of(crm.warehouse), "watermarks": dict(crm.watermarks())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it holds where nothing was killed."""
    with iterable() as box:
        crm = second_run(tmp_path_factory.mktemp("undisturbed"), box)
        crm.run()
        assert crm.people("number_one") == [(1,), (5,), (7,), (60,)]
        return state(crm)


@pytest.mark.parametrize("at", ["fields", "stream_users", 1, 3, 6, 9, 12, 15], ids=str)
def test_a_killed_import_is_finished_by_the_next(
    at: str | int, undisturbed: dict[str, Any], box: IterableSandbox, tmp_path: Path
) -> None:
    """Nobody is lost, no sum is added twice, and the watermark stands where it would."""
    crm = second_run(tmp_path / "crm", box)
    before = state(crm)
    process = victim.start(killed, crm.next_run(), crm.goal, crm.project, box.clock(), at)
    assert victim.exit_code(process) == victim.KILLED
    assert state(crm) in (before, undisturbed)
    crm.run()
    assert state(crm) == undisturbed
