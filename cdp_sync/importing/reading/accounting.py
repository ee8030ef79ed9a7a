"""Accounts for every line of a part: it belongs to the head, to a row, is rejected, or declared to be no row."""

from collections.abc import Callable

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.normalize import Landed
from cdp_sync.importing.reading.records import read_records
from cdp_sync.importing.reading.records_plan import BROKEN, RESERVED
from cdp_sync.model import Format
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.history import QUOTE_OPENS

RAW_LIMIT = 10_000
"""Characters of a rejected row that the quarantine keeps."""


def stage_lines(
    session: Session,
    landed: Landed,
    form: Format,
    stage: Callable[[Landed], None],
    *,
    file: int,
    part: int,
    first_row: int,
) -> None:
    """Stage the rows of a part, and note its rejected lines and where its rows stood.

    Args:
        session: The staging session.
        landed: The part.
        form: How it is written.
        stage: Fills `staging.staged` from the part.
        file: Number of the part's file.
        part: Number of the part.
        first_row: Number of its first row.

    Raises:
        FileRejected: The part holds another number of rows than its trailer states.
    """
    if not (landed.survey.regular and _stage_regular(session, landed, lambda: stage(landed))):
        landed = landed.as_irregular
        read_records(session, landed, form)
        if landed.head.columns:
            stage(landed)
        _note_records(session, landed, file=file, part=part, first_row=first_row)
    _note_part(session, landed, file=file, part=part, first_row=first_row)


def _stage_regular(session: Session, landed: Landed, stage: Callable[[], None]) -> bool:
    """Stage a regular part, of which each line has to become a row; return whether it did.

    Where the parser refuses a line, or does not tell as many rows apart, nothing is staged.
    """
    before = int(session.value("select count(*) from staging.staged"))
    session.execute("begin")
    try:
        stage()
    except FileRejected:
        session.execute("rollback")
        return False
    rows = int(session.value("select count(*) from staging.staged")) - before
    whole = rows == landed.survey.lines
    session.execute("commit" if whole else "rollback")
    return whole


def _note_part(session: Session, landed: Landed, *, file: int, part: int, first_row: int) -> None:
    """Note which rows of the staging table are the part's: all from the first on."""
    session.execute(
        """insert into staging.part
        select $part, $file, $name, $first_row, (select count(*) from staging.staged) - $first_row, $body_line""",
        {"part": part, "file": file, "name": landed.name, "first_row": first_row, "body_line": landed.body_line},
    )


def _note_records(session: Session, landed: Landed, *, file: int, part: int, first_row: int) -> None:
    """Note the rejected lines of the part just staged from `record`, and where its rows stood."""
    session.execute(
        """insert into staging.rejected
        select $file, $part, line.n + $head, translate(line.raw, $marks, '??')[:$limit],
            case when in_quote and line.n > first then format('{}{}{}', reason, $opens, first + $head) else reason end
        from (select reason, in_quote, n as first, unnest(range(n, until + 1)) as n from reject) reject
        join (select rowid + 1 as n, raw from physical_line) line using (n)
        order by n""",
        {
            "file": file,
            "part": part,
            "head": landed.head.lines,
            "marks": BROKEN + RESERVED,
            "limit": RAW_LIMIT,
            "opens": QUOTE_OPENS,
        },
    )
    session.execute(
        """insert into staging.line_gap
        select $part, $first_row + k, gap
        from (select k, gap, lag(gap, 1, 0) over (order by k) as before
            from (select rowid as k, n - 1 - rowid as gap from record))
        where gap <> before""",
        {"part": part, "first_row": first_row},
    )
    session.execute("drop table physical_line; drop table line; drop table opening; drop table taken")
    session.execute("drop table record; drop table reject")
