"""Exports of events killed at any instant and run again end where exports end that were never killed."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import batches, event_delivery
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableProject
from cdp_sync.exporting import UserRun
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.event_exporting import TO_PURCHASE, TO_VISIT, WITH_EVENTS, happened, item, stored
from cdp_sync_tests.iterable.exchange import HOUR, iterable
from cdp_sync_tests.iterable.exporting import Exchange, audience, deliver, exchange, profile
from cdp_sync_tests.trail import victim

THREE = 3


@pytest.fixture(autouse=True)
def few_to_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several calls and portions."""
    monkeypatch.setattr(batches, "MOST_USERS", THREE)
    monkeypatch.setattr(event_delivery, "MOST_EVENTS", 7)


def second_run(folder: Path, box: IterableSandbox) -> Exchange:
    """Return an export that is to come: new people, new events of everybody, and events that changed."""
    crm = exchange(folder, box, audience(events=[TO_PURCHASE, TO_VISIT], segment="keen"), profiles=WITH_EVENTS)
    crm.hold(profile(f"p{number}", keen=number < 3) for number in range(1, 6))
    for person in range(1, 6):
        visits = [{"event_id": f"v{person}-{number}", "days": 20 - number, "minutes": number} for number in range(4)]
        happened(crm, "visit", person, *visits)
        order = {"event_id": f"o{person}", "total_revenue": 3, "products": [item(person)]}
        happened(crm, "order", person, order, {**order, "event_id": f"x{person}", "total_revenue": None})
    crm.run()
    box.clock.advance(HOUR)
    crm.change("update warehouse.profile set keen = true")
    happened(crm, "visit", 1, {"event_id": "v1-0", "store": "Ulm"}, {"event_id": "new", "store": "Ulm"})
    return crm


def state(crm: Exchange) -> dict[str, Any]:
    """Return what is known on both sides, without times of a run's own."""
    events = sorted((name, event.user.email, event.created, str(event.fields)) for name, event in stored(crm).items())
    ledger = "select event_type, day, event_hash, row_hash from warehouse.exported_event order by all"
    return {
        "events": events,
        "ledger": crm.rows(ledger),
        "until": crm.rows("select event_type, written_at from warehouse.exported_until order by all"),
        "people": crm.rows("select profile_id from warehouse.exported_event_profile order by all"),
        "quarantine": crm.rows("select distinct raw, reason from warehouse.quarantine order by all"),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is known where nothing was killed."""
    with iterable() as box:
        crm = second_run(tmp_path_factory.mktemp("undisturbed"), box)
        crm.run()
        found = state(crm)
        assert (len(found["events"]), len(found["ledger"]), len(found["quarantine"])) == (26, 31, 5)
        return found


def killed(run: UserRun, project: IterableProject, endpoint: str, number: int, *, after: bool) -> None:
    """Export, and die at a call with events, or at a statement that records."""
    ask, seen, batches.MOST_USERS, event_delivery.MOST_EVENTS = IterableClient.ask, 0, THREE, 7

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

    if endpoint in ("begin", "insert", "delete", "commit"):
        victim.die_at(number, only=endpoint, after=after)
    else:
        IterableClient.ask = asking  # type: ignore[method-assign]
    deliver(run, project)


@pytest.mark.parametrize(
    ("endpoint", "number", "after"),
    [
        ("users/bulkUpdate", 1, True),
        ("commerce/trackPurchase", 1, False),
        ("commerce/trackPurchase", 2, True),
        ("events/trackBulk", 1, False),
        ("events/trackBulk", 2, True),
        ("events/trackBulk", 5, True),
        ("begin", 1, False),
        ("delete", 3, True),
        ("insert", 4, True),
        ("commit", 1, False),
        ("commit", 1, True),
    ],
)
def test_a_killed_export_is_finished_by_the_next(
    endpoint: str, number: int, *, after: bool, undisturbed: dict[str, Any], box: IterableSandbox, tmp_path: Path
) -> None:
    """Events, ledger and quarantine are as if nothing had happened."""
    crm = second_run(tmp_path / "crm", box)
    process = victim.start(partial(killed, after=after), crm.next_run(), crm.project, endpoint, number)
    assert victim.exit_code(process) == victim.KILLED
    box.clock.advance(HOUR)
    crm.run()
    assert state(crm) == undisturbed
