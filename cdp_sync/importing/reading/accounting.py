"""Accounts for every line of a part: it is header, part of a row, rejected, or declared to be no row."""

from collections.abc import Callable

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.reading.records import BROKEN, RESERVED
from cdp_sync.model import Format
from cdp_sync.warehouse import Session, Step
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
    if not (part.survey.regular and _stage_regular(session, part, lambda: stage(part))):
        part = part.as_irregular
        READERS[part.reader].read(session, part, form)
        if part.head.columns:
            stage(part)
        lines = {"file": file, "part": number, "head": part.head.lines, "marks": BROKEN + RESERVED}
        gaps = {"part": number, "first_row": first_row}
        session.run(
            (
                Step("staging.rejected", _REJECTED, {**lines, "limit": RAW_LIMIT, "opens": QUOTE_OPENS}),
                Step("staging.line_gap", _LINE_GAP, gaps),
            )
        )
        for table in ("physical_line", "line", "opening", "taken", "json_line", "record", "reject"):
            session.execute(f"drop table if exists {table}")
    placed = {"file": file, "part": number, "first_row": first_row, "name": part.name, "body_line": part.body_line}
    session.run([Step("staging.part", _PART, placed)])


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


_PART = """insert into staging.part
select $part, $file, $name, $first_row, (select count(*) from staging.staged) - $first_row, $body_line"""

_REJECTED = """insert into staging.rejected
select $file, $part, line.n + $head, translate(line.raw, $marks, '??')[:$limit],
    case when in_quote and line.n > first then format('{}{}{}', reason, $opens, first + $head) else reason end
from (select reason, in_quote, n as first, unnest(range(n, until + 1)) as n from reject) reject
join (select rowid + 1 as n, raw from physical_line) line using (n)
order by n"""
"""The rejected lines of the part just staged from `record`."""

_LINE_GAP = """insert into staging.line_gap
select $part, $first_row + k, gap
from (
    select k, gap, lag(gap, 1, 0) over (order by k) as before
    from (select rowid as k, n - 1 - rowid as gap from record)
)
where gap <> before"""
"""Where lines and rows of that part drift apart."""
