"""Hands refused rows back: places faults files, and reports what was imported to the people whose files they were.

Faults files stand in the data folder before their import is committed. What a run that was killed had imported and not
reported, the goal's next run reports.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting.files.uploads import noting
from cdp_sync.importing import ImportRun
from cdp_sync.importing.faults import name_of, note_reported, unreported_faults
from cdp_sync.importing.import_summary import late_lines, summary_lines
from cdp_sync.model import FileReport, ImportReport
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.warehouse.ledger import files_of_run


@dataclass(frozen=True)
class HandingBack:
    """What handing back needs of a run of a strict goal."""

    context: dg.OpExecutionContext
    run: ImportRun
    unique: str
    """The goal's name in the data folder."""
    directory: str | None
    """The server's directory for faults files; None: they stay in the data folder."""
    client: Callable[[], Any]
    """Returns what talks to the server."""

    @contextmanager
    def reported(self, report: ImportReport) -> Iterator[ImportReport]:
        """Place the faults files, and yield the report with its lines. Once it is shown, nothing is due any more."""
        own = data_folder().reports(self.run.run_id, self.unique)
        left = self._left(own)
        placed = self._placed(self.run.run_id, own)
        lines, faults = summary_lines(report, placed), list(placed.values())
        for run_id, (folder, files) in left.items():
            placed = self._placed(run_id, folder)
            lines += late_lines(run_id, files, placed)
            faults += placed.values()
        try:
            yield replace(report, lines=lines, faults=tuple(place for place, _ in faults))
        except dg.Failure:  # which shows the report of a goal that failed
            self._note_reported(own, left)
            raise
        self._note_reported(own, left)

    def _note_reported(self, own: Path, left: dict[str, tuple[Path, tuple[FileReport, ...]]]) -> None:
        for folder in (own, *(folder for folder, _ in left.values())):
            note_reported(folder)

    def _left(self, own: Path) -> dict[str, tuple[Path, tuple[FileReport, ...]]]:
        """Return what runs that were killed have left, by their ids: the folder, and the files that they imported.

        What a run left whose import was not committed is removed.
        """
        left = {}
        for run_id, folder in data_folder().unreported(self.unique).items():
            run = self.context.instance.get_run_by_id(run_id)
            if folder == own or (run and not run.is_finished):
                continue
            with self.run.warehouse.open("read") as session:
                files = files_of_run(session, run_id, self.run.connection, self.run.goal.name)
            if files:
                left[run_id] = folder, files
            else:
                remove(folder)
        return left

    def _placed(self, run_id: str, folder: Path) -> dict[str, tuple[str, int]]:
        """Return where the faults files of a run are once they are placed, with their rows, by the imported path."""
        return {
            path: (self._place(run_id, path, file), rows) for path, (file, rows) in unreported_faults(folder).items()
        }

    def _place(self, run_id: str, path: str, file: Path) -> str:
        """Put a faults file into the server's directory, if one is declared; return where it is then."""
        if self.directory is None:
            return str(file)
        place = f"{self.directory.rstrip('/')}/{name_of(path, run_id)}"
        if not file.exists():  # the run was killed after it had placed it
            return f"{place} on the server"
        try:
            uploads = data_folder().uploads(self.run.connection)
            with self.client() as server, noting(uploads) as journal:
                server.publish(file, place, journal=journal)
        except CdpSyncError as error:
            self.context.log.warning(
                f"The faults file stays in {file.parent}: it could not be put into {self.directory}. {error}"
            )
            return str(file)
        file.unlink()
        return f"{place} on the server"
