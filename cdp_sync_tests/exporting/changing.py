"""A warehouse in which everything changes that can decide who is exported, and exports that are compared."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cdp_sync.errors import ServerUnreachable
from cdp_sync.exporting import FileRun, export_file
from cdp_sync.lifecycles.keeping import keep_stages
from cdp_sync.model import ExportReport, FileExportGoal, FileGoal, Lifecycle, Profiles
from cdp_sync.model.group_import import FileGroupGoal, FileGroupImport
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.clock import clock_of, forget_touches
from cdp_sync.warehouse.events import expire_events
from cdp_sync_tests.exporting.exporter import NOON, Folder
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
            {"name": "email", "type": "email", "identifier": True},
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
        {"field": "Email", "property": "email"},
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


NO_BOB: dict[str, Any] = {"filter": {"field": "number", "drop": "n2"}}


def file_goal(segment: str, columns: tuple[int, ...], *processors: dict[str, Any]) -> FileExportGoal:
    """Return a goal that exports the ids of a segment's profiles, their numbers, and more columns."""
    more = [COLUMNS[number] | {"field": f"c{number}"} for number in columns]
    return FileExportGoal.model_validate(
        {
            "name": "out",
            "segment": segment,
            "directory": "/outbox",
            "format": {"multi_value": ";"},
            "map": [{"field": "id", "profile_id": True}, {"field": "number", "property": "number"}, *more],
            "processors": processors,
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
