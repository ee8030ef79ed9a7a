"""Composes the statement that parses, converts and stages one part. Pure: a goal and a head in, a step out."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cdp_sync.importing.converting.cell import naming, strip
from cdp_sync.importing.converting.conversion import (
    Conversion,
    convert,
    convert_list,
    convert_one,
    fit,
    has_value,
    is_among,
    unique,
)
from cdp_sync.importing.converting.dates import is_doubtful
from cdp_sync.importing.reading.grammar import Grammar
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.survey import DIVIDER, NO_CELL
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.event_cells import Complaint, event_complaints, event_values, fields_of, json_items
from cdp_sync.importing.staging.event_columns import StagedItems
from cdp_sync.importing.staging.value_columns import StagedLink, StagedValue
from cdp_sync.model import Format, ImportGoal, Property
from cdp_sync.model.processed_fields import fields_before
from cdp_sync.processing import Relation
from cdp_sync.warehouse import Step, quote_identifier, quote_literal

_BETWEEN, _NULL, _MISSING = f"chr({ord(DIVIDER)})", f"chr({ord(NO_CELL)})", "chr(29)"
"""Between cells in a row's text, for a cell without a value, for a column that is not there."""

_STEADY = "\x1dsteady:"
"""Before the name of a field that depends on the day of the run, for what a waiting row is compared by."""


@dataclass(frozen=True)
class Cell:
    """A cell under the name that conversions use, and how it comes to it."""

    raw: str
    name: str
    sql: str


@dataclass(frozen=True)
class Cells:
    """The columns of one part, which the parser names c1, c2 and so on."""

    columns: Sequence[str]
    has_nul: bool = False
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that are the same in every row, and no column."""
    steady: Mapping[str, str] = field(default_factory=dict)
    """Columns in place of those of fields that depend on the day of the run, where rows are compared."""

    def compared(self, field: str) -> str | None:
        """Return the SQL name of the cell that a row is compared by."""
        return self.steady.get(field) or self.of(field)

    def of(self, field: str) -> str | None:
        """Return the SQL name of a field's cell; None where the part has no such column."""
        if field in self.constants:
            return quote_literal(self.constants[field])
        return f"c{self.columns.index(field) + 1}" if field in self.columns else None

    def fitted(self, field: str, prop: Property, form: Format, prefix: str = "") -> "Cell | None":
        """Return a field's cell as the property wants it; None where the part has no such column.

        Its name begins with `prefix`: what two properties of one name want may differ.
        """
        raw = self.of(field)
        if raw is None:
            return None
        if field in self.constants:
            one_value = form.model_copy(update={"multi_value": None, "json_lists": False})
            return Cell(raw, f"{prefix}fit_{prop.name}", fit(prop, raw, one_value))
        sql = fit(prop, raw, form)
        return Cell(raw, raw if sql == raw else f"{prefix}fit_{raw}_{prop.name}", sql)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that have cells."""
        return (*self.columns, *self.constants)

    @property
    def types(self) -> dict[str, str]:
        """All columns as text."""
        return {f"c{number + 1}": "VARCHAR" for number in range(len(self.columns))}


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
    source = f"(select *{added}, {digest(sources, raw)} as source_hash, {previous} as previous_hash from {call})"
    every = (*raw.columns, *named)
    cells = {name: f"c{every.index(name) + 1}" for name in every if name}
    return Relation(source, cells, len(every), values)


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
    converted = _conversions(columns, cells, goal)
    fields = hashed_fields(goal, columns)
    names = (*fields, *(previous_fields or ()))
    needed = sorted({cell for name in names for cell in (cells.of(name), cells.compared(name)) if cell})
    if kept:
        needed += ["source_hash", "previous_hash", *([kept] if kept != "true" else [])]
    staged = _named(_outer(columns, cells, converted, goal.format))
    before = named_before(previous_fields or (), fields, cells.names)
    previous = digest(before, cells) if previous_fields and before != tuple(fields) else "null::uuid"
    row_hash = digest(fields, cells)
    hashes = f"{row_hash} as row_hash, {previous} as previous_hash, 0::tinyint as filtered"
    if kept:
        dropped = f"case when {kept} then 0 else 1 end::tinyint as filtered"
        hashes = f"case when {kept} then {row_hash} end as row_hash, source_hash, previous_hash, {dropped}"
    return f"""insert into staging.staged by name
select
    $file as file,
    $part as part,
    {staged},
    {_identity(goal, fields, cells)}{hashes},
    {_remarks(converted, _complaints(columns, cells, converted, goal.format), goal.format)}
from {_converting(converted, needed, source)}"""


def deferred_step(goal: ImportGoal, landed: NormalizedPart) -> Step:
    """Return the step that fills `staged` from one part as `stage_step` does, but leaves the cells as one text.

    Their conversion waits until it is known which rows differ from those of the part's previous import: mostly few.
    The part has a column for each field of the goal, and its survey is not `divided`.
    """
    call, values = read_part(landed, goal.format)
    cells = Cells(landed.head.columns)
    sql = f"""insert into staging.staged by name
select * exclude (row_text), row_text as cells, md5_number(row_text)::uuid as row_hash
from (
    select
        $file as file,
        $part as part,
        {_identity(goal, goal.row_fields, cells)}{_text(goal.row_fields, cells)} as row_text
    from {call}
)"""
    return Step("staging.staged", sql, values)


def converted_step(goal: ImportGoal, columns: Columns, conditions: Sequence[str]) -> Step:
    """Return the step that adds rows whose conversion was deferred to `fresh_row`, under further `conditions`."""
    row = ("row", "file", "part", "row_hash", *(("row_key",) if columns.keyed else ()))
    cells = Cells(goal.row_fields)
    converted = _conversions(columns, cells, goal)
    names = ", ".join(f"nullif(cells[{number + 1}], {_NULL}) as {name}" for number, name in enumerate(cells.types))
    source = f"""(
            select {", ".join(row)}, {names}
            from (
                select rowid as row, * replace (string_split(cells, {_BETWEEN}) as cells)
                from staging.staged
                where {" and ".join(["cells is not null", *conditions])}
            )
        )"""
    sql = f"""insert into staging.fresh_row by name
select
    {", ".join(row)},
    {_named(_outer(columns, cells, converted, goal.format))},
    {_remarks(converted, _complaints(columns, cells, converted, goal.format), goal.format)}
from {_converting(converted, [*row, *cells.types], source)}"""
    return Step("staging.fresh_row", sql)


def found_step(goal: ImportGoal, columns: Columns, fields: Sequence[str]) -> tuple[Step, tuple[str, ...]]:
    """Return the step that makes `found` of the `fields` of `user_key`, in order, and the staging columns it has."""
    cells = Cells(fields)
    converted = _conversions(columns, cells, goal)
    names = {item.name for item in converted}
    columns = Columns(
        tuple(link for link in columns.links if link.column in names),
        tuple(value for value in columns.values if set(value.fields) & set(fields)),
        columns.entity,
    )
    found = {name: sql for name, sql in _outer(columns, cells, converted, goal.format) if not name.startswith("clear_")}
    found |= {"invalid": _invalid(_complaints(columns, cells, converted, goal.format))}
    named = ", ".join(f"{quote_identifier(field)} as c{number + 1}" for number, field in enumerate(fields))
    source = _converting(
        converted, ["platform_id", *cells.types], f"(select platform_id, {named} from staging.user_key)"
    )
    sql = f"create or replace temp table found as\nselect platform_id, {_named(found.items())}\nfrom {source}"
    return Step("found", sql), tuple(found)


def _named(columns: Iterable[tuple[str, str]]) -> str:
    return ",\n    ".join(f"{sql} as {quote_identifier(name)}" for name, sql in columns)


def _converting(converted: "Sequence[Converted]", needed: Sequence[str], source: str) -> str:
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
        digested = f"md5_number(concat_ws({_BETWEEN}, {parts}))::uuid"
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


def digest(fields: Sequence[str], cells: Cells) -> str:
    """Return the expression for the 128-bit digest of a row's cells; stable between versions, unlike `hash()`."""
    return f"md5_number({_text(fields, cells)})::uuid"


def _text(fields: Sequence[str], cells: Cells) -> str:
    parts = [f"coalesce({cell}, {_NULL})" if (cell := cells.compared(field)) else _MISSING for field in fields]
    return f"concat_ws({_BETWEEN}, {', '.join(parts) or _MISSING})"


@dataclass(frozen=True)
class Converted:
    """A converted cell in the inner select: its name there, and the condition that its conversion failed."""

    name: str
    field: str
    prop: Property
    cell: Cell
    conversion: Conversion
    fails_if: str


def _conversions(columns: Columns, cells: Cells, goal: ImportGoal) -> list[Converted]:
    """Return the converted cells of links and mapped properties that the part has columns for."""
    converted = []
    mapped = {(field, value.prop.name) for value in columns.values for field in value.fields}
    for link in columns.links:
        if cell := cells.fitted(link.field, link.prop, goal.format):
            conversion = _without_nul(_link_conversion(link, cell.name, goal), link.prop, cell, cells)
            reported_by_mapping = (link.field, link.prop.name) in mapped
            of_list = f"len(list_filter({cell.name}, lambda v: v is null or not ({_blocked('v', goal)}))) > 0"
            names_profile = of_list if link.prop.multiple else f"not ({_blocked(cell.name, goal)})"
            failed = f"{link.column} is null and {names_profile}"
            fails_if = failed if conversion.can_fail and not reported_by_mapping else "false"
            converted.append(Converted(link.column, link.field, link.prop, cell, conversion, fails_if))
    for value in (*columns.values, *(value for event in columns.events for value in event.converted)):
        for number, named in enumerate(value.fields):
            if cell := cells.fitted(named, value.prop, goal.format, value.prefix and f"{value.column}_"):
                conversion = _without_nul(convert(value.prop, cell.name, goal.format), value.prop, cell, cells)
                name = _cell_name(value, number)
                failed = f"{name} is null and {has_value(value.prop, cell.name, goal.format)}"
                fails_if = failed if conversion.can_fail else "false"
                converted.append(Converted(name, named, value.prop, cell, conversion, fails_if))
    for listed in json_items(columns.events, goal.format):
        items = listed.items
        if raw := cells.of(str(items.field)):
            cell = Cell(raw, listed.texts_name, listed.texts(raw))
            name = _cell_name(items, 0)
            converted.append(Converted(name, str(items.field), items.prop, cell, listed.conversion, "false"))
    return converted


def _cell_name(value: StagedValue | StagedItems, number: int) -> str:
    return quote_identifier(f"cell_{number}_{value.column}")


def _link_conversion(link: StagedLink, cell: str, goal: ImportGoal) -> Conversion:
    each = convert_one(link.prop, "v" if link.prop.multiple else cell, goal.format)
    if link.prop.type == "email" and any("@" in word for word in goal.blocked):  # only what is unwrapped shows it
        sql = naming(each.sql, "address", lambda it: f"case when not {is_among(it, goal.blocked)} then {it} end")
        blocked = (f"{each.sql} is not null", "a blocked address, which names nobody")
        each = replace(each, sql=sql, causes=(*each.causes, blocked))
    if link.prop.multiple:
        named = f"list_filter({cell}, lambda v: v is null or not ({_blocked('v', goal)}))"
        return convert_list(replace(each, sql=f"{each.sql}::varchar"), "v", named, cell, goal.format)
    if link.prop.type == "email":
        return each
    return replace(each, sql=f"case when not ({_blocked(cell, goal)}) then {each.sql}::varchar end")


def _blocked(cell: str, goal: ImportGoal) -> str:
    """Return the condition that a stripped value names no profile: blank, a blocked word, a run of zeros."""
    if not goal.blocked:
        return f"{cell} = ''"
    return f"{is_among(f'lower({cell})', ('', *goal.blocked))} or regexp_full_match({cell}, '0+')"


def _without_nul(conversion: Conversion, prop: Property, cell: Cell, cells: Cells) -> Conversion:
    if not cells.has_nul or prop.type not in ("text", "group"):
        return conversion
    return Conversion(f"case when not contains({cell.raw}, chr(0)) then {conversion.sql} end", conversion.reason)


def _outer(columns: Columns, cells: Cells, converted: Sequence[Converted], form: Format) -> Iterator[tuple[str, str]]:
    names = {item.name for item in converted}
    for link in columns.links:
        yield link.column, link.column if link.column in names else "null"
    for value in columns.values:
        found = [_cell_name(value, number) for number in range(len(value.fields))]
        yield value.column, _combined(value, [name for name in found if name in names])
        if value.mode == "set_or_clear":
            cell = cells.fitted(value.fields[0], value.prop, form)
            yield value.clear, f"coalesce(not ({has_value(value.prop, cell.name, form)}), true)" if cell else "false"
    for event in columns.events:
        yield from event_values(event, _converted_of(names))


def _converted_of(names: Collection[str]) -> Callable[[str], str]:
    """Return what yields the converted cell of a staging column that is made of one cell; null where there is none."""

    def of(column: str) -> str:
        name = quote_identifier(f"cell_0_{column}")
        return name if name in names else "null"

    return of


def _complaints(columns: Columns, cells: Cells, converted: "Sequence[Converted]", form: Format) -> list[Complaint]:
    """Return why cells, events and items of a row are not imported."""
    found = [
        Complaint(item.fails_if, item.field, item.cell.raw, item.conversion.reason_sql)
        for item in converted
        if item.fails_if != "false"
    ]
    used = {link.field for link in columns.links}.union(*(value.fields for value in columns.values))
    for event in columns.events:
        others = (fields_of(other) for other in columns.events if other is not event)
        found += event_complaints(event, cells.of, used.union(*others))
    for listed in json_items(columns.events, form):
        if cell := cells.of(str(listed.items.field)):
            found += listed.complaints(cell)
    return found


def _combined(value: StagedValue, found: Sequence[str]) -> str:
    if len(found) < 2:
        return found[0] if found else "null"
    if value.mode == "add":
        joined = f"list_concat({', '.join(found)})"
        return f"nullif({unique(joined)}, [])"
    added = " + ".join(f"coalesce({name}, 0)::{value.sql_type}" for name in found)
    return f"case when coalesce({', '.join(found)}) is not null then {added} end"


def _invalid(complaints: Sequence[Complaint]) -> str:
    if not complaints:
        return "null"
    any_fails = " or ".join(f"({each.fails_if})" for each in complaints)
    entries = ", ".join(
        f"case when {each.fails_if} then {{field: {quote_literal(each.field)}, value: {each.value}, "
        f"reason: {each.reason}}} end"
        for each in complaints
    )
    return f"case when {any_fails} then list_filter([{entries}], lambda entry: entry is not null) end"


def _remarks(converted: Sequence[Converted], complaints: Sequence[Complaint], form: Format) -> str:
    """Return the columns with cells that did not convert, and with fields whose local times are doubtful."""
    times = ((item.field, _is_doubtful(item, form)) for item in converted if item.prop.type == "datetime")
    found = {field: condition for field, condition in times if condition}
    doubtful = "null"
    if found:
        named = ", ".join(
            f"case when {condition} then {quote_literal(field)} end" for field, condition in found.items()
        )
        fields = f"list_filter([{named}], lambda field: field is not null)"
        doubtful = f"case when {' or '.join(found.values())} then {fields} end"
    return f"{_invalid(complaints)} as invalid,\n    {doubtful} as doubtful"


def _is_doubtful(item: Converted, form: Format) -> str | None:
    if not item.prop.multiple:
        return is_doubtful(item.cell.name, item.name, form)
    instant = convert_one(item.prop, "element", form).sql
    condition = is_doubtful("element", "instant", form)
    each = condition and naming(instant, "instant", lambda _: condition)
    return each and f"len(list_filter({item.cell.name}, lambda element: {each})) > 0"


def named_before(previous: Sequence[str], fields: Sequence[str], columns: Collection[str]) -> tuple[str, ...]:
    """Return where the fields that identified a file's rows in its previous import stand now.

    A field that is no column any more is the new one in its place: so its rows are known, and no sum has them twice.
    """
    if len(previous) != len(fields):
        return tuple(previous)
    pairs = zip(previous, fields, strict=True)
    return tuple(now if before not in columns and now not in previous else before for before, now in pairs)
