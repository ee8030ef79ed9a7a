"""Accounts for every line of a part: each belongs to the head, to a row, to a rejected row, or is blank.

DuckDB's parser can lose rows without a word: an opening quote that never closes swallowed 185,000 rows of a file of two
million and left no entry among the rejects. So the lines that the parser accounted for are compared with the lines that
the bytes hold, and a part that does not add up fails with the line that is the likely cause.
"""

from cdp_sync.errors import FileRejected
from cdp_sync.importing.landing import KEPT_RETURN, Landed, readable
from cdp_sync.importing.staging_plan import Cells, read_part
from cdp_sync.model import Format
from cdp_sync.warehouse import Session, quote_literal

_REASONS = """
case error_type
    when 'MISSING COLUMNS' then 'too few fields: ' || regexp_replace(error_message, $found, '\\2 of \\1', 's')
    when 'TOO MANY COLUMNS' then 'too many fields'
    when 'UNQUOTED VALUE' then 'a quote opens and does not close where the field ends'
    when 'INVALID ENCODING' then 'not utf-8; another encoding, perhaps windows-1252, may fit'
    when 'LINE SIZE OVER MAXIMUM' then 'longer than 2,000,000 bytes'
    else lower(error_type)
end"""

_FORGET_REJECTS = "drop table reject_errors; drop table reject_scans"

RAW_LIMIT = 10_000
"""Characters of a rejected row that the quarantine keeps."""


def account(session: Session, landed: Landed, form: Format, *, file: int, part: int, first_row: int) -> None:
    """Note the rejected rows of the part just staged with their lines, and where its rows stood.

    Raises:
        FileRejected: The parser did not account for every line.
    """
    rows = session.value("select count(*) from staging.staged") - first_row
    note_part(session, landed, file=file, part=part, first_row=first_row, rows=rows)
    rejected = _take_rejects(session)
    if landed.skip + rows + rejected == landed.survey.lines:
        _note_simple(session, landed, file=file, part=part, first_row=first_row)
    else:
        _Reckoning(session, landed, form).note(file=file, part=part, first_row=first_row, rows=rows)


def note_part(session: Session, landed: Landed, *, file: int, part: int, first_row: int, rows: int) -> None:
    """Note which rows of the staging table are the part's."""
    session.execute(
        "insert into staging.part values (?, ?, ?, ?, ?, ?)",
        [part, file, landed.name, first_row, rows, landed.body_line],
    )


def _take_rejects(session: Session) -> int:
    """Make `reject(line, position, raw, reason)`, one row for each rejected row; return how many."""
    session.execute(
        f"""create or replace temp table reject as
        select line, line_byte_position as position, reason, trim(any_value(csv_line), chr(10) || chr(13)) as raw
        from (select *, {_REASONS} as reason from reject_errors)
        group by line, position, reason
        qualify row_number() over (partition by line order by reason) = 1""",
        {"found": r".*Columns: (\d+) Found: (\d+).*"},
    )
    session.execute(_FORGET_REJECTS)
    return int(session.value("select count(*) from reject"))


def _note_simple(session: Session, landed: Landed, *, file: int, part: int, first_row: int) -> None:
    """Every row is one line: the parser's line numbers are those of the file."""
    numbers = {"file": file, "part": part, "offset": landed.head.lines - landed.skip, "limit": RAW_LIMIT}
    session.execute(
        """insert into staging.rejected
        select $file, $part, line + $offset, raw[:$limit], reason from reject""",
        numbers,
    )
    session.execute(
        """insert into staging.line_gap
        select $part, $first_row + line - nth - $skip, nth
        from (select line, row_number() over (order by line) as nth from reject)
        qualify nth = max(nth) over (partition by line - nth)""",
        {"part": part, "first_row": first_row, "skip": landed.skip},
    )


class _Reckoning:
    """The slow way, for parts with line breaks inside values or with blank lines: read the lines as lines."""

    def __init__(self, session: Session, landed: Landed, form: Format) -> None:
        self._session = session
        self._landed = landed
        self._form = form
        self._several = len(landed.head.columns) > 1
        """In a file of one column a blank line is a row without a value."""

    def note(self, *, file: int, part: int, first_row: int, rows: int) -> None:
        """Note rejected rows and gaps, after checking that all lines are accounted for."""
        self._read_lines()
        self._read_heights()
        self._place_rejects()
        self._check(rows)
        numbers = {"file": file, "part": part, "offset": self._landed.head.lines - self._landed.skip}
        self._session.execute(
            f"""insert into staging.rejected
            select $file, $part, n + $offset, text[:{RAW_LIMIT}], reason from rejected_line where not blank and told""",
            numbers,
        )
        self._note_gaps(part, first_row)

    def _read_lines(self) -> None:
        """Make `physical_line(n, text, blank, ends_at)`: the part as lines, whatever quotes they hold."""
        survey = self._landed.survey
        self._session.execute(
            """create or replace temp table raw_line as
            select text from read_csv($path, auto_detect = false, header = false, columns = {'text': 'VARCHAR'},
                delim = $never, quote = '', escape = '', strict_mode = false, max_line_size = 64000000)""",
            {"path": str(readable(self._landed.local, kept_inside=survey.kept_inside)), "never": "\x1f\x1e\x1f\x1e"},
        )
        self._session.execute(
            """create or replace temp table physical_line as
            select rowid + 1 as n, text, coalesce(trim(text, $returns), '') = '' and $several as blank,
                $mark + sum(coalesce(strlen(text), 0) + $break) over (order by rowid) as ends_at
            from raw_line""",
            {
                "break": survey.break_size,
                "mark": survey.mark,
                "several": self._several,
                "returns": KEPT_RETURN if survey.kept_inside else "",
            },
        )

    def _read_heights(self) -> None:
        """Make `height(height, inside)` in row order: lines that a row takes, and blank ones among them."""
        call, values = read_part(self._landed, self._form)
        cells = list(Cells(self._landed.head.columns).types)
        breaks = " + ".join(f"coalesce(len({cell}) - len(replace({cell}, chr(10), '')), 0)" for cell in cells)
        blank = " + ".join(f"coalesce({_blank_lines_in(cell)}, 0)" for cell in cells) if self._several else "0"
        self._session.execute(
            f"""create or replace temp table height as
            select 1 + {breaks} as height, {blank} as inside from {call}""",
            values,
        )
        self._session.execute(_FORGET_REJECTS)

    def _place_rejects(self) -> None:
        """Make `rejected_line`: the lines of every rejected row, swallowed ones told one by one."""
        self._session.execute(
            """create or replace temp table rejected_line as
            with extent as (
                select reason, n, n + len(raw) - len(replace(raw, chr(10), '')) as last_line
                from reject
                asof join (select n, ends_at from physical_line where not blank) line on reject.position < line.ends_at
            )
            select line.n, text, blank, any_value(reason) as reason,
                bool_or(reason like 'a quote opens%' or line.n = extent.n) as told
            from extent
            join physical_line line on line.n between extent.n and extent.last_line
            group by all"""
        )

    def _check(self, rows: int) -> None:
        total, blank = self._session.row("select count(*), count(*) filter (blank) from physical_line")
        heights, inside = self._session.row("select coalesce(sum(height), 0), coalesce(sum(inside), 0) from height")
        rejected, within = self._session.row("select count(*), count(*) filter (blank) from rejected_line")
        if total != self._landed.skip + heights + rejected + blank - inside - within:
            self._complain(rows)

    def _complain(self, rows: int) -> None:
        quote = quote_literal(self._form.quote)
        odd = self._session.rows(
            f"""select n from physical_line
            where (len(text) - len(replace(text, {quote}, ''))) % 2 = 1 order by n limit 1"""
        )
        line = f" The first line with an odd number of quotes is {odd[0][0] + self._offset}." if odd else ""
        raise FileRejected(
            f"The parser told only {rows:,} rows apart and did not account for every line.{line}",
            needed="Every quote that opens closes in its own field, and no row is longer than 2,000,000 bytes.",
            remedy="Have that line corrected; without quoting, declare `quote: ''`.",
        )

    @property
    def _offset(self) -> int:
        return self._landed.head.lines - self._landed.skip

    def _note_gaps(self, part: int, first_row: int) -> None:
        """Rows take the lines that are left, in order, each as many as it is high; no row begins with a blank line."""
        self._session.execute(
            f"""insert into staging.line_gap
            with free as (
                select n, row_number() over (order by n) as nth
                from physical_line
                where n > {self._landed.skip} and not blank and n not in (select n from rejected_line)
            ),
            start as (
                select rowid as k, 1 + sum(height - inside) over (order by rowid) - height + inside as nth from height
            ),
            gap as (select k, n - {self._landed.skip} - 1 - k as gap from start join free using (nth))
            select $part, $first_row + k, gap
            from (select k, gap, lag(gap, 1, 0) over (order by k) as before from gap)
            where gap <> before""",
            {"part": part, "first_row": first_row},
        )


def _blank_lines_in(cell: str) -> str:
    """Return the expression for the blank lines inside a cell: empty pieces between two line breaks."""
    pieces = f"string_split({cell}, chr(10))[2:-2]"
    blank = f"len(list_filter({pieces}, lambda piece: trim(piece, chr(13)) = ''))"
    return f"case when contains({cell}, chr(10)) then {blank} end"
