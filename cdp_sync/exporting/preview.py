"""What an export would deliver now. Nothing is delivered, and only the run's own staging file is written."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cdp_sync.exporting.recording import reasons_of
from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select import select_segment
from cdp_sync.exporting.touches.reserving import caps_end
from cdp_sync.model import EventCounters, ExportCounters
from cdp_sync.warehouse import warehouse_columns

_SAMPLE = 5


@dataclass(frozen=True)
class ExportPreview:
    """What a run of a goal would do."""

    goal: str
    path: str | None
    """Where the file would go, if it is one."""
    counters: ExportCounters | EventCounters
    reasons: tuple[tuple[str, int], ...]
    """Why profiles cannot be delivered, most frequent first."""
    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """The cells of the first rows, as they would be written, without quotes."""
    files: tuple[tuple[str, int], ...] = ()
    """Of an export of events: the files it would deliver, and the rows of each."""
    capped_until: tuple[datetime, datetime] | None = None
    """When the first and the last cap end; None where no profile is capped."""
    note: str = ""
    """Why the goal exports nobody, where its lifecycle or its campaign says so."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the goal's lifecycle or campaign does, in sentences."""
        ends = sorted(set(self.capped_until or ()))
        caps = f"The caps end at {' to '.join(f'{end.astimezone(UTC):%Y-%m-%d %H:%M:%S}' for end in ends)} UTC."
        return (*([caps] if ends else []), *([self.note] if self.note else []))

    def to_json(self) -> dict[str, Any]:
        """Return the preview as `export --preview --json` shows it."""
        shown = {"goal": self.goal, "path": self.path, **asdict(self.counters)}
        if isinstance(self.counters, ExportCounters):
            shown["eligible"] = self.counters.eligible
            if self.capped_until:
                shown["capped_until_first"], shown["capped_until_last"] = self.capped_until
            shown |= {"note": self.note} if self.note else {}
        else:
            shown["files"] = [{"path": path, "rows": rows} for path, rows in self.files]
        return {**shown, "reasons": self.reasons, "header": self.header, "rows": self.rows}


def preview_export(run: ExportRun, limit: int = _SAMPLE, *, reserve: bool = False) -> ExportPreview:
    """Return what the run would deliver, with its first rows; `reserve` writes its touches to the run's warehouse."""
    counters = select_segment(run, keep_cells=True, reserve=reserve)
    with run.open("read") as session:
        header = tuple(run.rows(warehouse_columns(session)).shown)
        query = "select cells from staging.selected where ending = 'written' order by rowid limit ?"
        rows = tuple(tuple(cells) for (cells,) in session.rows(query, [limit]))
        caps = caps_end(session) if counters.profiles_capped else None
        reasons = reasons_of(session)
        return ExportPreview(
            run.goal.name, run.path, counters, reasons, header, rows, capped_until=caps, note=run.note or run.waits
        )
