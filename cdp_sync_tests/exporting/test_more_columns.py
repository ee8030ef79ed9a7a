"""Columns of lifecycle stages, viewed interactions and permission levels; profiles that permit no personal export."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import FileExportGoal, Lifecycle, Profiles, SftpConnection, export_fingerprint
from cdp_sync.model.consistency import find_problems, find_profile_problems
from cdp_sync_tests.exporting.cap_side import LIFECYCLE, CapSide
from cdp_sync_tests.exporting.exporter import EVERYBODY, NOON, PROPERTIES, column
from cdp_sync_tests.exporting.exporter import goal as file_goal
from cdp_sync_tests.model.test_exports import SERVER

LEVEL = {"name": "permission_level", "type": "number"}
SEEN = {"event": "dialogue_seen", "property": "dialogue"}
OTHER = {"name": "winback", "title": "Win back", "enter": LIFECYCLE["enter"], "stages": LIFECYCLE["stages"]}


def profiles(*, off: bool = False, level: dict[str, Any] | None = None) -> Profiles:
    """Return a profile model with interactions, a permission level and two lifecycles, the second of them on or off."""
    declared = {
        "properties": [*PROPERTIES, level or LEVEL],
        "segments": [EVERYBODY],
        "event_types": ["email_opened", {"name": "dialogue_seen", "properties": [{"name": "dialogue"}]}],
        "interactions": SEEN,
    }
    found = [LIFECYCLE, OTHER | {"enabled": not off}]
    return Profiles.model_validate(declared).with_lifecycles(map(Lifecycle.model_validate, found))


def goal(*columns: dict[str, Any], **more: Any) -> FileExportGoal:
    """Return a goal that exports the names and these columns."""
    form = {"multi_value": "|"} | more.pop("format", {})
    return file_goal(map=[column("name"), *columns], file={"name": "out.csv"}, format=form, **more)


@pytest.fixture
def side(tmp_path: Path) -> CapSide:
    """Three people with names."""
    made = CapSide(tmp_path, profiles=profiles())
    with made.warehouse.open("write") as session:
        session.execute("update warehouse.profile set name = upper(left(email, 2))")
    return made


def lines(side: CapSide, exported: FileExportGoal) -> list[str]:
    """Run the goal and return the lines of its file, without the header."""
    side.run(exported, NOON + timedelta(minutes=side.runs))
    (file,) = side.outbox.iterdir()
    return file.read_text(encoding="utf-8").splitlines()[1:]


def test_stages_are_exported_with_their_lifecycles(side: CapSide) -> None:
    """A column of lifecycles has `lifecycle: stage` of each that a profile is in, in the order declared."""
    for person, stage in ((1, "fresh"), (2, "unassigned"), (3, "completed")):
        side.enter(person, stage, NOON)
    with side.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.lifecycle_stage by name
            select 'winback' as lifecycle, profile_id, 'buyer' as stage, since
            from warehouse.lifecycle_stage where stage = 'fresh'"""
        )
    every = goal({"field": "Stages", "lifecycles": "all"})
    assert lines(side, every) == ["P1,welcome: fresh|winback: buyer", "P2,welcome: unassigned", "P3,"]
    some = goal({"field": "Stages", "lifecycles": ["winback"]}, name="some")
    assert lines(side, some) == ["P1,winback: buyer", "P2,", "P3,"]
    titles = goal({"field": "Stages", "lifecycles": ["winback"]}, name="titles", format={"ids_as_names": True})
    assert lines(side, titles)[0] == "P1,Win back: buyer"


def test_a_changed_stage_is_a_changed_row(side: CapSide) -> None:
    """With `changes: changed` a profile is exported again when a stage in its row has changed."""
    exported = goal({"field": "Stages", "lifecycles": "all"})
    side.enter(1, "fresh", NOON)
    lines(side, exported)
    side.enter(1, "buyer", NOON)
    assert lines(side, exported) == ["P1,welcome: buyer"]


def test_stages_of_a_lifecycle_that_is_off_are_not_exported(side: CapSide) -> None:
    """The stages of a lifecycle that is off are not kept, and not exported."""
    side.profiles = profiles(off=True)
    with side.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.lifecycle_stage by name
            select 'winback' as lifecycle, profile_id, 'buyer' as stage, now() as since from warehouse.profile"""
        )
    assert lines(side, goal({"field": "Stages", "lifecycles": ["welcome", "winback"]})) == ["P1,", "P2,", "P3,"]


def test_viewed_interactions_are_exported_once_each(side: CapSide) -> None:
    """A column of viewed interactions has each that the profile has ever seen, once, in order."""
    with side.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.event_dialogue_seen by name
            select uuid()::text as event_id, profile_id, timestamptz '2001-01-01 00:00:00+00' as happened_at,
                unnest(['poll', 'banner', 'poll']) as dialogue, now() as _written_at
            from warehouse.profile where name = 'P2'"""
        )
    seen = goal({"field": "Seen", "viewed_interactions": True})
    assert lines(side, seen) == ["P1,", "P2,banner|poll", "P3,"]
    assert seen.read_events(side.profiles) == ("dialogue_seen",)


def test_the_permission_level_is_two_where_nothing_is_known(side: CapSide) -> None:
    """A column of the permission level has its number; 2 for a profile, or a model, without one."""
    with side.warehouse.open("write") as session:
        session.execute("update warehouse.profile set permission_level = 1 where name = 'P1'")
    assert lines(side, goal({"field": "Level", "permission_level": True})) == ["P1,1", "P2,2", "P3,2"]
    side.profiles = Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY]})
    assert lines(side, goal({"field": "Level", "permission_level": True}, name="other")) == ["P1,2", "P2,2", "P3,2"]


def test_personal_properties_leave_at_level_two_only(side: CapSide) -> None:
    """Profiles of level 0 and 1 are not exported by goals with a personal property: addresses, unless declared so."""
    with side.warehouse.open("write") as session:
        session.execute("update warehouse.profile set permission_level = right(name, 1)::bigint - 1")
    report = side.run(goal(column("email")), NOON)
    assert (report.counters.profiles_without_consent, report.counters.profiles_written) == (2, 1)
    assert side.run(goal(name="names"), NOON).counters.profiles_written == 3
    personal = [{**prop, "personal": prop["name"] == "name"} for prop in PROPERTIES]
    side.profiles = Profiles.model_validate({"properties": [*personal, LEVEL], "segments": [EVERYBODY]})
    assert side.run(goal(name="names"), NOON).counters.profiles_without_consent == 2
    addresses = file_goal(map=[column("email")], name="addresses")
    assert side.run(addresses, NOON).counters.profiles_without_consent == 0


def problems_of(model: Profiles, *columns: dict[str, Any], **more: Any) -> list[str]:
    """Return the problems of a goal with these columns."""
    connection = {"name": "shop", "server": SERVER, "export_profiles": [goal(*columns, **more)]}
    return find_problems(SftpConnection.model_validate(connection), model)


def test_columns_that_do_not_fit_are_reported() -> None:
    """Unknown lifecycles, interactions that are not declared, and other permission levels are reported."""
    assert (
        "map[1].lifecycles: 'welcom' is unknown" in problems_of(profiles(), {"field": "S", "lifecycles": ["welcom"]})[0]
    )
    bare = Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY]})
    assert "map[1].viewed_interactions" in problems_of(bare, {"field": "S", "viewed_interactions": True})[0]
    texts = profiles(level={"name": "permission_level"})
    assert "map[1].permission_level" in problems_of(texts, {"field": "S", "permission_level": True})[0]
    one_value = {"multi_value": None}
    assert "multi_value" in problems_of(profiles(), {"field": "S", "lifecycles": "all"}, format=one_value)[0]


@pytest.mark.parametrize("wrong", [{"event": "seen", "property": "x"}, {"event": "email_opened", "property": "x"}])
def test_interactions_that_do_not_fit_are_reported(wrong: dict[str, str]) -> None:
    """Interactions of an unknown type of events, or with an unknown property, are reported."""
    declared = {"properties": PROPERTIES, "event_types": ["email_opened"], "interactions": wrong}
    (problem,) = find_profile_problems(Profiles.model_validate(declared))
    assert problem.startswith(("interactions.event: 'seen' is unknown", "interactions.property: 'x' is unknown"))


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"name": "welcom"}, "lifecycle.name: 'welcom' is unknown"),
        ({"stages": ["frsh"]}, "lifecycle.stages[0]: 'frsh' is unknown"),
        ({"stages": ["completed"]}, "lifecycle.stages[0]: 'completed' is no stage"),
        ({"counts": "email_opend"}, "lifecycle.counts: 'email_opend' is unknown"),
    ],
)
def test_a_lifecycle_that_does_not_fit_is_reported(part: dict[str, Any], place: str) -> None:
    """Unknown lifecycles, stages and types of events are reported with what is allowed."""
    (problem,) = problems_of(profiles(), lifecycle={"name": "welcome"} | part)
    assert problem.startswith(f"export_profiles[0].{place}")


def test_the_lifecycle_is_not_part_of_the_fingerprint() -> None:
    """A changed threshold delivers nobody again."""
    capped = goal(lifecycle={"name": "welcome", "threshold": {"times": 1, "per": "day"}})
    assert export_fingerprint(capped, profiles()) == export_fingerprint(goal(), profiles())
