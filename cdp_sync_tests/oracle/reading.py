"""From the bytes of a file to its rows."""

import re
from dataclasses import dataclass, field

from cdp_sync.model import FileGoal, Format
from cdp_sync_tests.oracle.arriving import unpack
from cdp_sync_tests.oracle.row import Entry, FileFails, Row

PYTHON_NAMES = {"windows-1252": "cp1252"}


@dataclass
class Table:
    """A file that was read: its columns, its rows, and the rows that could not be read."""

    columns: list[str]
    rows: list[Row] = field(default_factory=list)
    rejected: list[Entry] = field(default_factory=list)


@dataclass
class Record:
    """Fields between two line ends, or the reason why there are none."""

    line: int
    raw: str
    fields: list[str]
    problem: str = ""


class OpenQuote(Exception):
    """The text ends inside quotes."""


class Malformed(Exception):
    """Something follows a closing quote that is no separator."""


def read_file(path: str, content: bytes, goal: FileGoal) -> tuple[list[Row], list[Entry]]:
    """Return the rows of a file and those rejected. Raises FileFails if nothing of it may land."""
    tables = [read_table(name, part, goal) for name, part in unpack(path, content, goal)]
    rows = [row for table in tables for row in table.rows]
    rejected = [entry for table in tables for entry in table.rejected]
    if len(rejected) * 100 > goal.max_rejected_percent * (len(rejected) + len(rows)):
        raise FileFails("too many rows were rejected", rejected)
    for row in rows:
        row.path = path
    return rows, rejected


def read_table(name: str, content: bytes, goal: FileGoal) -> Table:
    """Read one delimited text."""
    records = split_records(decode(content, goal.format), goal.format)
    if not records:
        return Table([])
    if goal.format.header:
        columns = [name.strip() for name in records.pop(0).fields]
    else:
        columns = [f"column{number}" for number in range(1, len(records[0].fields) + 1)]
    check_columns(columns, goal)
    table = Table(columns)
    for record in records:
        place_record(name, record, table, goal.format)
    return table


def decode(content: bytes, fmt: Format) -> str:
    """Return the text. Of utf-8, which says itself what is broken, only the broken rows will be rejected."""
    if fmt.encoding == "utf-8":
        return content.decode("utf-8-sig", errors="surrogateescape")
    try:
        return content.decode(PYTHON_NAMES.get(fmt.encoding, fmt.encoding)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FileFails(f"it is not {fmt.encoding}") from error


def check_columns(columns: list[str], goal: FileGoal) -> None:
    """A file needs one of the linked columns, and no column twice that is used."""
    if not any(link.field in columns for link in goal.link):
        raise FileFails("every linked column is missing")
    if goal.map_detected and len(set(named(columns)) - set(goal.fields)) > goal.map_detected.max_columns:
        raise FileFails("it has more columns that nothing maps than max_columns")
    used = named(columns) if goal.map_detected else goal.fields
    for name in used:
        if columns.count(name) > 1:
            raise FileFails(f"more than one column is called {name}")


def named(columns: list[str]) -> list[str]:
    """Return the columns that have a name."""
    return [name for name in columns if name.strip()]


def place_record(name: str, record: Record, table: Table, fmt: Format) -> None:
    """Put a record among the table's rows, or among what it rejected."""
    if len(record.fields) == len(table.columns) + 1 and record.fields[-1] == "":
        record.fields.pop()  # a separator behind the last field ends it, and begins none
    problem = record.problem or ("not utf-8" if re.search("[\ud800-\udfff]", record.raw) else "")
    if not problem and len(record.fields) != len(table.columns):
        problem = f"{len(record.fields)} fields instead of {len(table.columns)}"
    if problem:
        table.rejected.append(Entry(name, record.line, problem, raw=record.raw))
    else:
        cells = [None if cell in fmt.nulls else cell for cell in record.fields]
        table.rows.append(Row(name, name, record.line, dict(zip(table.columns, cells, strict=True))))


def split_records(text: str, fmt: Format) -> list[Record]:
    """Split a text into records. A line that ends inside quotes goes on in the next one; blank lines are none."""
    records: list[Record] = []
    pending: list[str] = []
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    for number, line in enumerate(lines, start=1):
        if number <= fmt.skip_rows or (not pending and is_blank(line) and not alone(records)):
            continue
        pending.append(line)
        first, raw = number - len(pending) + 1, without_line_end("".join(pending))
        try:
            records.append(Record(first, raw, read_fields(raw, fmt)))
        except Malformed:
            records.append(Record(first, raw, [], "text behind a closing quote"))
        except OpenQuote:
            continue
        pending = []
    return records + unclosed(pending, len(lines))


def unclosed(pending: list[str], last: int) -> list[Record]:
    """Reject, one by one, the lines that a quote swallowed which nobody closed."""
    first = last - len(pending) + 1
    return [
        Record(number, without_line_end(line), [], "a quote is not closed")
        for number, line in enumerate(pending, start=first)
        if not is_blank(line)
    ]


def alone(records: list[Record]) -> bool:
    """Whether the file has one column only: there a blank line is a row without a value."""
    return bool(records) and len(records[0].fields) == 1


def is_blank(line: str) -> bool:
    """Whether there is nothing before the line end."""
    return without_line_end(line) == ""


def without_line_end(line: str) -> str:
    """Return the line without the one line end behind it."""
    return re.sub(r"(\r\n|\r|\n)\Z", "", line)


def read_fields(text: str, fmt: Format) -> list[str]:
    """Split one record into its fields."""
    fields = []
    rest = fmt.separator + text
    while rest:
        if not rest.startswith(fmt.separator):
            raise Malformed
        rest = rest.removeprefix(fmt.separator)
        if fmt.quote and rest.startswith(fmt.quote):
            value, rest = read_quoted(rest.removeprefix(fmt.quote), fmt.quote)
        else:
            value = rest.split(fmt.separator)[0]
            rest = rest.removeprefix(value)
        fields.append(value)
    return fields


def read_quoted(text: str, quote: str) -> tuple[str, str]:
    """Return the text up to the closing quote, and what follows it. A doubled quote stands for itself."""
    value = ""
    while quote in text:
        before, _, text = text.partition(quote)
        value += before
        if not text.startswith(quote):
            return value, text
        value += quote
        text = text.removeprefix(quote)
    raise OpenQuote
