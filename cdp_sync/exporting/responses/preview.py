"""What an export of responses would deliver now. Nothing is delivered; only the run's staging file is written."""

from cdp_sync.exporting.preview import ExportPreview
from cdp_sync.exporting.recording import reasons_of
from cdp_sync.exporting.responses.delivering import header_of
from cdp_sync.exporting.responses.select import response_parts, select_responses
from cdp_sync.exporting.run import ResponseRun, packed_name


def preview_responses(run: ResponseRun, limit: int = 5) -> ExportPreview:
    """Return what the run would deliver, with the first rows of contacts."""
    counters = select_responses(run, keep_cells=True)
    files = tuple(
        (run.path(packed_name(run.text_name(mailing, link), run.goal.file)), rows)
        for _, mailing, link, rows in response_parts(run)
    )
    with run.open("read") as session:
        query = "select cells from staging.selected where ending = 'written' and link = '' order by rowid limit ?"
        rows = tuple(tuple(cells) for (cells,) in session.rows(query, [limit]))
        path = files[0][0] if len(files) == 1 else None
        return ExportPreview(run.goal.name, path, counters, reasons_of(session), tuple(header_of(run)), rows, files)
