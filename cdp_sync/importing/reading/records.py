"""Reads a part that is not regular, exactly: as lines, each of which is judged by the grammar.

A line that opens a quote and does not close it begins a record that ends at the next line that closes the quote for
good. If there is one, the lines belong to the record: it is a row, or has too many or too few fields, and all its lines
are rejected. Otherwise the opening line alone is rejected and reading goes on after it, so that every line is judged:
it is a row, part of one, rejected with its reason, or declared to be no row.

The SQL needs no pass row by row. A line that opens a quote and leaves it open has an odd number of quotes. Seen from
inside a quote, a line with an odd number of quotes ends the record, well or not. So records that span lines never nest,
and each ends at the latest at the next line that opens. Whether an opening line is reached at all depends on the one
before it alone: it is not if that one was reached and its record, a whole one, ends there. In a chain of opening lines
of which each could end the record of the one before, every other one is reached.
"""

import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.grammar import NONCHARACTERS, NOT_CLOSED, QUOTE_IN_TEXT, TEXT_AFTER_QUOTE, Grammar
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.sources.archives import CHUNK
from cdp_sync.model import WHITE_SPACE, Format, counted
from cdp_sync.warehouse import Session, Step, quote_literal

BROKEN, RESERVED = "\ufdd3", "\ufdd4"
"""In a line: stand for a byte that is not UTF-8, and for a noncharacter. A line that holds one is refused again."""
MARKS = BROKEN + RESERVED

_LONGEST_LINE = 64_000_000
"""Bytes of a line, at most."""

_NEVER, _PAIR, _RETURN = "\ufdd0", "\ufdd1", "\ufdd2"
"""In the copy that is read line by line: never there; at the end of a line that a return and a line feed, or a return
alone, ended."""

_BROKEN_BYTE = re.compile("[\udc80-\udcff]")
"""What Python puts for a byte that is not UTF-8."""

LONGEST = 2_000_000
"""Bytes of a record."""

UNREADABLE = f"""
        when contains(raw, '{BROKEN}') then 'not utf-8; another encoding, perhaps windows-1252, may fit'
        when contains(raw, '{RESERVED}') then 'a noncharacter, U+FDD0 to U+FDEF'
        when strlen(raw) > {LONGEST} then 'longer than {LONGEST:,} bytes'"""
"""The cases of a line that is rejected whatever format it is in."""

_LOGICAL = """
    select min(n) as n, max(n) as until, any_value(line_break order by n desc) as line_break,
        string_agg(raw || case when n < last then line_break else '' end, '' order by n) as raw
    from (
        select n, raw, line_break, max(n) over (partition by record) as last, record
        from (
            select *, count(*) filter (where not after_escape) over (order by n) as record
            from (
                select n, raw, line_break, lag(escapes, 1, false) over (order by n) and n <> {trailer} as after_escape
                from (select rowid + 1 as n, raw, line_break, {escapes} as escapes from physical_line)
            )
        )
    )
    group by record"""
"""Lines of which some were joined, because their line break is escaped."""


@dataclass(frozen=True)
class RecordsPlan:
    """The steps for one part: `line` and `opening`, which judge lines by themselves, then `resolved`."""

    grammar: Grammar
    width: int
    """Cells that a row has to have."""
    header: str
    """The header as it stands in the part."""
    tail: int
    """Number of the last line that is not blank."""
    trailer: bool
    """Whether that line is the declared trailer."""
    names_separator: bool = False
    """Whether the part begins with a line that names the separator."""

    def lines(self) -> list[Step]:
        """Return the steps that make `line` and `opening` of `physical_line`."""
        form, text = self.grammar.form, self.grammar.prepared("raw")
        lines = "select rowid + 1 as n, rowid + 1 as until, raw, line_break from physical_line"
        if form.escape:
            comment = f" and not starts_with(raw, {quote_literal(form.comment)})" if form.comment else ""
            escapes = rf"regexp_matches(raw, '(?:^|[^\\])(?:\\\\)*\\$'){comment}"
            lines = _LOGICAL.format(escapes=escapes, trailer=self.tail if self.trailer else 0)
        quoted = f"contains({text}, {quote_literal(form.quote)})" if form.quote else "false"
        line = f"""create or replace temp table line as
select n, until, raw, line_break, quoted, sort, inside, {self._judged("sort = 'row'")}
from (
    select *, {self._sort()} as sort, {self._inside()} as inside
    from (select *, {text} as text, {quoted} as quoted from ({lines}))
)
order by n"""
        opening = _OPENING.format(
            lines=form.max_record_lines, too_many=self._too_many, text=text, judged=self._judged("true")
        )
        bound = {"header": self.header} if self.header else {}
        return [Step("line", line, bound), Step("opening", opening, bound)]

    @property
    def _too_many(self) -> str:
        return f"a record of more than {counted(self.grammar.form.max_record_lines, 'line')}"

    def _sort(self) -> str:
        """Return what a line is from outside of quotes: `none`, `row`, `open`, or why it is malformed."""
        grammar, form = self.grammar, self.grammar.form
        none = [f"n >= {self.tail}"] if self.trailer else [f"n > {self.tail} and raw <> ''"]
        none += ["raw = ''"] if self.width != 1 else []
        none += [f"starts_with(raw, {quote_literal(form.comment)})"] if form.comment else []
        too_high, too_many = f"until - n >= {form.max_record_lines}", self._too_many
        if not form.quote:
            return f"case when {' or '.join(none)} then 'none' when {too_high} then '{too_many}' else 'row' end"
        return f"""case
        when {" or ".join(none)} then 'none'
        when {too_high} then '{too_many}'
        when not quoted or {_matches(grammar.whole)} then 'row'
        when {_matches(grammar.opens)} then 'open'
        when {_matches(grammar.lenient)} then 'row'
        when {_matches(grammar.after_quote)} then '{TEXT_AFTER_QUOTE}'
        else '{QUOTE_IN_TEXT}'
    end"""

    def _inside(self) -> str:
        """Return what a line does to a quote that is open when it begins."""
        grammar = self.grammar
        if not self.grammar.form.quote:
            return "'goes on'"
        trailer = f"when n = {self.tail} then 'ends'" if self.trailer else ""
        return f"""case {trailer}
        when not quoted or {_matches(grammar.continues)} then 'goes on'
        when {_matches(grammar.closes)} then 'closes'
        else 'ends'
    end"""

    def _judged(self, condition: str) -> str:
        """Return the columns `fields`, `other` (of another type than rows are) and `problem` of a record."""
        grammar, kind = self.grammar, self.grammar.form.record_type
        other = "false"
        if kind:
            cell = f"({grammar.split_sql('text', 'quoted')})[{kind.field}]"
            other = f"{grammar.text_sql(cell)} is distinct from {quote_literal(kind.equals)}"
        separator = f"lower(trim(raw, '\"')) = {quote_literal(f'sep={self.grammar.form.separator}'.lower())}"
        problem = f"""case
            {self._header_again() if self.header else ""}
            {f"when {separator} then 'a line that names the separator again'" if self.names_separator else ""}
            {UNREADABLE}
        end"""
        columns = {"fields": grammar.count_sql("text", "quoted"), "other": other, "problem": problem}
        return ",\n    ".join(f"case when {condition} then {sql} end as {name}" for name, sql in columns.items())

    def _header_again(self) -> str:
        """Return the case of a record that is the header again: as it stands there, or with other quotes or blanks."""
        grammar, space = self.grammar, quote_literal(WHITE_SPACE)
        names = [name.strip(WHITE_SPACE) for name in grammar.split(grammar.prepare(self.header))]
        cells = grammar.split_sql("text", "quoted")
        trimmed = f"list_transform({cells}, lambda name: trim({grammar.text_sql('name')}, {space}))"
        same = f"{trimmed} = [{', '.join(map(quote_literal, names))}]"
        # Most lines do not hold the first name: they need not be split.
        alike = f"case when contains(raw, {quote_literal(names[0])}) then {same} else false end"
        return f"when ltrim(raw, chr(65279)) = $header or {alike} then 'the header again'"

    def resolved(self, width: int, *, pad: bool) -> list[Step]:
        """Return the steps that make `taken`, `record` and `reject` of rows of so many cells; `pad`: or fewer."""
        parts = {
            "misfit": f"(not other and problem is null and fields {'>' if pad else '<>'} {width})",
            "count": f"case when fields > {width} then 'too many fields: ' else 'too few fields: ' end "
            f"|| fields || ' of {width}'",
        }
        tables = {"taken": _TAKEN, "record": _RECORD, "reject": _REJECT}
        return [
            Step(name, f"create or replace temp table {name} as{sql.format(**parts)}") for name, sql in tables.items()
        ]


def _matches(pattern: str) -> str:
    return f"regexp_full_match(text, {quote_literal(pattern)}, 's')"


_OPENING = f"""create or replace temp table opening as
with ended as (
    select line.n, stop.n as last, stop.inside = 'closes' as closes,
        stop.until - line.n >= {{lines}} as too_high
    from (select n from line where sort = 'open') line
    asof left join (select n, until, inside from line where inside <> 'goes on') stop on line.n < stop.n
),
spread as (
    select n as opening, last, unnest(range(n, last + 1)) as n from ended where closes and not too_high
),
joined as (
    select opening as n, true as quoted,
        string_agg(raw || case when n < last then line_break else '' end, '' order by n) as raw
    from spread join line using (n)
    group by opening
),
judged as (
    select n, raw, {{judged}} from (select *, {{text}} as text from joined)
)
select ended.n, last, raw, fields, other,
    case
        when not coalesce(closes, false) then '{NOT_CLOSED}'
        when too_high then '{{too_many}}'
        else problem
    end as problem
from ended left join judged using (n)
order by n"""

_TAKEN = """
with closed as (
    select *, problem is null as closed, {misfit} as misfit, lead(n) over (order by n) as next_opening from opening
),
linked as (
    select *, lag(closed and last = next_opening, 1, false) over (order by n) as may_be_inside from closed
),
numbered as (
    select *, count(*) filter (where not may_be_inside) over (order by n) as chain from linked
)
select n, last, raw, other, fields, coalesce(misfit, false) as misfit
from (select *, row_number() over (partition by chain order by n) % 2 = 1 as reached from numbered)
where reached and closed
order by n"""
"""Records that span lines, be they rows or ones with too many or too few fields."""

_LEFT = "line anti join (select unnest(range(n, last + 1)) as n from taken) using (n)"
"""The lines that no such record takes."""

_RECORD = f"""
select n, raw, quoted from {_LEFT} where sort = 'row' and not other and problem is null and not {{misfit}}
union all
select n, raw, true from taken where not other and not misfit
order by n"""

_REJECT = f"""
select n, until, raw, {{misfit}} as misfit, fields, false as in_quote,
    case when {{misfit}} then {{count}} else problem end as reason
from (
    select line.n, line.until, line.raw, sort,
        case when sort = 'open' then opening.fields else line.fields end as fields,
        case when sort = 'open' then opening.other else line.other end as other,
        case sort when 'open' then opening.problem when 'row' then line.problem else sort end as problem
    from (select * from {_LEFT}) line left join opening using (n)
)
where sort <> 'none' and (problem is not null or {{misfit}}) and not coalesce(other, false)
union all
select n, until, raw, true, fields, true, {{count}}
from taken join (select n as last, until from line) using (last)
where misfit
order by n"""


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
    plan = RecordsPlan(Grammar(form), len(head.columns), head.header, tail, trailer is not None, head.names_separator)
    session.run(plan.lines())
    _resolve(session, plan, surplus_may_be_left_out=part.complete)
    _check_count(session, plan, trailer)


def read_lines(session: Session, local: Path, start: int) -> None:
    """Make `physical_line(raw, line_break)`: the lines of a file from a byte on, whatever quotes they hold."""
    copy = local.with_name(f"{local.name}.lines")
    with copy.open("wb") as file:
        file.writelines(_marked(local, start))
    pair, lone = quote_literal(_PAIR), quote_literal(_RETURN)
    sql = f"""create or replace temp table physical_line as
select
    case when last in ({pair}, {lone}) then left(text, -1) else text end as raw,
    case last when {pair} then chr(13) || chr(10) when {lone} then chr(13) else chr(10) end as line_break
from (
    select coalesce(text, '') as text, right(text, 1) as last
    from read_csv($path, auto_detect = false, header = false, columns = {{'text': 'VARCHAR'}}, delim = $never,
        quote = '', escape = '', comment = '', new_line = '\\n', strict_mode = false, max_line_size = $longest)
)"""
    longest = min(max(copy.stat().st_size, 1 << 21), _LONGEST_LINE)  # DuckDB's buffers hold lines of that size
    session.run([Step("physical_line", sql, {"path": str(copy), "never": _NEVER, "longest": longest})])
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
    pad = plan.grammar.form.short_rows == "pad"
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
    declared = plan.grammar.form.trailer
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
