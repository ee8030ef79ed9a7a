"""Goals of a lifecycle that export to an Iterable sandbox: an export counts as one touch."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdp_sync.model import Lifecycle, Profiles
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.exporting.cap_side import LIFECYCLE
from cdp_sync_tests.exporting.exporter import EVERYBODY
from cdp_sync_tests.iterable.exporting import PROPERTIES, Exchange, addresses, audience, exchange, mapped, profile

NAMES = ("ann", "bob", "cat")
ONCE = {"name": "welcome", "stages": ["fresh"], "threshold": {"times": 1, "per": "day"}, "counts": "export"}


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path) -> Exchange:
    """Three people in the first stage."""
    declared = {"properties": PROPERTIES, "segments": [EVERYBODY], "event_types": ["email_opened"]}
    profiles = Profiles.model_validate(declared).with_lifecycles([Lifecycle.model_validate(LIFECYCLE)])
    goal = audience(lifecycle=ONCE, changes="all", lists=["Welcome"], remove_from_lists=True)
    made = exchange(tmp_path / "crm", box, goal, profiles=profiles)
    made.hold(profile(name) for name in NAMES)
    with made.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.lifecycle_stage by name
            select 'welcome' as lifecycle, profile_id, 'fresh' as stage, $at as since from warehouse.profile""",
            {"at": datetime.fromtimestamp(box.clock(), UTC) - timedelta(days=1)},
        )
    return made


def test_an_export_counts_as_one_touch(crm: Exchange) -> None:
    """Exported people are capped for a day and stay on the list; who leaves the stage is taken off it."""
    assert crm.run().counters.profiles_written == 3
    report = crm.run()
    assert (report.counters.profiles_capped, report.profiles_taken_off) == (3, 0)
    assert crm.on("Welcome") == addresses(NAMES)
    crm.change("update warehouse.lifecycle_stage set stage = 'buyer' where profile_id::text like '%2'")
    report = crm.run()
    assert (report.counters.profiles_outside_lifecycle, report.profiles_taken_off) == (1, 1)
    assert crm.on("Welcome") == addresses(("ann", "cat"))
    crm.box.clock.advance(86_400)
    assert crm.run().counters.profiles_written == 2


def test_two_goals_share_the_cap(crm: Exchange) -> None:
    """The second goal of the stage finds everybody capped, as the first one has exported them."""
    crm.run()
    crm.goal = audience(name="second", lifecycle=ONCE, map=[mapped("text_one", "other")])
    assert crm.run().counters.profiles_capped == 3


def test_stages_are_exported_as_arrays(crm: Exchange) -> None:
    """A field of lifecycles is an array of texts."""
    crm.goal = audience(map=[mapped("text_one"), {"field": "stages", "lifecycles": "all"}])
    crm.run()
    assert crm.fields("bob@example.com") == {"text_one": "bob", "stages": ["welcome: fresh"]}
