"""Goals of a lifecycle that export to a Sailthru sandbox: caps by imported events, lists, stages as arrays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cdp_sync.model import ExportReport, Lifecycle, Profiles
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync.warehouse import sync_events
from cdp_sync_tests.exporting.cap_side import LIFECYCLE
from cdp_sync_tests.exporting.exporter import EVERYBODY
from cdp_sync_tests.sailthru.exchange import PROPERTIES, Exchange, column, person, sailthru, users_goal

NAMES = ("ada", "bob", "cleo")
STAGES = {"name": "welcome", "stages": ["fresh"]}
OPENED = {**STAGES, "threshold": {"times": 1, "per": "week"}, "counts": "email_opened"}


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Exchange]:
    """Three people in the first stage."""
    with sailthru() as box:
        yield _exchange(tmp_path, box)


def _exchange(folder: Path, box: SailthruSandbox) -> Exchange:
    declared = {"properties": PROPERTIES, "segments": [EVERYBODY], "event_types": ["email_opened"]}
    profiles = Profiles.model_validate(declared).with_lifecycles([Lifecycle.model_validate(LIFECYCLE)])
    goal = users_goal(lists=["Welcome"], remove_from_lists=True, lifecycle=OPENED, changes="all")
    crm = Exchange(folder / "crm", goal=goal, box=box, profiles=profiles)
    crm.hold(person(name) for name in NAMES)
    with crm.warehouse.open("write") as session:
        sync_events(session, profiles)
        session.execute(
            """insert into warehouse.lifecycle_stage by name
            select 'welcome' as lifecycle, profile_id, 'fresh' as stage, $at as since from warehouse.profile""",
            {"at": now(crm) - timedelta(days=30)},
        )
    return crm


def now(crm: Exchange) -> datetime:
    """Return the moment on everybody's clock."""
    return datetime.fromtimestamp(crm.box.clock(), UTC)


def ends(report: ExportReport) -> tuple[int, int, int, int | None]:
    """Return how many were written, capped and outside, and how many were taken off lists."""
    counters = report.counters
    outside = counters.profiles_outside_lifecycle
    return counters.profiles_written, counters.profiles_capped, outside, report.profiles_taken_off


def test_imported_opens_count_and_capped_members_stay_on_lists(crm: Exchange) -> None:
    """Who has opened an e-mail is capped and stays on the list; who leaves the stage is taken off it."""
    assert ends(crm.run()) == (3, 0, 0, 0)
    with crm.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.event_email_opened by name
            select 'o1' as event_id, $owner as profile_id, $at as happened_at, now() as _written_at""",
            {"owner": UUID(int=1), "at": now(crm)},
        )
    opened = now(crm)
    crm.box.clock.advance(3600)
    report = crm.run()
    assert (ends(report), report.capped_until) == ((2, 1, 0, 0), (opened + timedelta(days=7),) * 2)
    assert crm.on("Welcome") == {f"{name}@example.com" for name in NAMES}
    crm.change("update warehouse.lifecycle_stage set stage = 'buyer' where profile_id::text like '%2'")
    assert ends(crm.run()) == (1, 1, 1, 1)
    assert crm.on("Welcome") == {"ada@example.com", "cleo@example.com"}
    crm.box.clock.advance(7 * 86_400)
    assert ends(crm.run()) == (2, 0, 1, 0)


def test_a_lifecycle_that_is_off_leaves_lists_as_they_are(crm: Exchange) -> None:
    """While the lifecycle is off nobody is exported, and nobody is taken off a list."""
    crm.run()
    off = Lifecycle.model_validate(LIFECYCLE | {"enabled": False})
    crm.profiles = crm.profiles.with_lifecycles([off])
    assert ends(crm.run()) == (0, 0, 3, 0)
    assert len(crm.on("Welcome")) == 3


def test_stages_are_exported_as_arrays(crm: Exchange) -> None:
    """A field of lifecycles is an array of texts, and the permission level a number."""
    columns = [{"field": "stages", "lifecycles": "all"}, {"field": "level", "permission_level": True}]
    crm.goal = users_goal(map=[column("text_one"), *columns])
    crm.run()
    assert crm.vars("ada@example.com") == {"text_one": "ada", "stages": ["welcome: fresh"], "level": 2}


def test_refused_users_are_not_touched(crm: Exchange) -> None:
    """An export counts for users who were accepted; of others the reservation is taken back."""
    crm.goal = users_goal(create_users=False, lifecycle={**STAGES, "counts": "export"})
    crm.box.account.add_users([{"email": "ada@example.com"}])
    assert crm.run().counters.profiles_unmatched == 2
    assert crm.rows("select profile_id from warehouse.touchpoint") == [(UUID(int=1),)]
    assert crm.rows("from warehouse.touch_reservation") == []
