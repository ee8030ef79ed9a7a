"""Composes the statement that parses, converts and stages one part. Pure: a goal and a head in, a step out."""

from collections.abc import Iterable, Mapping, Sequence

from cdp_sync.importing.converting.cell import strip
from cdp_sync.importing.reading.grammar import Grammar
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.staging.cells import BETWEEN, NULL, Cells, digest, named_before, row_text
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.conversions import Converted, conversions, converted_columns, invalid, remarks
from cdp_sync.model import Format, ImportGoal
from cdp_sync.model.processed_fields import fields_before
from cdp_sync.processing import Relation
from cdp_sync.warehouse import Step, quote_identifier, quote_literal

_STEADY = "\x1dsteady:"
"""Before the name of a field that depends on the day of the run, for what a waiting row is compared by."""


def read_part(landed: NormalizedPart, form: Format) -> tuple[str, dict[str, object]]:
    """Return the relation of a part's rows, every field as text, and the values to bind; `record` where irregular."""
    if landed.relation:
        return landed.relation, {}
    cells = Cells(landed.head.columns)
    if not landed.survey.regular:
        grammar = Grammar(form)
        named = ", ".join(f"{grammar.cell_sql(f'cells[{name[1:]}]')} as {name}" for name in cells.types)
        split = grammar.split_sql(grammar.prepared("raw"), "quoted")
        return f"(select {named} from (select {split} as cells from record))", {}
    call = """read_csv($path, auto_detect = false, header = false, columns = $columns, skip = $skip,
            delim = $separator, quote = $quote, escape = $quote, nullstr = $nulls, comment = '',
            compression = 'none')"""
    return call, {
        "path": str(landed.local),
        "columns": cells.types,
        "skip": landed.skip,
        "separator": form.separator,
        "quote": form.quote,
        "nulls": list(form.nulls),
    }


def stage_step(
    goal: ImportGoal, columns: Columns, landed: NormalizedPart, previous_fields: Sequence[str] | None
) -> Step:
    """Return the step that fills `staged` from one part; `$file` and `$part` are still to be bound."""
    cells = Cells(landed.head.columns, landed.survey.nuls, landed.constants)
    call, values = read_part(landed, goal.format)
    return Step("staging.staged", _staging(goal, columns, cells, call, previous_fields), values)


def part_relation(
    goal: ImportGoal, landed: NormalizedPart, sources: Sequence[str], previous_fields: Sequence[str] | None
) -> Relation:
    """Return the rows of a part for processors, with digests of what they are before.

    `source_hash` is of the fields `sources`, and `previous_hash` of those that its previous import was made from.
    """
    call, values = read_part(landed, goal.format)
    raw = Cells(landed.head.columns, landed.survey.nuls, landed.constants)
    named = [name for name in fields_before(goal.processors) if name in landed.constants]
    added = "".join(
        f", {quote_literal(landed.constants[name])} as c{len(raw.columns) + number}"
        for number, name in enumerate(named, 1)
    )
    previous = "null::uuid"
    if previous_fields:
        previous = digest(named_before(previous_fields, sources, raw.names), raw)
    hashes = f"{digest(sources, raw)} as source_hash, {previous} as previous_hash"
    source = f"(select *{added}, {hashes}{_kept_cells(goal, raw)} from {call})"
    every = (*raw.columns, *named)
    cells = {name: f"c{every.index(name) + 1}" for name in every if name}
    return Relation(source, cells, len(every), values)


def _kept_cells(goal: ImportGoal, cells: Cells) -> str:
    """Return the columns with the cells of a strict goal's row as it was delivered, and why the row is refused."""
    if goal.expected is None:
        return ""
    every = ", ".join(cells.of(name) or "null" for name in goal.expected.columns)
    empty = "".join(
        f" when coalesce({strip(cell)}, '') = '' then {quote_literal(f'{name} is empty, which is not allowed')}"
        for name in goal.expected.required
        if (cell := cells.of(name)) and name in goal.row_fields
    )
    return f", [{every}]::varchar[] as source_cells, {f'case{empty} end' if empty else 'null::varchar'} as refused"


def processed_step(goal: ImportGoal, columns: Columns, landed: NormalizedPart, relation: Relation) -> Step:
    """Return the step that fills `staged` from the processed rows of one part, as `stage_step` does.

    Rows that processors dropped are staged as well, so that lines are numbered on, without a digest.
    """
    names = [""] * relation.width
    for name, column in relation.cells.items():
        names[int(column[1:]) - 1] = name
    nuls = landed.survey.nuls or any(processor.python for processor in goal.processors)
    constants = {name: text for name, text in landed.constants.items() if name not in relation.cells}
    cells = Cells(names, nuls, constants, relation.steady)
    sql = _staging(goal, columns, cells, relation.source, None, kept=relation.kept)
    return Step("staging.staged", sql, relation.values)


def waiting_step(goal: ImportGoal, columns: Columns, fields: Sequence[str], values: Mapping[str, object]) -> Step:
    """Return the step that fills `staged` from the rows of `staging.retried` that have these fields."""
    steady = {
        name.removeprefix(_STEADY): f"c{number}" for number, name in enumerate(fields, 1) if name.startswith(_STEADY)
    }
    cells = Cells(fields, steady=steady)
    named = ", ".join(f"cells[{number + 1}] as {name}" for number, name in enumerate(cells.types))
    source = f"(select {named} from staging.retried where path = $path and fields = $fields order by rowid)"
    return Step("staging.staged", _staging(goal, columns, cells, source, None), values)


def _staging(
    goal: ImportGoal,
    columns: Columns,
    cells: Cells,
    source: str,
    previous_fields: Sequence[str] | None,
    *,
    kept: str | None = None,
) -> str:
    """Return the statement that fills `staged` from a source; `kept` is given for processed rows."""
    converted = conversions(columns, cells, goal)
    fields = hashed_fields(goal, columns)
    names = (*fields, *(previous_fields or ()))
    needed = sorted({cell for name in names for cell in (cells.of(name), cells.compared(name)) if cell})
    if kept:
        needed += ["source_hash", "previous_hash", *([kept] if kept != "true" else [])]
        needed += ["source_cells", "refused"] if goal.expected else []
    staged = _named(converted_columns(columns, cells, converted, goal.format))
    before = named_before(previous_fields or (), fields, cells.names)
    previous = digest(before, cells) if previous_fields and before != tuple(fields) else "null::uuid"
    row_hash = digest(fields, cells)
    hashes = f"{row_hash} as row_hash, {previous} as previous_hash, 0::tinyint as filtered"
    if kept:
        dropped = f"case when {kept} then 0 else 1 end::tinyint as filtered"
        hashes = f"case when {kept} then {row_hash} end as row_hash, source_hash, previous_hash, {dropped}"
        hashes += ", source_cells, refused" if goal.expected else ""
    return f"""insert into staging.staged by name
select
    $file as file,
    $part as part,
    {staged},
    {_identity(goal, fields, cells)}{hashes},
    {remarks(columns, cells, converted, goal.format)}
from {_converting(converted, needed, source)}"""


def deferred_step(goal: ImportGoal, landed: NormalizedPart) -> Step:
    """Return the step that fills `staged` from one part as `stage_step` does, but leaves the cells as one text.

    Their conversion waits until it is known which rows differ from those of the part's previous import: mostly few.
    The part has a column for each field of the goal, and its survey is not `divided`.
    """
    call, values = read_part(landed, goal.format)
    cells = Cells(landed.head.columns)
    sql = f"""insert into staging.staged by name
select * exclude (row_text), row_text as cells, uuid_of(md5_number(row_text)) as row_hash
from (
    select
        $file as file,
        $part as part,
        {_identity(goal, goal.row_fields, cells)}{row_text(goal.row_fields, cells)} as row_text
    from {call}
)"""
    return Step("staging.staged", sql, values)


def converted_step(goal: ImportGoal, columns: Columns, conditions: Sequence[str]) -> Step:
    """Return the step that adds rows whose conversion was deferred to `fresh_row`, under further `conditions`."""
    row = ("row", "file", "part", "row_hash", *(("row_key",) if columns.keyed else ()))
    cells = Cells(goal.row_fields)
    converted = conversions(columns, cells, goal)
    names = ", ".join(f"nullif(cells[{number + 1}], {NULL}) as {name}" for number, name in enumerate(cells.types))
    source = f"""(
            select {", ".join(row)}, {names}
            from (
                select rowid as row, * replace (string_split(cells, {BETWEEN}) as cells)
                from staging.staged
                where {" and ".join(["cells is not null", *conditions])}
            )
        )"""
    sql = f"""insert into staging.fresh_row by name
select
    {", ".join(row)},
    {_named(converted_columns(columns, cells, converted, goal.format))},
    {remarks(columns, cells, converted, goal.format)}
from {_converting(converted, [*row, *cells.types], source)}"""
    return Step("staging.fresh_row", sql)


def found_step(goal: ImportGoal, columns: Columns, fields: Sequence[str]) -> tuple[Step, tuple[str, ...]]:
    """Return the step that makes `found` of the `fields` of `user_key`, in order, and the staging columns it has."""
    cells = Cells(fields)
    converted = conversions(columns, cells, goal)
    names = {item.name for item in converted}
    columns = Columns(
        tuple(link for link in columns.links if link.column in names),
        tuple(value for value in columns.values if set(value.fields) & set(fields)),
        columns.entity,
    )
    every = converted_columns(columns, cells, converted, goal.format)
    found = {name: sql for name, sql in every if not name.startswith("clear_")}
    found |= {"invalid": invalid(columns, cells, converted, goal.format)}
    named = ", ".join(f"{quote_identifier(field)} as c{number + 1}" for number, field in enumerate(fields))
    source = _converting(
        converted, ["platform_id", *cells.types], f"(select platform_id, {named} from staging.user_key)"
    )
    sql = f"create or replace temp table found as\nselect platform_id, {_named(found.items())}\nfrom {source}"
    return Step("found", sql), tuple(found)


def _named(columns: Iterable[tuple[str, str]]) -> str:
    return ",\n    ".join(f"{sql} as {quote_identifier(name)}" for name, sql in columns)


def _converting(converted: Sequence[Converted], needed: Sequence[str], source: str) -> str:
    """Return the source with the cells that are needed as they are, and the converted ones under their names."""
    fitted = {item.cell.name: item.cell.sql for item in converted if item.cell.name not in needed}
    read = ",\n            ".join([*needed, *(f"{sql} as {quote_identifier(name)}" for name, sql in fitted.items())])
    converting = (f"{item.conversion.sql} as {item.name}" for item in converted)
    inner = ",\n        ".join([*needed, *map(quote_identifier, fitted), *converting])
    return f"""(
    select
        {inner}
    from (
        select
            {read}
        from {source}
    )
)"""


def _identity(goal: ImportGoal, fields: Sequence[str], cells: Cells) -> str:
    """Return the columns with the digest of a row's key, and with its cells by field, where the goal needs them."""
    columns = ""
    if goal.row_key:
        parts = ", ".join(
            f"coalesce({strip(cell)}, '')" if (cell := cells.of(field)) else "''" for field in goal.row_key
        )
        # White space around a key does not count, and an empty cell is the same as none, whatever `nulls` says: a key
        # is compared with those of other files, which were perhaps read in another way.
        digested = f"uuid_of(md5_number(concat_ws({BETWEEN}, {parts})))"
        columns += f"case when concat({parts}) <> '' then {digested} end as row_key, "
    if goal.keeps_unmatched:
        named = [(field, cell) for field in fields if (cell := cells.of(field))]
        named += [(f"{_STEADY}{field}", cells.steady[field]) for field in fields if field in cells.steady]
        entries = (f"{{field: {quote_literal(field)}, value: {cell}}}" for field, cell in named)
        columns += f"[{', '.join(entries)}] as waiting_cells,\n    "
    return columns


def hashed_fields(goal: ImportGoal, columns: Columns) -> tuple[str, ...]:
    """Return the fields whose cells make a row what it is: linked and mapped ones, detected ones included."""
    detected = sorted(field for value in columns.values for field in value.fields)
    return tuple(dict.fromkeys((*goal.row_fields, *detected)))
