"""Exports killed at any instant and run again end where exports end that were never killed."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import batches
from cdp_sync.connectors.iterable.audience import IterableAudience
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableProject
from cdp_sync.errors import ConnectionLost
from cdp_sync.exporting import UserRun, deliver_users, record_users, select_segment, write_users
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import HOUR, client, iterable
from cdp_sync_tests.iterable.exporting import Exchange, audience, deliver, exchange, profile
from cdp_sync_tests.trail import victim

PEOPLE = [f"p{number}" for number in range(12)]
FOUR = 4


@pytest.fixture(autouse=True)
def four_to_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three calls for all."""
    monkeypatch.setattr(batches, "MOST_USERS", FOUR)


def second_run(folder: Path, box: IterableSandbox) -> Exchange:
    """Return an export that is to come: some entered since the first one, one leaves, one has changed.

    Iterable knew two people, one of them on the list.
    """
    box.load([{"list": "Red"}, {"email": "p0@example.com"}, {"email": "p1@example.com", "lists": ["Red"]}])
    crm = exchange(folder, box, audience(segment="keen", lists=["Red"], remove_from_lists=True))
    crm.hold(profile(name, keen=number < 4) for number, name in enumerate(PEOPLE))
    crm.run()
    box.clock.advance(HOUR)
    crm.change("update warehouse.profile set keen = email <> 'p3@example.com'")
    crm.change("update warehouse.profile set text_one = 'new' where email = 'p2@example.com'")
    return crm


def state(crm: Exchange) -> dict[str, Any]:
    """Return what is known on both sides, without ids and times of a run's own."""
    users = crm.box.project.users.values()
    return {
        "users": sorted((user.email, sorted(user.fields.items()), user.list_ids) for user in users),
        "ledger": sorted(crm.rows("select profile_id, row_hash from warehouse.exported_profile")),
        "members": sorted(crm.rows("select profile_id, list, key, id from warehouse.list_member")),
        "intents": crm.rows("select * from warehouse.list_intent"),
        "quarantine": crm.rows("select raw, reason from warehouse.quarantine"),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is known where nothing was killed."""
    with iterable() as box:
        crm = second_run(tmp_path_factory.mktemp("undisturbed"), box)
        crm.run()
        assert len(crm.rows("select * from warehouse.list_member")) == 10  # all but p1 and p3
        return state(crm)


def killed(run: UserRun, project: IterableProject, endpoint: str, number: int, *, after: bool) -> None:
    """Export, and die at a call of many, or at a statement that records."""
    ask, seen, batches.MOST_USERS = IterableClient.ask, 0, FOUR

    def asking(calling: IterableClient, call: Any, *more: Any, **options: Any) -> Any:
        nonlocal seen
        seen += call.endpoint == endpoint
        dies = call.endpoint == endpoint and seen == number
        if dies and not after:
            victim.die()
        found = ask(calling, call, *more, **options)
        if dies:
            victim.die()
        return found

    if endpoint in ("begin", "insert", "commit"):
        victim.die_at(number, only=endpoint, after=after)
    else:
        IterableClient.ask = asking  # type: ignore[method-assign]
    deliver(run, project)


@pytest.mark.parametrize(
    ("endpoint", "number", "after"),
    [
        ("users/getFields", 1, False),
        ("lists/unsubscribe", 1, True),
        ("users/bulkUpdate", 1, False),
        ("users/bulkUpdate", 2, True),
        ("lists/subscribe", 1, False),
        ("lists/subscribe", 3, True),
        ("users/getByEmail", 1, False),
        ("begin", 1, False),
        ("insert", 1, False),
        ("insert", 3, True),
        ("commit", 1, False),
        ("commit", 1, True),
    ],
)
def test_a_killed_export_is_finished_by_the_next(
    endpoint: str, number: int, *, after: bool, undisturbed: dict[str, Any], box: IterableSandbox, tmp_path: Path
) -> None:
    """Users, lists, ledger and who was put on a list are as if nothing had happened."""
    crm = second_run(tmp_path / "crm", box)
    process = victim.start(partial(killed, after=after), crm.next_run(), crm.project, endpoint, number)
    assert victim.exit_code(process) == victim.KILLED
    box.clock.advance(HOUR)
    crm.run()
    assert state(crm) == undisturbed


def test_a_step_tried_again_goes_on(undisturbed: dict[str, Any], box: IterableSandbox, tmp_path: Path) -> None:
    """Users with an outcome are not sent again, those that the first attempt put on the list stay the goal's."""
    crm = second_run(tmp_path / "crm", box)
    run = crm.next_run()
    counters = select_segment(run)
    users, leavers = write_users(run)

    class Breaking(IterableClient):
        """Breaks off at the third call for many."""

        def ask(self, call: Any, cancelled: Any = None) -> Any:
            """Make a call."""
            if call.endpoint == "lists/subscribe" and box.calls.count("lists/subscribe", "POST") == first + 1:
                raise ConnectionLost("The line dropped.")
            return super().ask(call, cancelled)

    first = box.calls.count("lists/subscribe", "POST")
    with client(crm.project) as calling:
        calling.__class__ = Breaking
        with pytest.raises(ConnectionLost):
            deliver_users(run, IterableAudience(calling, crm.goal))
    with client(crm.project) as calling:
        deliver_users(run, IterableAudience(calling, crm.goal))
    assert users == 9
    assert record_users(run, counters, leavers).counters == record_users(run, counters, leavers).counters
    assert state(crm) == undisturbed
