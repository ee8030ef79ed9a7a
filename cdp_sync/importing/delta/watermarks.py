"""Watermarks of a run: noted as its arrivals are staged, written in the transaction that lands their rows."""

from pathlib import Path

from cdp_sync.importing.run import GoalRun
from cdp_sync.model import FetchedFile
from cdp_sync.model.delta import Append
from cdp_sync.warehouse import Session, statement
from cdp_sync.warehouse.ledger import write_watermarks

_BLOCK = 1 << 20


def note_watermarks(session: Session, file: int, fetched: FetchedFile) -> None:
    """Note the watermarks that an arrival brings, and the stream of one that appends, under the number of its file."""
    marks = [(file, stream, "arrival", value) for stream, value in fetched.watermarks.items()]
    appended = [(file, fetched.delta.stream, "append", None)] if isinstance(fetched.delta, Append) else []
    for mark in (*marks, *appended):
        session.execute("insert into staging.watermark values (?, ?, ?, ?)", mark)


def appends(session: Session) -> bool:
    """Return whether a file of the run appends to what was read before."""
    return bool(session.value("select exists (from staging.watermark where kind = 'append')"))


def land_watermarks(session: Session, run: GoalRun) -> None:
    """Write the watermarks of the files that did not fail, in the transaction that lands their rows.

    The watermark of a window never moves back; any other is what the file that was staged last says.
    """
    if not session.value("select exists (from staging.watermark)"):
        return
    marks = dict(session.rows(statement("importing/delta/landed_watermark"), run.goal_named))
    write_watermarks(session, run.run_id, run.connection, run.goal.name, marks)


def cut_unfinished_line(local: Path) -> None:
    """Cut a file after its last line feed: what follows may be half a line, which the next read takes whole."""
    with local.open("rb+") as file:
        end = file.seek(0, 2)
        while end:
            start = max(end - _BLOCK, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n") + 1
            if found:
                file.truncate(start + found)
                return
            end = start
        file.truncate(0)
