"""The SQL that makes records of the lines of a part. Pure: a goal's format and a head in, steps out.

It needs no pass row by row. A line that opens a quote and leaves it open has an odd number of quotes. Seen from inside
a quote, a line with an odd number of quotes ends the record, well or not. So records that span lines never nest, and
each ends at the latest at the next line that opens. Whether an opening line is reached at all depends on the one before
it alone: it is not if that one was reached and its record, a whole one, ends there. In a chain of opening lines of
which each could end the record of the one before, every other one is reached.
"""

from dataclasses import dataclass

from cdp_sync.importing.reading.grammar import NOT_CLOSED, QUOTE_IN_TEXT, TEXT_AFTER_QUOTE, Grammar
from cdp_sync.model import Format
from cdp_sync.model.counting import counted
from cdp_sync.model.format import WHITE_SPACE
from cdp_sync.warehouse import Step, quote_literal

BROKEN, RESERVED = "\ufdd3", "\ufdd4"
"""In a line: stand for a byte that is not UTF-8, and for a noncharacter."""

LONGEST = 2_000_000
"""Bytes of a record."""

UNREADABLE = f"""
        when contains(raw, '{BROKEN}') then 'not utf-8; another encoding, perhaps windows-1252, may fit'
        when contains(raw, '{RESERVED}') then 'a noncharacter, U+FDD0 to U+FDEF'
        when strlen(raw) > {LONGEST} then 'longer than {LONGEST:,} bytes'"""
"""The cases of a line that is rejected whatever format it is in."""

_NUMBERED = "select rowid + 1 as n, rowid + 1 as until, raw, line_break from physical_line"

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

    form: Format
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

    @property
    def grammar(self) -> Grammar:
        """The grammar of the format."""
        return Grammar(self.form)

    def lines(self) -> list[Step]:
        """Return the steps that make `line` and `opening` of `physical_line`."""
        bound = {"header": self.header} if self.header else {}
        return [Step("line", self._line(), bound), Step("opening", self._opening(), bound)]

    def _line(self) -> str:
        text = self.grammar.prepared("raw")
        lines = self._logical_lines() if self.form.escape else _NUMBERED
        quote = quote_literal(self.form.quote)
        quoted = f"contains({text}, {quote})" if self.form.quote else "false"
        return f"""create or replace temp table line as
select n, until, raw, line_break, quoted, sort, inside, {self._judged("sort = 'row'")}
from (
    select *, {self._sort()} as sort, {self._inside()} as inside
    from (select *, {text} as text, {quoted} as quoted from ({lines}))
)
order by n"""

    def _logical_lines(self) -> str:
        """Return the query for lines of which some are joined, because their line break is escaped."""
        comment = f" and not starts_with(raw, {quote_literal(self.form.comment)})" if self.form.comment else ""
        escapes = rf"regexp_matches(raw, '(?:^|[^\\])(?:\\\\)*\\$'){comment}"
        return _LOGICAL.format(escapes=escapes, trailer=self.tail if self.trailer else 0)

    def _sort(self) -> str:
        """Return what a line is from outside of quotes: `none`, `row`, `open`, or why it is malformed."""
        grammar = self.grammar
        none = [f"n >= {self.tail}"] if self.trailer else [f"n > {self.tail} and raw <> ''"]
        none += ["raw = ''"] if self.width != 1 else []
        none += [f"starts_with(raw, {quote_literal(self.form.comment)})"] if self.form.comment else []
        too_high = f"until - n >= {self.form.max_record_lines}"
        too_many = f"a record of more than {counted(self.form.max_record_lines, 'line')}"
        if not self.form.quote:
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
        if not self.form.quote:
            return "'goes on'"
        trailer = f"when n = {self.tail} then 'ends'" if self.trailer else ""
        return f"""case {trailer}
        when not quoted or {_matches(grammar.continues)} then 'goes on'
        when {_matches(grammar.closes)} then 'closes'
        else 'ends'
    end"""

    def _judged(self, condition: str) -> str:
        """Return the columns `fields`, `other` (of another type than rows are) and `problem` of a record."""
        grammar, kind = self.grammar, self.form.record_type
        other = "false"
        if kind:
            cell = f"({grammar.split_sql('text', 'quoted')})[{kind.field}]"
            other = f"{grammar.text_sql(cell)} is distinct from {quote_literal(kind.equals)}"
        separator = f"lower(trim(raw, '\"')) = {quote_literal(f'sep={self.form.separator}'.lower())}"
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

    def _opening(self) -> str:
        text = self.grammar.prepared("raw")
        too_many = f"a record of more than {counted(self.form.max_record_lines, 'line')}"
        return f"""create or replace temp table opening as
with ended as (
    select line.n, stop.n as last, stop.inside = 'closes' as closes,
        stop.until - line.n >= {self.form.max_record_lines} as too_high
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
    select n, raw, {self._judged("true")} from (select *, {text} as text from joined)
)
select ended.n, last, raw, fields, other,
    case
        when not coalesce(closes, false) then '{NOT_CLOSED}'
        when too_high then '{too_many}'
        else problem
    end as problem
from ended left join judged using (n)
order by n"""

    def resolved(self, width: int, *, pad: bool) -> list[Step]:
        """Return the steps that make `taken`, the records that span lines, `record` and `reject`.

        A row has `width` cells; with `pad`, it may have fewer.
        """
        misfit = f"(not other and problem is null and fields {'>' if pad else '<>'} {width})"
        return [
            Step("taken", f"create or replace temp table taken as{_taken(misfit)}"),
            Step("record", f"create or replace temp table record as{_record(misfit)}"),
            Step("reject", f"create or replace temp table reject as{_reject(misfit, width)}"),
        ]


def _matches(pattern: str) -> str:
    return f"regexp_full_match(text, {quote_literal(pattern)}, 's')"


def _taken(misfit: str) -> str:
    return f"""
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


_LEFT = "line anti join (select unnest(range(n, last + 1)) as n from taken) using (n)"
"""The lines that no record takes that spans lines, be it a row or one with too many or too few fields."""


def _record(misfit: str) -> str:
    return f"""
select n, raw, quoted from {_LEFT} where sort = 'row' and not other and problem is null and not {misfit}
union all
select n, raw, true from taken where not other and not misfit
order by n"""


def _reject(misfit: str, width: int) -> str:
    count = (
        f"case when fields > {width} then 'too many fields: ' else 'too few fields: ' end || fields || ' of {width}'"
    )
    return f"""
select n, until, raw, {misfit} as misfit, fields, false as in_quote,
    case when {misfit} then {count} else problem end as reason
from (
    select line.n, line.until, line.raw, sort,
        case when sort = 'open' then opening.fields else line.fields end as fields,
        case when sort = 'open' then opening.other else line.other end as other,
        case sort when 'open' then opening.problem when 'row' then line.problem else sort end as problem
    from (select * from {_LEFT}) line left join opening using (n)
)
where sort <> 'none' and (problem is not null or {misfit}) and not coalesce(other, false)
union all
select n, until, raw, true, fields, true, {count}
from taken join (select n as last, until from line) using (last)
where misfit
order by n"""
