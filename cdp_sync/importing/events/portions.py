"""Divides the rows of a run's events into portions: DuckDB keeps the lists that it makes of a portion in memory."""

from collections.abc import Iterator

from cdp_sync.warehouse import Session, Step

_PORTION = 500_000
"""Rows of a portion, about. Lists of twice as many rows take three times as long: DuckDB runs short of memory."""

_SCATTERED = 1_500_000
"""Rows of a portion where each portion costs a look at all rows."""

_SQL = """create or replace temp table scattered_event as
select event_id, count(*) as rows
from event_row
group by event_id
having min(_row // $width) <> max(_row // $width)"""


def portions(session: Session) -> Iterator[str]:
    """Yield for each portion its condition on `event_row`, which holds all rows meanwhile; an event is in one portion.

    A portion is a range of rows: mostly all rows of an event are near each other. Events with rows in several ranges
    are divided by their ids. Where these are most events, all are.
    """
    rows, first, last = session.row("select count(*), min(row), max(row) from staging.fresh")
    if rows <= _PORTION:
        yield "true"
        return
    ranges = -(-rows // _PORTION)
    width = -(-(last + 1 - first) // ranges)
    session.run([Step("scattered_event", _SQL, {"width": width})])
    scattered = session.value("select coalesce(sum(rows), 0) from scattered_event")
    if scattered * 2 > rows:
        yield from _by_id(rows, "true")
        return
    is_scattered = "event_id in (select event_id from scattered_event)"
    for number in range(first // width, last // width + 1):
        yield f"_row >= {number * width} and _row < {(number + 1) * width} and not {is_scattered}"
    yield from _by_id(scattered, is_scattered)


def _by_id(rows: int, condition: str) -> Iterator[str]:
    several = -(-rows // _SCATTERED)
    for number in range(several):
        yield f"{condition} and hash(event_id) % {several} = {number}"
