"""An export looks at those who may have changed, and chooses the profiles that a full pass over a copy chooses."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.errors import CdpSyncError, ServerUnreachable
from cdp_sync.exporting import FileRun, export_file
from cdp_sync.lifecycles.keeping import keep_stages
from cdp_sync.model import ExportCounters, ExportReport, FileExportGoal, FileGoal, Lifecycle, Profiles
from cdp_sync.model.group_import import FileGroupGoal, FileGroupImport
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.clock import clock_of, forget_touches, touch, touch_everybody
from cdp_sync.warehouse.events import expire_events
from cdp_sync_tests.exporting.exporter import NOON, Folder
from cdp_sync_tests.generated import examples
from cdp_sync_tests.merging.files_out import FilesSide

Rows = list[str]

CONDITIONS: dict[str, Any] = {
    "everybody": {"any": [{"property": "number", "has_value": True}]},
    "named": {"property": "name", "contains_any": ["ann", "bob"]},
    "lately": {"property": "seen", "in_last_days": 2},
    "soon": {"property": "due", "in_next_days": 3},
    "late": {"not": {"property": "seen", "in_last_hours": 30}},
    "buyers": {"event": "order", "in_last_days": 2},
    "exact": {"event": "order", "in_last_days": 2, "days": "exact"},
    "hours": {"event": "order", "in_last_hours": 24, "never": True},
    "often": {"event": "order", "at_least": 2},
    "fresh": {"event": "order", "where": {"property": "best", "in_last_days": 2}},
    "then": {"event": "order", "then": {"event": "order", "where": {"property": "sku", "equals": "b"}}},
    "berlin": {"group": "firm", "property": "city", "equals": "Berlin"},
    "few": {"property": "orders", "at_most": 1},
    "staged": {"lifecycle": "care", "stage": "warm"},
    "nested": {"all": [{"segment": "everybody"}, {"not": {"segment": "buyers"}}]},
}
"""Segments: on properties, moments, events and their times, groups, rollups and stages."""

DECLARED = Profiles.model_validate(
    {
        "properties": [
            {"name": "number", "identifier": True},
            {"name": "phones", "identifier": True, "multiple": True},
            {"name": "name"},
            {"name": "seen", "type": "datetime"},
            {"name": "due", "type": "date"},
            {"name": "firm", "type": "group", "group_type": "firm"},
        ],
        "segments": [{"name": name, "when": when} for name, when in CONDITIONS.items()],
        "merge_rules": [{"property": "phones"}],
        "group_types": [{"name": "firm", "properties": [{"name": "city"}]}],
        "event_types": [
            {"name": "order", "keep_days": 4, "properties": [{"name": "sku"}, {"name": "best", "type": "datetime"}]}
        ],
        "rollups": [
            {"name": "orders", "event": "order", "count": True},
            {"name": "recent", "event": "order", "count": True, "in_last_days": 2, "days": "exact"},
            {"name": "last_sku", "event": "order", "last": "sku"},
        ],
    }
).with_lifecycles(
    [
        Lifecycle.model_validate(
            {
                "name": "care",
                "enter": {"segment": "everybody"},
                "stages": [{"name": "warm", "when": {"event": "order", "in_last_days": 2, "days": "exact"}}],
            }
        )
    ]
)
PEOPLE = FileGoal(
    name="people",
    link=[{"field": "Number", "property": "number"}],
    map=[
        {"field": "Phone", "property": "phones", "mode": "add"},
        {"field": "Name", "property": "name"},
        {"field": "Seen", "property": "seen"},
        {"field": "Due", "property": "due"},
        {"field": "Firm", "property": "firm"},
    ],
)
ORDERS = FileGoal(
    name="orders",
    link=[{"field": "Number", "property": "number"}],
    events=[
        {
            "type": "order",
            "id": "Order",
            "time": "At",
            "map": [{"field": "Sku", "property": "sku"}, {"field": "Best", "property": "best"}],
        }
    ],
)
FIRMS = FileGroupGoal(
    name="firms", type="firm", id="Firm", directory="/in", map=[{"field": "City", "property": "city"}]
).as_groups(FileGroupImport)
COLUMNS: tuple[dict[str, Any], ...] = (
    {"property": "name"},
    {"property": "recent"},
    {"property": "last_sku"},
    {"group": "firm", "property": "city"},
    {"segments": ["lately", "exact"]},
    {"lifecycles": "all"},
    {"first_segment": {"hours": "quiet", "often": "loud"}},
)


def file_goal(segment: str, columns: tuple[int, ...]) -> FileExportGoal:
    """Return a goal that exports the ids of a segment's profiles, their numbers, and more columns."""
    more = [COLUMNS[number] | {"field": f"c{number}"} for number in columns]
    return FileExportGoal.model_validate(
        {
            "name": "out",
            "segment": segment,
            "directory": "/outbox",
            "format": {"multi_value": ";"},
            "map": [{"field": "id", "profile_id": True}, {"field": "number", "property": "number"}, *more],
        }
    )


class Refusing:
    """A server that takes no file."""

    def publish(self, *_: object, **__: object) -> None:
        """Raise."""
        raise ServerUnreachable("The server is not there.")


@dataclass(frozen=True)
class Found:
    """What one run delivered and left in the warehouse."""

    report: ExportReport
    lines: Rows
    kept: tuple[object, ...]


class Compared:
    """One warehouse: each export runs on a copy of it as a full pass, and then on itself."""

    def __init__(self, folder: Path, goal: FileExportGoal) -> None:
        """Start with an empty warehouse."""
        self.side, self.goal, self.now = FilesSide(folder, DECLARED), goal, NOON
        self.objectives: tuple[str, ...] = ()

    def deliver(self, goal: Any, header: str, *rows: str) -> None:
        """Import a file."""
        text = "\n".join([header, *rows, ""]).encode()
        self.side.deliver(goal, [(f"/{self.side.runs}.csv", text, NOON)])

    def export(self, *, full: bool = False) -> Found:
        """Export, compare with a full pass, and return what was found."""
        self.side.runs += 1
        copy = self.side.folder / f"copy{self.side.runs}"
        copy.mkdir()
        shutil.copy(self.side.folder / "warehouse.duckdb", copy)
        every = self._run(Warehouse(copy / "warehouse.duckdb"), copy, full=True)
        few = self._run(self.side.warehouse, self.side.folder / f"own{self.side.runs}", full=full)
        assert few.report.counters == every.report.counters
        assert few.lines == every.lines
        assert few.report.reasons == every.report.reasons
        assert few.kept == every.kept
        assert few.report.counters.add_up
        return few

    def maintain(self, what: str) -> None:
        """Let an export fail, or do what is done to a warehouse every day."""
        if what == "fail":
            self.fail()
            return
        with self.side.warehouse.open("write") as session:
            if what == "expire":
                expire_events(session, DECLARED, self.now)
            elif what == "stages":
                keep_stages(session, DECLARED, DECLARED.lifecycles[0], self.now)
            else:
                forget_touches(session, clock_of(session) - timedelta(seconds=1))

    def fail(self) -> None:
        """Run an export whose delivery fails, if there is something to deliver."""
        self.side.runs += 1
        folder = self.side.folder / f"failed{self.side.runs}"
        run = self._value(self.side.warehouse, folder)
        try:
            export_file(run, Refusing(), folder / "uploads")
        except ServerUnreachable:
            return

    def _value(self, warehouse: Warehouse, folder: Path, *, full: bool = False) -> FileRun:
        (folder / "outbox").mkdir(parents=True)
        return FileRun(
            f"run{self.side.runs}", "shop", self.goal, DECLARED, self.objectives, warehouse,
            folder / "staging.duckdb", folder / "files", self.now, full,
        )  # fmt: skip

    def _run(self, warehouse: Warehouse, folder: Path, *, full: bool) -> Found:
        report = export_file(self._value(warehouse, folder, full=full), Folder(folder / "outbox"), folder / "uploads")
        lines = [line for file in sorted((folder / "outbox").iterdir()) for line in file.read_text().splitlines()]
        with warehouse.open("read") as session:
            kept = (
                session.rows("select profile_id, row_hash, value_hash from warehouse.exported_profile order by all"),
                session.rows("select profile_id, ending from warehouse.export_exception order by all"),
                session.rows("select counters from warehouse.export_state"),
            )
        return Found(report, lines, kept)


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
            compared.goal = compared.goal.model_copy(update={"segment": segment})
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
