"""From the bytes of a file to its rows."""

from dataclasses import dataclass, field

from cdp_sync.model import FileGoal, Format
from cdp_sync_tests.oracle.arriving import unpack
from cdp_sync_tests.oracle.converting import stripped
from cdp_sync_tests.oracle.row import Cell, Entry, FileFails, Row
from cdp_sync_tests.oracle.scanning import Line, Scanned, logical_lines, physical_lines, scan

PYTHON_NAMES = {"windows-1252": "cp1252"}


@dataclass
class Table:
    """The columns, rows and rejected rows of a file."""

    columns: list[str]
    rows: list[Row] = field(default_factory=list)
    rejected: list[Entry] = field(default_factory=list)


@dataclass
class Record:
    """The cells of a record, or the reason why it is rejected."""

    line: int
    raw: str
    cells: list[Cell]
    problem: str = ""
    misfits: bool = False
    """Whether the number of fields is the reason."""
    height: int = 1


def read_file(path: str, content: bytes, goal: FileGoal) -> tuple[list[Row], list[Entry]]:
    """Return the rows and rejected rows of a file. Raises FileFails if the file fails as a whole."""
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
    fmt = goal.format
    lines = without_end(logical_lines(physical_lines(decode(content, fmt)), fmt), fmt)
    names_separator = bool(lines.body and separator_named_by(lines.body[0].text))
    lines.body = lines.body[first_line(lines.body, fmt) :]
    while lines.body and is_skipped(lines.body[0], fmt, several=True):
        lines.body.pop(0)
    if not lines.body and lines.trailer is None:
        return Table([])
    header = ""
    if fmt.header and lines.body:
        scanned = read_header(lines.body, fmt)
        header, columns = scanned.raw, [(cell or "").replace("\r\n", "\n").strip() for cell in scanned.cells]
        lines.body = lines.body[scanned.lines :]
    else:
        columns = [f"column{number}" for number in range(1, count_columns(lines.body, fmt) + 1)]
    after = processed_columns(columns, goal)
    if columns:
        check_columns(after, goal)
    complete = {*goal.fields, *goal.row_key} <= set(after)
    records = read_body(lines.body, fmt, len(columns), header, complete=complete)
    for record in records if names_separator else []:
        if not record.problem and separator_named_by(record.raw) == fmt.separator:
            record.problem = "a line that names the separator again"
    check_trailer(lines.trailer, len(records), fmt)
    return table_of(name, records, columns, fmt)


def table_of(name: str, records: list[Record], columns: list[str], fmt: Format) -> Table:
    """Return records as a table, with the rejected ones line by line."""
    table = Table(columns)
    for record in records:
        if record.problem:
            raws = [line.text for line in physical_lines(record.raw)] + [""] * record.height
            for number, raw in enumerate(raws[: record.height], start=record.line):
                in_quote = number > record.line and record.problem.startswith("too ")
                opens = f"; the quote opens on line {record.line}" if in_quote else ""
                table.rejected.append(Entry(name, number, record.problem + opens, raw=raw))
        else:
            cells = [None if cell in fmt.nulls else cell for cell in record.cells]
            table.rows.append(Row(name, name, record.line, dict(zip(columns, cells, strict=True))))
    return table


@dataclass
class Lines:
    """The lines of a text without its trailer and blank end."""

    body: list[Line]
    trailer: str | None = None


def without_end(lines: list[Line], fmt: Format) -> Lines:
    """Remove the declared trailer, and lines of Ctrl-Z after the last line with text."""
    last = len(lines)
    while last and not lines[last - 1].text.strip("\x1a"):
        last -= 1
    if last:
        lines[last - 1].text = lines[last - 1].text.rstrip("\x1a")
    if last and fmt.trailer and lines[last - 1].text.startswith(fmt.trailer.begins_with):
        return Lines(lines[: last - 1], lines[last - 1].text)
    return Lines(lines[:last] + [line for line in lines[last:] if not line.text])


def check_trailer(trailer: str | None, rows: int, fmt: Format) -> None:
    """Compare the number of rows with the trailer's count."""
    if fmt.trailer is None or fmt.trailer.count_field is None:
        return
    if trailer is None:
        if rows:
            raise FileFails("the trailer is missing")
        return
    cells = scan([Line(0, trailer, "")], fmt).cells[fmt.trailer.count_field - 1 :]
    stated = (cells[0] or "").strip() if cells else ""
    if not stated.isdecimal() or int(stated) != rows:
        raise FileFails(f"the trailer states {stated or 'no number of'} rows; there are {rows}")


def first_line(lines: list[Line], fmt: Format) -> int:
    """Return the number of lines before the header: skipped ones, or one that names the separator."""
    if fmt.skip_rows or not lines:
        return sum(1 for line in lines if line.number <= fmt.skip_rows)
    named = separator_named_by(lines[0].text)
    if named and named != fmt.separator:
        raise FileFails(f"the first line says that {named} separates fields")
    return 1 if named else 0


def separator_named_by(text: str) -> str:
    """Return the separator that a `sep=` line names; an empty text for other lines."""
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text[4:] if text.lower().startswith("sep=") else ""


def is_skipped(line: Line, fmt: Format, *, several: bool) -> bool:
    """Return whether a line is skipped: a blank one in a file of several columns, or a comment."""
    return (line.text == "" and several) or bool(fmt.comment and line.text.startswith(fmt.comment))


def read_header(lines: list[Line], fmt: Format) -> Scanned:
    """Read the header. It must be complete, and no name may span lines and contain separators."""
    scanned = scan(lines, fmt)
    if scanned.problem:
        raise FileFails(f"the header cannot be read: {scanned.problem}")
    for cell in scanned.cells:
        if cell and fmt.separator in cell and ("\n" in cell or "\r" in cell):
            raise FileFails("the header cannot be read: a name spans lines and holds separators")
    return scanned


def count_columns(lines: list[Line], fmt: Format) -> int:
    """Return the number of cells of the first readable row."""
    place = 0
    while place < len(lines):
        scanned = scan(lines[place:], fmt)
        if is_skipped(lines[place], fmt, several=True) or scanned.problem:
            place += 1
        elif is_other(scanned, fmt):
            place += scanned.lines
        else:
            return len(scanned.cells)
    return 0


def is_other(scanned: Scanned, fmt: Format) -> bool:
    """Return whether a record is of another type than rows."""
    kind = fmt.record_type
    return kind is not None and scanned.cells[kind.field - 1 : kind.field] != [kind.equals]


def read_body(lines: list[Line], fmt: Format, width: int, header: str, *, complete: bool) -> list[Record]:
    """Return the records after the header. Empty cells beyond the width are removed if each row has the same number.

    This needs at least two rows and a header with every declared field.
    """
    several = width != 1  # in a file of one column a blank line is a row without a value
    records = read_records(lines, fmt, width, header, several=several)
    first = next((record for record in records if record.misfits), None)
    surplus = len(first.cells) - width if first and width else 0
    if surplus > 0 and complete:
        strict = fmt.model_copy(update={"short_rows": "reject"})
        wider = read_records(lines, strict, width + surplus, header, several=several)
        ending = fmt.separator * surplus
        rows = [record for record in wider if not record.problem]
        fit = not any(record.misfits for record in wider) and all(ends_with(record, ending, fmt) for record in rows)
        if fit and len(rows) > 1:
            for record in rows:
                record.cells = record.cells[:width]
            return wider
    return records


def ends_with(record: Record, ending: str, fmt: Format) -> bool:
    """Return whether a record ends with these separators, none of them escaped."""
    surplus = len(ending) // len(fmt.separator)
    return record.raw.endswith(ending) and all(cell == "" for cell in record.cells[-surplus:])


def read_records(lines: list[Line], fmt: Format, width: int, header: str, *, several: bool) -> list[Record]:
    """Return each record, and each line that starts none with its reason."""
    records: list[Record] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if is_skipped(line, fmt, several=several):
            place += 1
            continue
        scanned = scan(lines[place:], fmt)
        if scanned.problem or not is_other(scanned, fmt):
            record = checked(line, scanned, fmt, width, header)
            records.append(record)
            taken = 1 if record.problem and not record.misfits else scanned.lines
            record.height = sum(one.height for one in lines[place : place + taken])
            place += taken
        else:
            place += scanned.lines
    return records


def checked(line: Line, scanned: Scanned, fmt: Format, width: int, header: str) -> Record:
    """Return a record with its problem. Only its first line is rejected, unless the number of fields is wrong."""
    cells, problem, misfits = list(scanned.cells), scanned.problem, False
    if not problem:
        problem = problem_of(scanned.raw, header) or header_problem(cells, header, fmt)
    if not problem and len(cells) < width and fmt.short_rows == "pad":
        cells += [None] * (width - len(cells))
    if not problem and len(cells) != width:
        problem, misfits = f"too {'many' if len(cells) > width else 'few'} fields: {len(cells)} of {width}", True
    return Record(line.number, line.text if problem and not misfits else scanned.raw, cells, problem, misfits)


def header_problem(cells: list[Cell], header: str, fmt: Format) -> str:
    """Return the problem of a record that header_problem the header, apart from quotes and surrounding blanks."""
    if not header:
        return ""
    names = scan(physical_lines(header), fmt).cells
    same = [stripped(cell or "") for cell in cells] == [stripped(name or "") for name in names]
    return "the header again" if same else ""


def problem_of(raw: str, header: str) -> str:
    """Return the problem of a record's text."""
    if header and raw.lstrip("\ufeff") == header:
        return "the header again"
    if any("\ud800" <= letter <= "\udfff" for letter in raw):
        return "not utf-8"
    if any("\ufdd0" <= letter <= "\ufdef" for letter in raw):
        return "a noncharacter"
    return "longer than 2,000,000 bytes" if len(raw.encode()) > 2_000_000 else ""


def decode(content: bytes, fmt: Format) -> str:
    """Return the text. Invalid UTF-8 is kept, so that only its rows are rejected."""
    if fmt.encoding == "utf-8":
        return content.decode("utf-8-sig", errors="surrogateescape")
    try:
        return content.decode(PYTHON_NAMES.get(fmt.encoding, fmt.encoding)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FileFails(f"it is not {fmt.encoding}") from error


def processed_columns(columns: list[str], goal: FileGoal) -> list[str]:
    """Return the columns after processors; a missing column is refused."""
    after = list(columns)
    for processor in goal.processors if columns else ():
        for name in processor.settings.reads:
            if name not in after:
                raise FileFails(f"{processor.name} names {name}")
        after += [name for name in dict.fromkeys(processor.settings.writes) if name not in after]
    return after


def check_columns(columns: list[str], goal: FileGoal) -> None:
    """A file needs one of the linked columns, and no column twice that is used."""
    if not any(link.field in columns for link in goal.link):
        raise FileFails("every linked column is missing")
    if any(columns.count(name) != 1 for name in goal.row_key):
        raise FileFails("a column of row_key is not there once")
    if goal.map_detected and len(set(named(columns)) - set(goal.fields)) > goal.map_detected.max_columns:
        raise FileFails("it has more columns that nothing maps than max_columns")
    used = named(columns) if goal.map_detected else goal.fields
    for name in used:
        if columns.count(name) > 1:
            raise FileFails(f"more than one column is called {name}")


def named(columns: list[str]) -> list[str]:
    """Return the columns with a name."""
    return [name for name in columns if name.strip()]
