"""Reads a part that is not regular, exactly: as lines, each of which is judged by the grammar.

A line that opens a quote and does not close it begins a record that ends at the next line that closes the quote for
good. If there is one, the lines belong to the record: it is a row, or has too many or too few fields, and all its lines
are rejected. Otherwise the opening line alone is rejected and reading goes on after it, so that every line is judged:
it is a row, part of one, rejected with its reason, or declared to be no row.
"""

import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterator
from pathlib import Path

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.grammar import NONCHARACTERS
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.records_plan import BROKEN, RESERVED, RecordsPlan
from cdp_sync.importing.sources.archives import CHUNK
from cdp_sync.model import Format
from cdp_sync.model.counting import counted
from cdp_sync.warehouse import Session, quote_literal

_NEVER, _PAIR, _RETURN = "\ufdd0", "\ufdd1", "\ufdd2"
"""In the copy that is read line by line: never there; at the end of a line that a return and a line feed, or a return
alone, ended."""

_BROKEN_BYTE = re.compile("[\udc80-\udcff]")
"""What Python puts for a byte that is not UTF-8."""


def read_records(session: Session, part: NormalizedPart, form: Format) -> None:
    """Make `record(n, raw, quoted)`, the rows of a part in order, and `reject(n, until, raw, in_quote, reason)`.

    `n` is the number of a record's first line, counted after the head. `in_quote` says that a quote that opens there
    holds the lines after it.

    Raises:
        FileRejected: The number of rows is not the one that the trailer states.
    """
    read_lines(session, part.local, part.start)
    tail = session.value("select coalesce(max(rowid) + 1, 0) from physical_line where trim(raw, chr(26)) <> ''")
    # A Ctrl-Z in the last line that is not blank ends the file: it is not part of the line's last cell.
    if session.value("select count(*) from physical_line where rowid = ? and ends_with(raw, chr(26))", [tail - 1]):
        session.execute("update physical_line set raw = rtrim(raw, chr(26)) where rowid = ?", [tail - 1])
    trailer = None  # the declared one is the last line that is not blank
    if form.trailer and tail:
        last = str(session.value("select raw from physical_line where rowid = ?", [tail - 1]))
        trailer = last if last.startswith(form.trailer.begins_with) else None
    head = part.head
    plan = RecordsPlan(form, len(head.columns), head.header, tail, trailer is not None, head.names_separator)
    session.run(plan.lines())
    _resolve(session, plan, surplus_may_be_left_out=part.complete)
    _check_count(session, plan, trailer)


def read_lines(session: Session, local: Path, start: int) -> None:
    """Make `physical_line(raw, line_break)`: the lines of a file from a byte on, whatever quotes they hold."""
    copy = local.with_name(f"{local.name}.lines")
    with copy.open("wb") as file:
        file.writelines(_marked(local, start))
    pair, lone = quote_literal(_PAIR), quote_literal(_RETURN)
    session.execute(
        f"""create or replace temp table physical_line as
        select
            case when last in ({pair}, {lone}) then left(text, -1) else text end as raw,
            case last when {pair} then chr(13) || chr(10) when {lone} then chr(13) else chr(10) end as line_break
        from (
            select coalesce(text, '') as text, right(text, 1) as last
            from read_csv($path, auto_detect = false, header = false, columns = {{'text': 'VARCHAR'}}, delim = $never,
                quote = '', escape = '', comment = '', new_line = '\\n', strict_mode = false,
                max_line_size = 64000000)
        )""",
        {"path": str(copy), "never": _NEVER},
    )
    copy.unlink()


def _marked(path: Path, start: int) -> Iterator[bytes]:
    """Yield a file with one kind of line break, and marks for what it had and for what is no text."""
    decoder = getincrementaldecoder("utf-8")(errors="surrogateescape")
    pending = ""
    with path.open("rb") as file:
        file.seek(start)
        if file.read(len(BOM_UTF8)) == BOM_UTF8:
            yield BOM_UTF8  # DuckDB passes over the first one
        file.seek(start)
        while chunk := file.read(CHUNK):
            text = pending + decoder.decode(chunk)
            pending = "\r" if text.endswith("\r") else ""
            yield _marked_text(text.removesuffix("\r"))
    yield _marked_text(pending + decoder.decode(b"", final=True))


def _marked_text(text: str) -> bytes:
    if not text.isascii():
        text = _BROKEN_BYTE.sub(BROKEN, NONCHARACTERS.sub(RESERVED, text))
    if "\r" in text:
        text = text.replace("\r\n", f"{_PAIR}\n").replace("\r", f"{_RETURN}\n")
    return text.encode()


def _resolve(session: Session, plan: RecordsPlan, *, surplus_may_be_left_out: bool) -> None:
    """Separate records from rejected lines; a surplus of empty cells is left out where every row has it.

    Of one row, or where the header lacks a field, an empty last cell may as well be a value that moved.
    """
    pad = plan.form.short_rows == "pad"
    session.run(plan.resolved(plan.width, pad=pad))
    surplus = _surplus(session, plan.width)
    if surplus and surplus_may_be_left_out:
        session.run(plan.resolved(plan.width + surplus, pad=False))
        ending = quote_literal(plan.grammar.divider * surplus)
        unlike = f"select n from record where not ends_with({plan.grammar.prepared('raw')}, {ending})"
        several = "(select count(*) from record) > 1"
        all_have_it = f"{several} and not exists (from reject where misfit) and not exists ({unlike})"
        if not session.value(f"select {all_have_it}"):
            session.run(plan.resolved(plan.width, pad=pad))


def _surplus(session: Session, width: int) -> int:
    """Return by how many cells the first row that does not fit is too long, if the first row may be as long."""
    found = session.rows("select fields from reject where misfit order by n limit 1")
    first = session.rows(
        """select fields from line
        where sort = 'row' and not other and problem is null and n < coalesce((select min(n) from opening), n + 1)
        order by n limit 1"""
    )
    if not found or (first and first != found) or not width:
        return 0
    return max(int(found[0][0]) - width, 0)


def _check_count(session: Session, plan: RecordsPlan, trailer: str | None) -> None:
    declared = plan.form.trailer
    if declared is None or declared.count_field is None:
        return
    if trailer is None:
        if session.value("select exists (from record) or exists (from reject)"):
            raise FileRejected(
                "The trailer is missing, so that nobody knows whether the file is whole.",
                needed="The last line must begin as `trailer` says and state the number of rows.",
                remedy="Have the file delivered again, whole.",
            )
        return
    cells = plan.grammar.split(plan.grammar.prepare(trailer))
    stated = "".join(cells[declared.count_field - 1 : declared.count_field]).strip()
    rows = session.value("select (select count(*) from record) + (select count(*) from reject)")
    if not (stated.isdecimal() and int(stated) == rows):
        says = counted(int(stated), "row") if stated.isdecimal() else "no number of rows"
        raise FileRejected(
            f"The trailer states {says} in field {declared.count_field}; the file holds {rows:,}.",
            needed="There must be as many rows, rejected ones included, as the trailer states.",
            remedy="Have the file delivered again, whole.",
        )
