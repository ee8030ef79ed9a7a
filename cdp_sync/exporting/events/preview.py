"""What an export of events would deliver now. Nothing is delivered, and only the run's own staging file is written."""

from cdp_sync.exporting.events.rows import event_rows
from cdp_sync.exporting.events.select import parts_of, select_events
from cdp_sync.exporting.preview import ExportPreview
from cdp_sync.exporting.recording import reasons_of
from cdp_sync.exporting.run import EventRun, packed_name


def preview_events(run: EventRun, limit: int = 5) -> ExportPreview:
    """Return what the run would deliver, with its first rows; of an event whose items are rows, the first of them."""
    counters = select_events(run, keep_cells=True)
    files = [(run.path(packed_name(run.text_name(part), run.goal.file)), rows) for part, rows in parts_of(run)]
    with run.open("read") as session:
        query = "select cells from staging.selected where ending = 'written' order by rowid limit ?"
        rows = tuple(tuple(cells) for (cells,) in session.rows(query, [limit]))
        path = files[0][0] if len(files) == 1 else None
        header = tuple(event_rows(run).shown)
        return ExportPreview(run.goal.name, path, counters, reasons_of(session), header, rows, tuple(files))
