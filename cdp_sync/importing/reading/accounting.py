"""Accounts for every line of a part: it is header, part of a row, rejected, or declared to be no row."""

from collections.abc import Callable

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.reading.records_plan import BROKEN, RESERVED
from cdp_sync.model import Format
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.history import QUOTE_OPENS

RAW_LIMIT = 10_000
"""Characters of a rejected row that the quarantine keeps."""


def stage_rows(
    session: Session,
    part: NormalizedPart,
    form: Format,
    stage: Callable[[NormalizedPart], None],
    *,
    file: int,
    number: int,
    first_row: int,
) -> None:
    """Stage the rows of a part, with its rejected lines and the line numbers of its rows.

    Args:
        session: The staging session.
        part: The part.
        form: How it is written.
        stage: Fills `staging.staged` from the part.
        file: Number of the part's file.
        number: Number of the part.
        first_row: Number of its first row.

    Raises:
        FileRejected: The part holds another number of rows than its trailer states.
    """
    numbers = {"file": file, "part": number, "first_row": first_row}
    if not (part.survey.regular and _stage_regular(session, part, lambda: stage(part))):
        part = part.as_irregular
        READERS[part.reader].read(session, part, form)
        if part.head.columns:
            stage(part)
        _note_lines(session, part, numbers)
    session.execute(
        """insert into staging.part
        select $part, $file, $name, $first_row, (select count(*) from staging.staged) - $first_row, $body_line""",
        {**numbers, "name": part.name, "body_line": part.body_line},
    )


def _stage_regular(session: Session, part: NormalizedPart, stage: Callable[[], None]) -> bool:
    """Stage a regular part, of which each line has to become a row; return whether it did.

    Where the parser refuses a line, or finds another number of rows than lines, nothing is staged.
    """
    before = int(session.value("select count(*) from staging.staged"))
    session.execute("begin")
    try:
        stage()
    except FileRejected:
        session.execute("rollback")
        return False
    rows = int(session.value("select count(*) from staging.staged")) - before
    whole = rows == part.survey.lines
    session.execute("commit" if whole else "rollback")
    return whole


def _note_lines(session: Session, part: NormalizedPart, numbers: dict[str, int]) -> None:
    """Note the rejected lines of the part just staged from `record`, and where lines and rows drift apart."""
    session.execute(
        """insert into staging.rejected
        select $file, $part, line.n + $head, translate(line.raw, $marks, '??')[:$limit],
            case when in_quote and line.n > first then format('{}{}{}', reason, $opens, first + $head) else reason end
        from (select reason, in_quote, n as first, unnest(range(n, until + 1)) as n from reject) reject
        join (select rowid + 1 as n, raw from physical_line) line using (n)
        order by n""",
        {
            "file": numbers["file"],
            "part": numbers["part"],
            "head": part.head.lines,
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
        {name: numbers[name] for name in ("part", "first_row")},
    )
    for table in ("physical_line", "line", "opening", "taken", "json_line", "record", "reject"):
        session.execute(f"drop table if exists {table}")
