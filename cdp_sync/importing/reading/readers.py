r"""The readers: each brings one format from the bytes of a part to rows of text cells, every line accounted for.

In lines and newline-delimited JSON blank lines are no rows. Of lines each is one value, the field `line`.

Of JSON each line is one object; any other line is rejected. A field is a key, or keys with dots between them:
`address.city` is the key `city` of the object `address`, or a key of that very name. Its cell is a string's text, a
number or truth value as JSON writes it, a list or object as JSON text; null and a key that is absent are no value. Of a
key that stands twice in an object the first counts. Lists fill a `multiple` property where the format has `json_lists`.
Where the goal maps detected fields, every key is a field whose value is no object; otherwise those that the goal names.
A list of items may as well stand there as lists of values, each under a name with the list's before it and a dot.

Numbers keep all their digits. DuckDB reads a number with a fraction as a double, of which 15 digits are exact; where a
line holds longer ones, its numbers are made strings before.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, pairwise
from pathlib import Path

from cdp_sync.errors import FileRejected, ProcessorFailed
from cdp_sync.importing.reading.csv_header import Head, check_columns
from cdp_sync.importing.reading.excel import normalize_sheet, read_sheet
from cdp_sync.importing.reading.normalize import AnyReader, NormalizedPart, in_utf_8, normalize
from cdp_sync.importing.reading.records import LONGEST, UNREADABLE, read_lines, read_records
from cdp_sync.importing.reading.survey import Survey
from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import WHITE_SPACE, Format, ImportGoal, Members
from cdp_sync.model.processed_fields import fields_before
from cdp_sync.warehouse import Session, Step, quote_literal
from cdp_sync.warehouse.history import QUOTE_OPENS

Normalize = Callable[[Session, Part, ImportGoal, Path | None, Sequence[str]], NormalizedPart | None]
"""Brings a part to UTF-8 and finds its columns; None for a part without rows.

It writes to the folder, or beside the part. The last fields are needed besides those of the goal. `FileRejected`: the
part does not decode, or its columns do not fit the goal.
"""

Read = Callable[[Session, NormalizedPart, Format], None]
"""Makes the tables of a part that is not regular, whose `n` is a line's number after the header.

These are `physical_line(raw, …)`, `record(n, …)`, the rows in order, and `reject(n, until, in_quote, reason)`.
`FileRejected`: the part as a whole is not what it should be.
"""


@dataclass(frozen=True)
class Reader:
    """Reads one format."""

    normalize: Normalize
    read: Read
    in_slices: bool = False
    """Whether any lines of a part can be read by themselves: there is no header, and no row of several lines."""


_VISIBLE = f"(raw[1] between '!' and '~' or trim(raw, {quote_literal(WHITE_SPACE)}) <> '')"
"""The condition that a line is not blank. To trim every line would take most of the time of reading."""

Keys = tuple[str, ...]
"""The keys from the object of a line to a value."""


@dataclass(frozen=True)
class Place:
    """Where a field's value is in a document: under the first of these keys that is there."""

    readings: list[Keys]
    items: Mapping[str, list[Keys]] = field(default_factory=dict)
    """Of a list of items, by name in the items: where a list of that value of all items is, in place of the items."""

    @property
    def every(self) -> list[Keys]:
        """All keys."""
        return [*self.readings, *chain.from_iterable(self.items.values())]


_MOST_KEYS = 8
"""Keys from which on a dotted field is read as that many nested keys, or as one."""

_LONG_NUMBER = "[0-9.]{17}"
_FRACTION = quote_literal(r"([:,\[][ \t]*)(-?[0-9]+[.][0-9]+(?:[eE][-+]?[0-9]+)?)")
_FRACTIONS_QUOTED = rf"""regexp_replace(raw, {_FRACTION}, '\1"\2"', 'g')"""
_TOKEN = quote_literal(r'"((?:[^"\\]|\\.)*)"|(-?[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?)')

_EXACT = rf"""case
        when not regexp_matches(raw, '{_LONG_NUMBER}') then raw
        when json_valid({_FRACTIONS_QUOTED}) then {_FRACTIONS_QUOTED}
        else regexp_replace(raw, {_TOKEN}, '"\1\2"', 'g') end"""
"""Quotes around a number within a string make the text invalid: then all strings are matched, which takes longer."""

_LINE = f"""create or replace temp table line as
select rowid + 1 as n, raw, case{UNREADABLE} end as problem from physical_line where {_VISIBLE} order by n"""

_JUDGED = f"""create or replace temp table json_line as
select n, problem, case when problem is null then {_EXACT} end as document
from (
    select rowid + 1 as n, raw, case{UNREADABLE}
        when not json_valid(raw) then 'not JSON'
        when not starts_with(ltrim(raw, ' ' || chr(9)), '{{') then 'no JSON object'
    end as problem
    from physical_line
    where {_VISIBLE}
)"""


def _normalize_lines(
    session: Session, part: Part, goal: ImportGoal, folder: Path | None, _further: Sequence[str]
) -> NormalizedPart | None:
    local, start = _lines_of(session, part, goal, folder)
    session.run([Step("line", _LINE)])
    count, nuls = session.row("select count(*), coalesce(bool_or(contains(raw, chr(0))), false) from line")
    if not count:
        return None
    head = Head(("line",), 0)
    survey, warnings = Survey(nuls=nuls, divided=True), tuple(check_columns(head, goal, ""))
    relation = "(select raw as c1 from record)"
    return NormalizedPart(part.name, local, head, start, survey, warnings, reader="lines", relation=relation)


def _lines_of(session: Session, part: Part, goal: ImportGoal, folder: Path | None) -> tuple[Path, int]:
    """Make `physical_line` of a part; return its file in UTF-8 and the size of the byte order mark in it."""
    local = in_utf_8(part, goal.format, folder or part.local.parent)
    with local.open("rb") as file:
        start = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
    read_lines(session, local, start)
    return local, start


def _take_lines(session: Session, table: str, columns: str) -> None:
    """Make `record` and `reject` of a table of lines, whose column `problem` says why a line is no row."""
    record = f"create or replace temp table record as select n, {columns} from {table} where problem is null"
    reject = f"""create or replace temp table reject as
select n, n as until, false as in_quote, problem as reason from {table} where problem is not null order by n"""
    session.run((Step("record", record), Step("reject", reject)))


def _normalize_json(
    session: Session, part: Part, goal: ImportGoal, folder: Path | None, further: Sequence[str]
) -> NormalizedPart | None:
    local, start = _lines_of(session, part, goal, folder)
    session.run([Step("json_line", _JUDGED)])
    if part.members:
        _keep_members(session, part.members)
    if not session.value("select count(*) from json_line"):
        return None
    processed = fields_before(goal.processors)
    fields = {name: _place(name, part.within, goal) for name in (*goal.row_fields, *processed, *further)}
    kinds: dict[str, set[str]] = {}
    if goal.map_detected is not None or any(one.python and not one.python.fields for one in goal.processors):
        for keys, held in _leaves(session):
            fields.setdefault(".".join(keys), Place([])).readings.insert(0, keys)
            kinds.setdefault(".".join(keys), set()).update(held)
    present = _present(session, fields, part.fields)
    present += tuple(field for field in processed if field not in present)  # no object need have it
    head = Head(present, part.lines_before)
    has_nul = r"select coalesce(bool_or(contains(document, '\u0000')), false) from json_line"
    survey = Survey(nuls=session.value(has_nul), divided=True)
    warnings = tuple(check_columns(head, goal, ""))
    relation = _relation([fields[field] for field in present], "record")
    arrays = {field: held == {"ARRAY"} for field, held in kinds.items() if "ARRAY" in held}
    return NormalizedPart(
        part.name, local, head, start, survey, warnings, reader="ndjson", arrays=arrays, relation=relation
    )


def _readings(field: str) -> list[Keys]:
    """Return the keys that a dotted field may stand for: a key of that very name first, then nested ones."""
    names = field.split(".")
    inner = range(1, len(names))
    if len(names) > _MOST_KEYS:
        return [(field,), tuple(names)]
    cuts = (cut for size in range(len(names)) for cut in combinations(inner, size))
    return [tuple(".".join(names[a:b]) for a, b in pairwise((0, *cut, len(names)))) for cut in cuts]


def _keep_members(session: Session, members: Members) -> None:
    """Leave out the objects whose key is no line of a file; addresses compare without case."""

    def folded(key: str) -> str:
        return f"case when contains({key}, '@') then lower(trim({key})) else trim({key}) end"

    cells = ", ".join(f"json_extract_string(document, {_path((field,))})" for field in members.fields)
    session.execute(
        f"""delete from json_line where document is not null and not coalesce({folded(f"coalesce({cells})")} in (
            select {folded("key")} from read_csv($path, auto_detect = false, header = false, delim = chr(31),
                quote = '', escape = '', columns = {{key: 'VARCHAR'}}) where trim(key) <> ''
        ), false)""",
        {"path": str(members.path)},
    )


def _place(name: str, within: Sequence[str], goal: ImportGoal) -> Place:
    """Return where a field is, also within objects whose keys are fields as well."""

    def readings(name: str) -> list[Keys]:
        return [keys for path in (name, *(f"{outer}.{name}" for outer in within)) for keys in _readings(path)]

    inner = goal.item_lists.get(name, ())
    return Place(readings(name), {each: readings(f"{name}.{each}") for each in inner})


def _present(session: Session, fields: dict[str, Place], declared: Sequence[str]) -> tuple[str, ...]:
    """Return the fields that are declared, or that a line has a value for."""
    sought = [field for field in fields if field not in declared]
    seen = ", ".join(f"coalesce(bool_or(c{number} is not null), false)" for number, _ in enumerate(sought, 1))
    relation = _relation([fields[field] for field in sought], "json_line")
    found = session.row(f"select {seen} from {relation}") if sought else ()
    absent = {field for field, is_there in zip(sought, found, strict=True) if not is_there}
    return tuple(field for field in fields if field not in absent)


def _relation(fields: Sequence[Place], table: str) -> str:
    """Return the relation with the cells of a table's documents; each document is parsed once."""
    every = chain.from_iterable(field.every for field in fields)
    places = {keys: f"found[{place}]" for place, keys in enumerate(dict.fromkeys(every), 1)}
    if not places:
        return f"(select n from {table})"
    named = ", ".join(f"{_cell(field, places)} as c{number}" for number, field in enumerate(fields, 1))
    paths = ", ".join(map(_path, places))
    return f"(select {named} from (select json_extract_string(document, [{paths}]) as found from {table}))"


def _cell(field: Place, places: Mapping[Keys, str]) -> str:
    """Return the expression for a field's text; items that stand there value by value become a list of objects."""

    def first(readings: Sequence[Keys]) -> str:
        return f"coalesce({', '.join(places[keys] for keys in dict.fromkeys(readings))})"

    if not field.items:
        return first(field.readings)
    texts = {name: first(readings) for name, readings in field.items.items()}
    lists = {
        name: f"case when starts_with({text}, '[') and json_valid({text}) then from_json({text}, '[\"JSON\"]') end"
        for name, text in texts.items()
    }
    longest = f"greatest({', '.join(f'coalesce(len({values}), 0)' for values in lists.values())})"
    members = ", ".join(f"{quote_literal(name)}, ({values})[i]" for name, values in lists.items())
    items = f"list_transform(range(1, {longest} + 1), lambda i: json_object({members}))"
    zipped = f"case when coalesce({', '.join(texts.values())}) is not null then to_json({items})::varchar end"
    return f"coalesce({first(field.readings)}, {zipped})"


def _path(keys: Keys) -> str:
    """Return the path to a value: as a pointer, which lists match too, only where a path cannot hold the keys."""
    if all(re.fullmatch(r'[^"*\\\x00-\x1f]+', key) for key in keys):
        return quote_literal("$" + "".join(f'."{key}"' for key in keys))
    return quote_literal("".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys))


def _leaves(session: Session, above: Keys = ()) -> Iterator[tuple[Keys, frozenset[str]]]:
    """Yield the keys of all values that are no objects, in the order in which they are first seen.

    Each with `ARRAY` where some values are arrays, and `OTHER` where some are none.
    """
    at = f", {_path(above)}" if above else ""
    query = f"""select key from (
            select unnest(json_keys(document{at})) as key, n from json_line where document is not null
        ) group by key order by min(n), key"""
    names = [key for (key,) in session.rows(query)]
    if not names:
        return
    kinds = [f"json_type(document, {_path((*above, key))})" for key in names]
    tests = ("= 'OBJECT'", "= 'ARRAY'", "not in ('OBJECT', 'ARRAY', 'NULL')")
    judged = ", ".join(f"coalesce(bool_or({kind} {test}), false)" for kind in kinds for test in tests)
    found = session.row(f"select {judged} from json_line")
    for key, objects, arrays, others in zip(names, found[::3], found[1::3], found[2::3], strict=True):
        if arrays or others:
            yield (*above, key), frozenset(["ARRAY"] * arrays + ["OTHER"] * others)
        if objects:
            yield from _leaves(session, (*above, key))


def _normalize_file(
    session: Session, part: Part, goal: ImportGoal, folder: Path | None, _further: Sequence[str]
) -> NormalizedPart | None:
    """Normalize a file: a workbook where the format says so, delimited text otherwise."""
    return normalize_sheet(session, part, goal) if goal.format.is_workbook else normalize(part, goal, folder)


READERS: Mapping[AnyReader, Reader] = {
    "csv": Reader(_normalize_file, read_records),
    "excel": Reader(_normalize_file, read_sheet),
    "ndjson": Reader(
        _normalize_json, lambda session, _part, _form: _take_lines(session, "json_line", "document"), in_slices=True
    ),
    "lines": Reader(_normalize_lines, lambda session, _part, _form: _take_lines(session, "line", "raw")),
}
"""The reader of each format that an arrival can name, and that of workbooks, which go by the goal's format."""

RAW_LIMIT = 10_000
"""Characters of a rejected row that the quarantine keeps."""
WHOLE = LONGEST + 1
"""Characters of a rejected row that is handed back: what is cut is too long to be a row."""


def stage_rows(
    session: Session,
    part: NormalizedPart,
    form: Format,
    stage: Callable[[NormalizedPart], None],
    *,
    file: int,
    number: int,
    first_row: int,
    kept: int = RAW_LIMIT,
) -> None:
    """Stage the rows of a part, with its rejected lines and the line numbers of its rows.

    `stage` fills `staging.staged` from the part. `file` and `number` are those of its file and its own, `first_row` is
    the number of its first row. Of rejected lines so many characters are `kept`.

    Raises:
        FileRejected: The part holds another number of rows than its trailer states.
    """
    if not (part.survey.regular and _stage_regular(session, part, lambda: stage(part))):
        part = replace(part, survey=replace(part.survey, regular=False))
        READERS[part.reader].read(session, part, form)
        if part.head.columns:
            stage(part)
        lines = {"file": file, "part": number, "head": part.head.lines, "limit": kept, "opens": QUOTE_OPENS}
        gaps = {"part": number, "first_row": first_row}
        session.run(
            (
                Step("staging.rejected", _REJECTED, lines),
                Step("staging.line_gap", _LINE_GAP, gaps),
            )
        )
        for table in ("physical_line", "line", "opening", "taken", "json_line", "record", "reject"):
            session.execute(f"drop table if exists {table}")
    placed = {"file": file, "part": number, "first_row": first_row, "name": part.name, "body_line": part.body_line}
    placed["columns"] = list(part.head.columns)
    session.run([Step("staging.part", _PART, placed)])


def _stage_regular(session: Session, part: NormalizedPart, stage: Callable[[], None]) -> bool:
    """Stage a regular part, of which each line has to become a row; return whether it did.

    Where the parser refuses a line, or finds another number of rows than lines, nothing is staged.
    """
    before = int(session.value("select count(*) from staging.staged"))
    session.begin()
    try:
        stage()
    except FileRejected as error:
        session.execute("rollback")
        if isinstance(error, ProcessorFailed):  # the parser has read every line
            raise
        return False
    rows = int(session.value("select count(*) from staging.staged")) - before
    whole = rows == part.survey.lines
    session.execute("commit" if whole else "rollback")
    return whole


_PART = """insert into staging.part
select $part, $file, $name, $first_row, (select count(*) from staging.staged) - $first_row, $body_line, $columns"""

_REJECTED = """insert into staging.rejected
select $file, $part, line.n + $head, line.raw[:$limit],
    case when in_quote and line.n > first then format('{}{}{}', reason, $opens, first + $head) else reason end
from (select reason, in_quote, n as first, unnest(range(n, until + 1)) as n from reject) reject
join (select rowid + 1 as n, raw from physical_line) line using (n)
order by n"""
"""The rejected lines of the part just staged from `record`, with the marks of what no text can hold."""

_LINE_GAP = """insert into staging.line_gap
select $part, $first_row + k, gap
from (
    select k, gap, lag(gap, 1, 0) over (order by k) as before
    from (select rowid as k, n - 1 - rowid as gap from record)
)
where gap <> before"""
"""Where lines and rows of that part drift apart."""
