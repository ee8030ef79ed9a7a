"""What a run of an export goal would deliver. Nothing is delivered, and nothing written to the warehouse."""

from dataclasses import asdict, dataclass
from typing import Any

from cdp_sync.exporting.plan import cells_step
from cdp_sync.exporting.recording import reasons_in
from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.selecting import select_segment
from cdp_sync.model import ExportCounters
from cdp_sync.warehouse.properties import profile_columns


@dataclass(frozen=True)
class ExportPreview:
    """What would be delivered, and what would not be."""

    goal: str
    counters: ExportCounters
    reasons: tuple[tuple[str, int], ...]
    """Why profiles could not be delivered, most frequent first."""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The cells of the first rows, before quotes."""

    def to_json(self) -> dict[str, Any]:
        """Return the preview as `export --preview --json` shows it."""
        told = {"goal": self.goal, **asdict(self.counters), "eligible": self.counters.eligible}
        return told | {"reasons": dict(self.reasons), "header": list(self.header), "rows": list(map(list, self.rows))}


def preview_export(run: ExportRun, limit: int = 5) -> ExportPreview:
    """Select as a run would, and return the counts with the first rows."""
    counters = select_segment(run)
    with run.warehouse.open("read", staging=run.staging) as session:
        cells = cells_step(run, profile_columns(session), limit)
        rows = tuple(tuple(cell or "" for cell in row) for row in session.rows(cells.sql, cells.values))
        reasons = reasons_in(session)
    return ExportPreview(run.goal.name, counters, reasons, tuple(column.field for column in run.goal.map), rows)
