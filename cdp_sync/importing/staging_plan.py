"""Composes the statement that parses, converts and stages one part. Pure: a goal and a head in, a step out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cdp_sync.importing.columns import Columns, StagedLink, StagedValue
from cdp_sync.importing.conversion import Conversion, convert, convert_one, is_stripped, split, strip, unique
from cdp_sync.importing.landing import Landed
from cdp_sync.model import Format, ImportGoal, Property
from cdp_sync.warehouse import Step, quote_identifier, quote_literal

_BETWEEN, _NULL, _MISSING = "chr(31)", "chr(30)", "chr(29)"
"""Between cells in a digest, for a cell without a value, for a column that is not there."""


@dataclass(frozen=True)
class Cells:
    """The columns of one part, which the parser names c1, c2 and so on."""

    columns: Sequence[str]
    has_nul: bool = False

    def of(self, field: str) -> str | None:
        """Return the SQL name of a field's cell; None where the part has no such column."""
        return f"c{self.columns.index(field) + 1}" if field in self.columns else None

    def fit(self, field: str, prop: Property) -> str | None:
        """Return the name of a field's cell as the property wants it: stripped, if white space is never meant."""
        cell = self.of(field)
        return f"stripped_{cell}" if cell and is_stripped(prop) and not prop.multiple else cell

    @property
    def types(self) -> dict[str, str]:
        """All columns as text."""
        return {f"c{number + 1}": "VARCHAR" for number in range(len(self.columns))}


def read_part(landed: Landed, form: Format) -> tuple[str, dict[str, object]]:
    """Return the call that parses a part, every field as text, and the values to bind."""
    call = """read_csv($path, auto_detect = false, header = false, columns = $columns, skip = $skip, delim = $separator,
            quote = $quote, escape = $quote, nullstr = $nulls, store_rejects = true, rejects_limit = 0)"""
    return call, {
        "path": str(landed.local),
        "columns": Cells(landed.head.columns).types,
        "skip": landed.skip,
        "separator": form.separator,
        "quote": form.quote,
        "nulls": list(form.nulls),
    }


def stage_step(goal: ImportGoal, columns: Columns, landed: Landed, previous_fields: Sequence[str] | None) -> Step:
    """Return the step that fills `staged` from one part; `$file` and `$part` are still to be bound."""
    cells = Cells(landed.head.columns, landed.survey.nuls > 0)
    converted = [*_links(columns, cells, goal), *_values(columns, cells, goal.format)]
    call, values = read_part(landed, goal.format)
    needed = sorted({cell for field in _all_fields(columns, previous_fields) if (cell := cells.of(field))})
    stripped = sorted({item.cell for item in converted if item.cell not in needed})
    read = ", ".join([*needed, *(f"{strip(cell.removeprefix('stripped_'))} as {cell}" for cell in stripped)])
    inner = ",\n        ".join([*needed, *stripped, *(f"{item.conversion.sql} as {item.name}" for item in converted)])
    staged = _outer(columns, cells, converted, goal.format)
    outer = ",\n    ".join(f"{sql} as {quote_identifier(name)}" for name, sql in staged)
    fields = hashed_fields(goal, columns)
    hashes = f"{digest(fields, cells)} as row_hash,\n    {_previous(previous_fields, fields, cells)} as previous_hash"
    sql = f"""insert into staging.staged by name
select
    $file as file,
    $part as part,
    {outer},
    {hashes},
    {_invalid(converted)} as invalid
from (
    select
        {inner}
    from (
        select {read}
        from {call}
    )
)"""
    return Step("staged", sql, values)


def hashed_fields(goal: ImportGoal, columns: Columns) -> tuple[str, ...]:
    """Return the fields whose cells make a row what it is: linked and mapped ones, detected ones included."""
    detected = [field for value in columns.values for field in value.fields]
    return tuple(dict.fromkeys((*goal.fields, *detected)))


def digest(fields: Sequence[str], cells: Cells) -> str:
    """Return the expression for the 128-bit digest of a row's cells; stable between versions, unlike `hash()`."""
    parts = [f"coalesce({cell}, {_NULL})" if (cell := cells.of(field)) else _MISSING for field in fields]
    return f"md5_number(concat_ws({_BETWEEN}, {', '.join(parts)}))"


def _previous(previous: Sequence[str] | None, fields: Sequence[str], cells: Cells) -> str:
    if not previous or tuple(previous) == tuple(fields):
        return "null::uhugeint"
    return digest(previous, cells)


def _all_fields(columns: Columns, previous: Sequence[str] | None) -> Iterator[str]:
    yield from (link.field for link in columns.links)
    yield from (field for value in columns.values for field in value.fields)
    yield from previous or ()


@dataclass(frozen=True)
class Converted:
    """A converted cell in the inner select: its name there, and how to tell that it failed."""

    name: str
    field: str
    prop: Property
    cell: str
    conversion: Conversion
    fails_if: str

    @property
    def complaint(self) -> str:
        """The expression for its entry in `invalid`, null where the cell converted."""
        field, reason = quote_literal(self.field), quote_literal(self.conversion.reason)
        told = f"field: {field}, value: {self.cell}, reason: {reason}"
        return f"case when {self.fails_if} then {{{told}}} end"


def _links(columns: Columns, cells: Cells, goal: ImportGoal) -> Iterator[Converted]:
    mapped = {(field, value.prop.name) for value in columns.values for field in value.fields}
    for link in columns.links:
        if cell := cells.fit(link.field, link.prop):
            conversion = _link_conversion(link, cell, goal)
            failed = f"{link.column} is null and {_names_somebody(link, cell, goal)}"
            told_by_mapping = (link.field, link.prop.name) in mapped
            fails_if = "false" if told_by_mapping or not conversion.can_fail else failed
            yield Converted(link.column, link.field, link.prop, cell, conversion, fails_if)


def _link_conversion(link: StagedLink, cell: str, goal: ImportGoal) -> Conversion:
    if link.prop.multiple:
        named = f"list_filter({split(link.prop, cell, goal.format)}, lambda v: not ({_blocked('v', goal)}))"
        each = convert_one(link.prop, "v", goal.format)
        values = f"list_transform({named}, lambda v: {each.sql}::varchar)"
        all_convert = f"not list_contains(list_transform({values}, lambda x: x is null), true)"
        return Conversion(f"case when {all_convert} then nullif({unique(values)}, []) end", each.reason, each.can_fail)
    conversion = convert_one(link.prop, cell, goal.format)
    sql = f"case when not ({_blocked(cell, goal)}) then {conversion.sql}::varchar end"
    return Conversion(sql, conversion.reason, conversion.can_fail)


def _names_somebody(link: StagedLink, cell: str, goal: ImportGoal) -> str:
    if link.prop.multiple:
        return f"len(list_filter({split(link.prop, cell, goal.format)}, lambda v: not ({_blocked('v', goal)}))) > 0"
    return f"not ({_blocked(cell, goal)})"


def _blocked(cell: str, goal: ImportGoal) -> str:
    """Return the condition that a stripped value names nobody: blank, a blocked word, a run of zeros."""
    words = ", ".join(quote_literal(word) for word in ("", *goal.blocked))
    return f"lower({cell}) in ({words}) or regexp_full_match({cell}, '0+')"


def _values(columns: Columns, cells: Cells, form: Format) -> Iterator[Converted]:
    for value in columns.values:
        for number, field in enumerate(value.fields):
            if cell := cells.fit(field, value.prop):
                conversion = _value_conversion(value.prop, cell, form, has_nul=cells.has_nul)
                name = f"cell_{number}_{value.prop.name}"
                fails_if = f"{name} is null and {_says_something(value.prop, cell, form)}"
                fails_if = fails_if if conversion.can_fail else "false"
                yield Converted(name, field, value.prop, cell, conversion, fails_if)


def _value_conversion(prop: Property, cell: str, form: Format, *, has_nul: bool) -> Conversion:
    conversion = convert(prop, cell, form)
    if has_nul and prop.type == "text":
        return Conversion(f"case when not contains({cell}, chr(0)) then {conversion.sql} end", conversion.reason)
    return conversion


def _says_something(prop: Property, cell: str, form: Format) -> str:
    if prop.multiple:
        return f"len({split(prop, cell, form)}) > 0"
    return f"{cell} <> ''" if prop.identifier else f"{cell} is not null"


def _outer(columns: Columns, cells: Cells, converted: Sequence[Converted], form: Format) -> Iterator[tuple[str, str]]:
    names = {item.name for item in converted}
    for link in columns.links:
        yield link.column, link.column if link.column in names else "null"
    for value in columns.values:
        found = [f"cell_{number}_{value.prop.name}" for number in range(len(value.fields))]
        yield value.column, _combined(value, [name for name in found if name in names])
        if value.mode == "set_or_clear":
            cell = cells.fit(value.fields[0], value.prop)
            yield value.clear, f"coalesce(not ({_says_something(value.prop, cell, form)}), true)" if cell else "false"


def _combined(value: StagedValue, found: Sequence[str]) -> str:
    if not found:
        return "null"
    if len(found) == 1:
        return found[0]
    if value.mode == "add":
        joined = f"list_concat({', '.join(found)})"
        return f"nullif({unique(joined)}, [])"
    added = " + ".join(f"coalesce({name}, 0)::{value.sql_type}" for name in found)
    return f"case when coalesce({', '.join(found)}) is not null then {added} end"


def _invalid(converted: Sequence[Converted]) -> str:
    fallible = [item for item in converted if item.fails_if != "false"]
    if not fallible:
        return "null"
    any_fails = " or ".join(f"({item.fails_if})" for item in fallible)
    complaints = ", ".join(item.complaint for item in fallible)
    return f"case when {any_fails} then list_filter([{complaints}], lambda told: told is not null) end"
