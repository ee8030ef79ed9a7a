"""Watermarks of a run: noted as its arrivals are staged, written in the transaction that lands their rows.

A text that only grows appends: of its lines those up to the watermark are unchanged, whatever they hold. The windows of
two reads overlap: rows compare by key, as those of any goal with `row_key` do, and the watermark is the highest time
that was read. Reading a period again changes nothing.
"""

from mmap import ACCESS_READ, mmap
from pathlib import Path

from cdp_sync.errors import FileRejected, GoalFailed
from cdp_sync.importing.converting.conversion import convert_one
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.cells import Cells
from cdp_sync.importing.staging.plan import read_part
from cdp_sync.model import Append, FetchedFile, ImportGoal, Property, Window
from cdp_sync.warehouse import Session, Step, statement, write_watermarks

_TIME = Property(name="time", type="datetime")


def note_watermarks(session: Session, file: int, fetched: FetchedFile) -> None:
    """Note the watermarks that an arrival brings, and the stream of one that appends, under the number of its file."""
    marks = [(file, stream, "arrival", value) for stream, value in fetched.watermarks.items()]
    appended = [(file, fetched.delta.stream, "append", None)] if isinstance(fetched.delta, Append) else []
    for mark in (*marks, *appended):
        session.execute("insert into staging.watermark values (?, ?, ?, ?)", mark)


def land_watermarks(session: Session, run: ImportRun) -> None:
    """Write the watermarks of files that did not fail, with their rows; that of a window never moves back."""
    if not session.value("select exists (from staging.watermark)"):
        return
    marks = dict(session.rows(statement("importing/delta/landed_watermark"), run.goal_named))
    write_watermarks(session, run.run_id, run.connection, run.goal.name, marks)


def cut_unfinished_line(local: Path) -> None:
    """Cut a file after its last line feed: what follows may be half a line, which the next read takes whole."""
    with local.open("rb+") as file:
        if local.stat().st_size:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as text:
                end = text.rfind(b"\n") + 1
            file.truncate(end)


def highest_time_step(window: Window, part: NormalizedPart, goal: ImportGoal, file: int) -> Step:
    """Return the step that notes the highest time among the rows of a part; a time that does not convert is left out.

    Raises:
        GoalFailed: The goal has no `row_key`.
        FileRejected: The part has no such field.
    """
    if not goal.row_key:
        raise GoalFailed(
            f"Goal {goal.name!r} reads windows without a row_key.",
            needed="The periods of two reads overlap: rows must have keys.",
            remedy="Declare as row_key the fields that identify a row in its sender's system.",
        )
    cell = Cells(part.head.columns, constants=part.constants).fitted(window.time_field, _TIME, goal.format)
    if cell is None:
        raise FileRejected(
            f"No row has the time field {window.time_field!r}.",
            needed="Without it, nothing says how far the stream was read.",
            remedy="Correct the time field, or have it delivered.",
        )
    relation, values = read_part(part, goal.format)
    instant = convert_one(_TIME, "cell", goal.format).sql
    sql = f"""insert into staging.watermark
select $file, $stream, 'window', strftime(timezone('UTC', max({instant})), '%Y-%m-%dT%H:%M:%S.%fZ')
from (select {cell.sql} as cell from {relation})
having max({instant}) is not null"""
    return Step("staging.watermark", sql, {**values, "file": file, "stream": window.stream})
