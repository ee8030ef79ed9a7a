"""An export looks at those who may have changed, and chooses the profiles that a full pass over a copy chooses."""

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting import export_file
from cdp_sync.model import ExportCounters, FileExportGoal
from cdp_sync.warehouse.clock import clock_of, forget_touches, touch, touch_everybody
from cdp_sync_tests.exporting.changing import (
    COLUMNS,
    CONDITIONS,
    FIRMS,
    NO_BOB,
    ORDERS,
    PEOPLE,
    Compared,
    file_goal,
)
from cdp_sync_tests.exporting.exporter import NOON, Folder
from cdp_sync_tests.generated import examples

STEPS = st.sampled_from(
    ["person", "person", "person", "order", "order", "firm", "merge", "unmerge", "expire", "stages", "later", "back",
     "fail", "declare", "forget"]
)  # fmt: skip
HOURS = st.sampled_from([0, 1, 12, 24, 30, 47, 48, 60, 72, 96, -24, -72])
"""Distances of moments from now: many of them are borders of windows."""


def happen(data: st.DataObject, compared: Compared) -> None:
    """Let something happen to the warehouse, or to the time."""
    side, what = compared.side, data.draw(STEPS)
    number = data.draw(st.integers(1, 4))
    moment = (compared.now - timedelta(hours=data.draw(HOURS))).isoformat()
    match what:
        case "person":
            cells = data.draw(st.sampled_from(["11111,Ann", ",Bob", ",Cid", "22222,"]))
            firm = data.draw(st.sampled_from(["", "f1", "f2"]))
            compared.deliver(
                PEOPLE, "Number,Phone,Name,Seen,Due,Firm", f"n{number},{cells},{moment},{moment[:10]},{firm}"
            )
        case "order":
            order, sku = data.draw(st.integers(1, 4)), data.draw(st.sampled_from("ab"))
            compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n{number},o{order},{moment},{sku},{moment}")
        case "firm":
            compared.deliver(FIRMS, "Firm,City", f"f{number % 2 + 1},{data.draw(st.sampled_from(['Berlin', 'Bonn']))}")
        case "merge" | "unmerge":
            with suppress(CdpSyncError):  # they are one already, or not
                side.merge(f"n{number}", "n1") if what == "merge" else side.unmerge(f"n{number}")
        case "later" | "back":
            hours = data.draw(st.sampled_from([1, 12, 24, 48, 72, 24 * 40]))
            compared.now += timedelta(hours=hours if what == "later" else -hours)
        case "declare":
            segment = data.draw(st.sampled_from(sorted(CONDITIONS)))
            processors = data.draw(st.sampled_from([(), (), file_goal(segment, (), NO_BOB).processors]))
            compared.goal = compared.goal.model_copy(update={"segment": segment, "processors": processors})
        case _:
            compared.maintain(what)


@examples(10)
@given(data=st.data())
def test_the_short_way_chooses_as_a_full_pass(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """After whatever happens: the same rows, counters, reasons, ledger and state."""
    columns = data.draw(st.lists(st.integers(0, len(COLUMNS) - 1), max_size=4, unique=True).map(tuple))
    goal = file_goal(data.draw(st.sampled_from(sorted(CONDITIONS))), columns)
    folder = tmp_path_factory.mktemp("history")
    compared = Compared(folder, goal)
    compared.deliver(PEOPLE, "Number,Phone,Name,Seen,Due,Firm", "n1,,Ann,,,f1", "n2,,Bob,,,f2", "n3,,,,,")
    compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n1,o1,{NOON.isoformat()},a,{NOON.isoformat()}")
    compared.deliver(FIRMS, "Firm,City", "f1,Berlin", "f2,Bonn")
    compared.export()
    for _ in range(data.draw(st.integers(2, 6))):
        happen(data, compared)
        compared.export()
    shutil.rmtree(folder)


def test_nothing_changed(tmp_path: Path) -> None:
    """The second run looks at those who may have changed, also where time has passed; one on request at everybody."""
    compared = Compared(tmp_path, file_goal("buyers", (0, 1, 3)))
    compared.deliver(PEOPLE, "Number,Phone,Name,Seen,Due,Firm", "n1,,Ann,,,f1", "n2,,Bob,,,")
    compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n1,o1,{NOON.isoformat()},a,")
    assert compared.export().report.full_pass == "nothing is known of an earlier run"
    assert compared.export().report.full_pass == ""
    compared.now += timedelta(days=7)
    late = compared.export().report
    assert (late.full_pass, late.counters.profiles_in_segment) == ("", 0)
    assert compared.export(full=True).report.full_pass == "it was asked for"
    compared.goal = compared.goal.model_copy(update={"segment": "everybody"})
    assert compared.export().report.full_pass == "declarations, or the version, are others than in the last run"


def test_changes_without_a_time_of_their_own(tmp_path: Path) -> None:
    """Profiles that are merged or taken apart, change stage, or lose an event to another profile or to its age."""
    compared = Compared(tmp_path, file_goal("everybody", (1, 2, 5)))
    compared.deliver(PEOPLE, "Number,Phone,Name,Seen,Due,Firm", "n1,,Ann,,,f1", "n2,,Bob,,,", "n3,,Cid,,,")
    compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n1,o1,{NOON.isoformat()},a,")
    compared.maintain("stages")
    compared.export()
    compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n2,o1,{NOON.isoformat()},a,")
    assert check_short(compared).profiles_written == 2
    compared.maintain("stages")
    assert check_short(compared).profiles_written == 2
    compared.side.merge("n2", "n3")
    assert check_short(compared).profiles_in_segment == 2
    compared.side.unmerge("n3")
    assert check_short(compared).profiles_in_segment == 3
    compared.now += timedelta(days=5)
    compared.maintain("expire")
    assert check_short(compared).profiles_written == 1


def test_what_everybody_lost_is_not_forgotten_with_older_traces(tmp_path: Path) -> None:
    """Traces are removed together: a goal that ran between two of them still looks at everybody."""
    compared = Compared(tmp_path, file_goal("everybody", (0,)))
    compared.deliver(PEOPLE, "Number,Name", "n1,Ann", "n2,Bob")
    with compared.side.warehouse.open("write") as session:
        touch(session, NOON, "select profile_id from warehouse.profile")
    compared.export()
    with compared.side.warehouse.open("write") as session:
        session.execute("update warehouse.profile set name = 'Cid'")
        touch_everybody(session, NOON)
        forget_touches(session, clock_of(session) + timedelta(seconds=1))
    found = compared.export().report
    assert (found.full_pass, found.counters.profiles_written) == ("everybody may have changed since the last run", 2)


def test_a_declaration_that_comes_back(tmp_path: Path) -> None:
    """What was kept of a declaration is forgotten where runs of another one have changed the ledger since."""
    plain = file_goal("everybody", (0,))
    compared = Compared(tmp_path, plain)
    compared.deliver(PEOPLE, "Number,Name", "n1,Ann", "n2,Bob")
    compared.export()
    compared.goal = file_goal("everybody", (0,), NO_BOB)
    assert compared.export().report.counters.profiles_filtered == 1
    compared.goal = plain
    assert compared.export().report.full_pass == "nothing is known of an earlier run"


def check_short(compared: Compared) -> ExportCounters:
    """Export, check that it looked at a few only, and return the counters."""
    report = compared.export().report
    assert report.full_pass == ""
    return report.counters


def test_changes_that_are_written(tmp_path: Path) -> None:
    """A profile that is new or changed, or whose event or group is written, is looked at, and no other is delivered."""
    compared = Compared(tmp_path, file_goal("everybody", (0, 1, 3)))
    compared.deliver(PEOPLE, "Number,Phone,Name,Seen,Due,Firm", "n1,,Ann,,,f1", "n2,,Bob,,,f2", "n3,,Cid,,,")
    compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n1,o1,{NOON.isoformat()},a,")
    compared.deliver(FIRMS, "Firm,City", "f1,Berlin", "f2,Bonn")
    compared.export()
    compared.deliver(PEOPLE, "Number,Name", "n1,Anne", "n2,Bob")
    assert check_short(compared).profiles_written == 1
    compared.deliver(PEOPLE, "Number,Name", "n4,Dan")
    assert check_short(compared).profiles_written == 1
    compared.deliver(ORDERS, "Number,Order,At", f"n2,o2,{NOON.isoformat()}")
    assert check_short(compared).profiles_written == 1
    compared.deliver(FIRMS, "Firm,City", "f1,Leipzig", "f2,Bonn")
    assert check_short(compared).profiles_written == 1
    assert check_short(compared) == ExportCounters(profiles_in_segment=4, profiles_same=4)


def test_a_profile_that_cannot_be_delivered_is_looked_at_again(tmp_path: Path) -> None:
    """Its reason is there after each run, as after a full pass, until its value can be delivered."""
    goal = file_goal("everybody", ())
    phones = {"field": "phones", "property": "phones"}
    declared = {**goal.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    compared = Compared(tmp_path, FileExportGoal.model_validate({**declared, "map": [*declared["map"], phones]}))
    compared.deliver(PEOPLE, "Number,Phone,Name", "n1,1;2,Ann", "n2,3,Bob")
    assert compared.export().report.counters.profiles_not_deliverable == 1
    for _ in range(2):
        assert check_short(compared).profiles_not_deliverable == 1


@pytest.mark.parametrize("segment", ["lately", "soon", "late", "buyers", "exact", "hours", "fresh", "few"])
def test_moments_that_pass(segment: str, tmp_path: Path) -> None:
    """Nothing is written, time passes the borders of windows, and the short way sees who enters and who leaves."""
    compared = Compared(tmp_path, file_goal(segment, (1, 4)))
    compared.deliver(
        PEOPLE,
        "Number,Phone,Name,Seen,Due,Firm",
        *(
            f"n{hours},,,{(NOON + timedelta(hours=hours)).isoformat()},{(NOON + timedelta(hours=hours)).date()},"
            for hours in range(-72, 97, 12)
        ),
    )
    compared.deliver(
        ORDERS,
        "Number,Order,At,Sku,Best",
        *(
            f"n{hours},o{hours},{moment},a,{moment}"
            for hours in range(-72, 97, 12)
            for moment in [(NOON + timedelta(hours=hours)).isoformat()]
        ),
    )
    found = [compared.export().report.counters.profiles_in_segment]
    for hours in (12, 11, 1, 6, 48, -24):
        compared.now += timedelta(hours=hours)
        found.append(check_short(compared).profiles_in_segment)
    assert segment == "few" or len(set(found)) > 1


def test_a_campaign_that_waits(tmp_path: Path) -> None:
    """A run that exports nobody, as it is not due, counts nobody, and leaves those who change to the next one."""
    compared = Compared(tmp_path, file_goal("everybody", (0,)))
    compared.deliver(PEOPLE, "Number,Name", "n1,Ann", "n2,Bob")
    compared.export()
    compared.deliver(PEOPLE, "Number,Name", "n1,Anne", "n3,Cid")
    compared.side.runs += 1
    folder = tmp_path / "waiting"
    run = replace(compared._value(compared.side.warehouse, folder), waiting_for="It is not due.")
    report = export_file(run, Folder(folder / "outbox"), folder / "uploads")
    assert report.counters == ExportCounters()
    assert check_short(compared).profiles_written == 2
