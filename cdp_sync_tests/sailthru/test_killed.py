"""Runs that are killed at any point and run again end as runs without a kill."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sailthru.audience import SailthruAudience
from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.errors import ConnectionLost
from cdp_sync.exporting import deliver_users, record_users, select_segment, write_users
from cdp_sync.importing import ImportRun
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.sailthru import victims
from cdp_sync_tests.sailthru.exchange import (
    ZONE,
    Exchange,
    client_without_pauses,
    column,
    lists_goal,
    person,
    sailthru,
    users_goal,
)
from cdp_sync_tests.sailthru.victims import At
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import state_of

PEOPLE = [f"p{number}" for number in range(12)]
HOUR = 3600.0


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """A Sailthru sandbox with two users, one of them on the list."""
    with sailthru() as served:
        served.account.add_users(
            [{"email": "p0@example.com", "vars": {"plan": "pro"}}, {"email": "p1@example.com", "lists": {"Red": 1}}]
        )
        yield served


def exchange(folder: Path, box: SailthruSandbox, bulk_from: int) -> Exchange:
    """Return an exchange before its second run: some profiles entered, one left, one changed."""
    goal = users_goal(segment="keen", lists=["Red"], remove_from_lists=True, bulk_from=bulk_from)
    crm = Exchange(folder, goal=goal, box=box)
    crm.hold(person(name, keen=number < 4) for number, name in enumerate(PEOPLE))
    crm.run()
    box.clock.advance(HOUR)
    crm.change("update warehouse.profile set keen = email <> 'p3@example.com'")
    crm.change("update warehouse.profile set text_one = 'new' where email = 'p2@example.com'")
    return crm


def outcome(crm: Exchange) -> dict[str, Any]:
    """Return the state on both sides, without the ids and times of runs."""
    users = crm.box.account.users.values()
    return {
        "users": sorted((user.email, sorted(user.vars.items()), sorted(user.lists)) for user in users),
        "ledger": sorted(crm.rows("select profile_id, row_hash from warehouse.exported_profile")),
        "members": sorted(crm.rows("select profile_id, list, key from warehouse.list_member")),
        "quarantine": crm.rows("select raw, reason from warehouse.quarantine"),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state without a kill."""
    with sailthru() as served:
        served.account.add_users(
            [{"email": "p0@example.com", "vars": {"plan": "pro"}}, {"email": "p1@example.com", "lists": {"Red": 1}}]
        )
        crm = exchange(tmp_path_factory.mktemp("undisturbed"), served, 1000)
        crm.run()
        assert len(served.account.users) == len(PEOPLE)
        return outcome(crm)


SINGLES, BULK = 1000, 1
POINTS = {
    "before anybody is sent": (SINGLES, At("user", "POST")),
    "in the middle of singles": (SINGLES, At("user", "POST", 6, after=True)),
    "when the file is sent": (BULK, At("job", "POST", after=True)),
    "before the list is asked for": (BULK, At("job", "POST", 2)),
    "while the list is fetched": (BULK, At("export", "GET")),
    "before recording": (BULK, {"number": 1, "only": "begin"}),
    "inside recording": (SINGLES, {"number": 1, "only": "insert into warehouse.run"}),
    "at the end of recording": (SINGLES, {"number": 1, "only": "commit"}),
    "after recording": (BULK, {"number": 1, "only": "commit", "after": True}),
}


@pytest.mark.parametrize("point", POINTS)
def test_an_export_killed_and_run_again(
    point: str, undisturbed: dict[str, Any], box: SailthruSandbox, tmp_path: Path
) -> None:
    """Users, lists, ledger and list members equal those without a kill, without doubles."""
    bulk_from, deadly = POINTS[point]
    crm = exchange(tmp_path / "crm", box, bulk_from)
    dead = victim.start(victims.export, crm.next_run(), box.url, deadly)
    assert victim.exit_code(dead) == victim.KILLED
    crm.run()
    assert outcome(crm) == undisturbed


def test_an_export_killed_and_run_again_an_hour_later(
    undisturbed: dict[str, Any], box: SailthruSandbox, tmp_path: Path
) -> None:
    """A user that the killed run added to a list counts as added by the goal, even an hour later."""
    crm = exchange(tmp_path / "crm", box, SINGLES)
    dead = victim.start(victims.export, crm.next_run(), box.url, {"number": 1, "only": "begin"})
    assert victim.exit_code(dead) == victim.KILLED
    box.clock.advance(HOUR)
    crm.run()
    assert outcome(crm) == undisturbed


class Breaking(SailthruClient):
    """Drops the connection after some users."""

    def update_each(self, users: Any) -> Any:
        """Send five users, then fail."""
        for number, answer in enumerate(super().update_each(users)):
            if number == 5:
                raise ConnectionLost("The line dropped.")
            yield answer


def test_a_retried_step_continues(undisturbed: dict[str, Any], box: SailthruSandbox, tmp_path: Path) -> None:
    """A retried step does not send profiles with a recorded outcome; recording is idempotent."""
    crm = exchange(tmp_path / "crm", box, SINGLES)
    run = crm.next_run()
    counters = select_segment(run)
    users, leavers = write_users(run)
    with client_without_pauses(box.url) as client:
        client.__class__ = Breaking
        with pytest.raises(ConnectionLost):
            deliver_users(run, SailthruAudience(client, crm.goal))
    box.clock.advance(HOUR)
    before = box.calls.count("user", "POST")
    with client_without_pauses(box.url) as client:
        deliver_users(run, SailthruAudience(client, crm.goal))
    assert box.calls.count("user", "POST") - before == users - 5
    assert record_users(run, counters, leavers).counters == record_users(run, counters, leavers).counters
    assert outcome(crm) == undisturbed


# Imports


MEMBERS = [
    {
        "sid": f"{number:024x}",
        "email": f"{name}@example.com",
        "vars": {"text_one": name.upper()},
        "lists": {"Main": 1_600_000_000},
    }
    for number, name in enumerate(PEOPLE, start=1)
]
GOAL = lists_goal(link=[{"field": "email", "property": "email"}], map=[column("text_one"), column("customer", "sid")])

KILLS = {
    "while the job runs": At("job", "GET", after=True),
    "before the download": At("export", "GET"),
    "after the download": At("export", "GET", after=True),
    "while addresses are asked for": At("user", "GET", 5, after=True),
    "when all are known": At("user", "GET", 12, after=True),
    "inside the transaction": {"number": 1, "only": "update warehouse.revision"},
}


def landed(crm: Exchange) -> dict[str, Any]:
    """Return the content of the warehouse, without the times of list imports."""
    return {name: held for name, held in state_of(crm.warehouse).items() if name != "ledger"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The content of the warehouse without a kill."""
    with sailthru() as served:
        served.account.add_users(MEMBERS)
        crm = Exchange(tmp_path_factory.mktemp("imported"), goal=users_goal(), box=served)
        assert crm.import_list(GOAL).counters.profiles_created == len(PEOPLE)
        return landed(crm)


@pytest.mark.parametrize("point", KILLS)
def test_an_import_killed_and_run_again(point: str, imported: dict[str, Any], tmp_path: Path) -> None:
    """The warehouse equals that without a kill."""
    with sailthru() as served:
        served.account.add_users(MEMBERS)
        crm = Exchange(tmp_path / "crm", goal=users_goal(), box=served)
        own = tmp_path / "dead"
        own.mkdir()
        run = ImportRun("dead", "crm", GOAL.as_import(ZONE, crm.profiles), crm.profiles, crm.warehouse, own / "staged")
        dead = victim.start(victims.import_list, run, GOAL, served.url, KILLS[point])
        assert victim.exit_code(dead) == victim.KILLED
        crm.import_list(GOAL)
        assert landed(crm) == imported
