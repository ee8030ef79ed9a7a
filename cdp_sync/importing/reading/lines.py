"""Reads text of which each line is one value, such as a list of addresses: field `line`. Blank lines are no rows."""

from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

from cdp_sync.importing.reading.csv_header import Head, check_columns
from cdp_sync.importing.reading.normalize import NormalizedPart, in_utf_8
from cdp_sync.importing.reading.records import read_lines
from cdp_sync.importing.reading.records_plan import BROKEN, LONGEST, RESERVED
from cdp_sync.importing.reading.survey import Survey
from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import Format, ImportGoal
from cdp_sync.model.format import WHITE_SPACE
from cdp_sync.warehouse import Session, quote_literal

FIELD = "line"
"""The one field."""

UNREADABLE = f"""
        when contains(raw, '{BROKEN}') then 'not utf-8; another encoding, perhaps windows-1252, may fit'
        when contains(raw, '{RESERVED}') then 'a noncharacter, U+FDD0 to U+FDEF'
        when strlen(raw) > {LONGEST} then 'longer than {LONGEST:,} bytes'"""
"""The cases of a line that is rejected whatever format it is in."""

VISIBLE = f"trim(raw, {quote_literal(WHITE_SPACE)}) <> ''"
"""The condition that a line is not blank."""


class LinesReader:
    """Reads lines."""

    def normalize(
        self, session: Session, part: Part, goal: ImportGoal, folder: Path | None = None, further: Sequence[str] = ()
    ) -> NormalizedPart | None:
        """Bring a part to lines; see `Reader`."""
        local, start = lines_of(session, part, goal, folder)
        if not session.value(f"select count(*) from physical_line where {VISIBLE}"):
            return None
        head = Head((FIELD,), 0)
        nuls = session.value("select coalesce(bool_or(contains(raw, chr(0))), false) from physical_line")
        survey = Survey(nuls=nuls, divided=True)
        warnings = tuple(check_columns(head, goal, ""))
        relation = "(select raw as c1 from record)"
        return NormalizedPart(part.name, local, head, start, survey, warnings, reader="lines", relation=relation)

    def read(self, session: Session, part: NormalizedPart, form: Format) -> None:
        """Take each readable line for a row; see `Reader`."""
        session.execute(
            f"""create or replace temp table line as
            select rowid + 1 as n, raw, case{UNREADABLE} end as problem from physical_line where {VISIBLE} order by n"""
        )
        record_and_reject(session, "line", "raw")


def lines_of(session: Session, part: Part, goal: ImportGoal, folder: Path | None) -> tuple[Path, int]:
    """Make `physical_line` of a part; return its file in UTF-8 and the size of the byte order mark in it."""
    local = in_utf_8(part, goal.format, folder or part.local.parent)
    with local.open("rb") as file:
        start = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
    read_lines(session, local, start)
    return local, start


def record_and_reject(session: Session, table: str, columns: str) -> None:
    """Make `record` and `reject` of a table of lines, whose column `problem` says why a line is no row."""
    session.execute(
        f"create or replace temp table record as select n, {columns} from {table} where problem is null order by n"
    )
    session.execute(f"""create or replace temp table reject as
        select n, n as until, false as in_quote, problem as reason from {table} where problem is not null order by n""")
