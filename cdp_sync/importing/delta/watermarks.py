"""Watermarks of a run: noted as its arrivals are staged, written in the transaction that lands their rows."""

from cdp_sync.importing.run import GoalRun
from cdp_sync.model import FetchedFile
from cdp_sync.model.delta import Append
from cdp_sync.warehouse import Session, statement
from cdp_sync.warehouse.ledger import write_watermarks


def note_watermarks(session: Session, file: int, fetched: FetchedFile) -> None:
    """Note the watermarks that an arrival brings, and the stream of one that appends, under the number of its file."""
    marks: list[tuple[int, str, str, str | None]] = [
        (file, stream, "arrival", value) for stream, value in fetched.watermarks.items()
    ]
    if isinstance(fetched.delta, Append):
        marks.append((file, fetched.delta.stream, "append", None))
    for mark in marks:
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
    names = {"connection": run.connection, "goal": run.goal.name}
    marks = dict(session.rows(statement("importing/delta/landed_watermark"), names))
    write_watermarks(session, run.run_id, run.connection, run.goal.name, marks)
