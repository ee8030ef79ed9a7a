"""Reads a file once more as its previous import read it, where the declared format has changed since.

Rows are remembered by digests of their cells. Read in another way the cells differ, but the lines are the same: each
row finds its former digest by its line, and nothing is summed twice.
"""

from collections.abc import Sequence

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.accounting import stage_rows
from cdp_sync.importing.reading.normalize import NormalizedPart, ReaderName
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sources.archives import Part
from cdp_sync.importing.staging.plan import Cells, digest, read_part
from cdp_sync.importing.staging.row_identity import named_before
from cdp_sync.model import Format, ImportGoal
from cdp_sync.warehouse import Session, statement
from cdp_sync.warehouse.ledger import KnownFile


def format_before(run: GoalRun, known: KnownFile | None) -> Format | None:
    """Return the format that a file was read in before; None where it is read in the same way now, or not known."""
    if known is None or known.format is None:
        return None
    before = Format.model_validate_json(known.format)
    return before if before.reading != run.goal.format.reading else None


def read_as_before(
    session: Session,
    part: Part,
    known: KnownFile,
    form: Format,
    *,
    reader: ReaderName,
    fields: Sequence[str],
    file: int,
    number: int,
) -> None:
    """Add to `staging.read_before` what the rows of a part just staged were before.

    Args:
        session: The staging session.
        part: What arrived.
        known: What the ledger knows of its path.
        form: How it was read then.
        reader: What reads it.
        fields: The fields whose cells identify its rows now.
        file: Number of its file; the rows read as before go under a negative one, which no step imports.
        number: Number of the staged part.
    """
    links = [{"field": name, "property": "_"} for name in known.fields]
    try:
        goal = ImportGoal(name="before", format=form, link=links)
        before_part = READERS[reader].normalize(session, part, goal, None, ())
    except FileRejected:
        return  # so it cannot have been imported
    if before_part is None:
        return
    before, again = -1 - file, number + 1
    first_row = session.value("select count(*) from staging.staged")

    def stage(read: NormalizedPart) -> None:
        call, values = read_part(read, form)
        cells = Cells(read.head.columns)
        row_hash = digest(named_before(known.fields, fields, cells.names), cells)
        session.execute(
            f"""insert into staging.staged by name
            select $file as file, $part as part, {row_hash} as row_hash from {call}""",
            {**values, "file": before, "part": again},
        )

    try:
        stage_rows(session, before_part, form, stage, file=before, number=again, first_row=first_row)
    except FileRejected:
        return
    session.execute(statement("importing/delta/read_before"), {"part": number, "again": again})
    session.execute("delete from staging.rejected where file = ?", [before])
