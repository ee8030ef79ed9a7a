"""Writes the staged rows of mailings to local files, each complete or not at all. They are delivered like events."""

from cdp_sync.exporting.files.delivering import Draft, LocalFile, write_draft
from cdp_sync.exporting.responses.rows import file_rows, link_columns, response_columns
from cdp_sync.exporting.responses.select import response_parts
from cdp_sync.exporting.run import ResponseRun


def write_response_files(run: ResponseRun) -> tuple[LocalFile, ...]:
    """Write the files of the mailings that are due; none where there is nothing to write.

    Raises:
        DiskFull: There is no room for them.
    """
    parts = response_parts(run)
    if not parts:
        return ()
    with run.open("none") as session:
        return tuple(write_draft(session, _draft(run, *part)) for part in parts)


def _draft(run: ResponseRun, part: int, mailing: str, link: str, rows: int) -> Draft:
    goal = run.goal
    query = f"select line from staging.selected where ending = 'written' and part = {part}"
    header = header_of(run, links=bool(link))
    name = run.text_name(mailing, link)
    return Draft(run.folder, f"complete_{part}", name, header, query, rows, goal.format, goal.file, run.now)


def header_of(run: ResponseRun, *, links: bool = False) -> list[str]:
    """Return the names of the columns of a file of contacts, or of links."""
    return list(file_rows(run, link_columns() if links else response_columns(run)).shown)
