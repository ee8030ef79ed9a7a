"""Exports of profiles and events of a warehouse with merged profiles to files in a folder."""

import csv
from datetime import timedelta
from typing import Any

from cdp_sync.exporting import EventRun, FileRun, export_events, export_file
from cdp_sync.exporting.files.delivering import Target
from cdp_sync.model import EventExportGoal, ExportReport, FileExportGoal, Profiles
from cdp_sync_tests.exporting.exporter import NOON, Folder
from cdp_sync_tests.merging.merge_side import MergeSide

Rows = list[dict[str, str]]


class FilesSide(MergeSide):
    """The product with exports to files, each of which runs a day after the last one."""

    server: Target | None = None
    """Where files go; None: to the folder `outbox`."""

    def export(self, goal: FileExportGoal) -> tuple[ExportReport, Rows]:
        """Export profiles; return the report and the rows of the file, if there is one."""
        run = FileRun(goal=goal, **self._next_run())
        report = export_file(run, self.server or Folder(self.outbox), self.folder / "uploads")
        assert report.counters.add_up
        return report, self._delivered()

    def export_events(self, goal: EventExportGoal) -> Rows:
        """Export events; return the rows of all files."""
        run = EventRun(goal=goal, **self._next_run())
        assert export_events(run, self.server or Folder(self.outbox), self.folder / "uploads").counters.add_up
        return self._delivered()

    def _next_run(self) -> dict[str, Any]:
        self.runs += 1
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir(exist_ok=True)
        own = self.folder / f"export{self.runs}"
        own.mkdir()
        return {
            "run_id": own.name, "connection": "shop", "profiles": self.declared, "objectives": (),
            "warehouse": self.warehouse, "staging": own / "staging.duckdb", "folder": own / "files",
            "now": NOON + timedelta(days=self.runs),
        }  # fmt: skip

    def _delivered(self) -> Rows:
        rows: Rows = []
        for file in sorted(self.outbox.iterdir()):
            with file.open(encoding="utf-8", newline="") as text:
                rows += csv.DictReader(text)
            file.unlink()
        return rows


def file_goal(profiles: Profiles, **declared: Any) -> FileExportGoal:
    """Return a goal that exports everybody's id and all declared properties."""
    columns: list[dict[str, Any]] = [{"field": "id", "profile_id": True}]
    columns += [{"field": prop.name, "property": prop.name} for prop in profiles.properties]
    usual = {"name": "out", "segment": "everybody", "map": columns, "format": {"multi_value": ";"}}
    return FileExportGoal.model_validate(usual | declared)
