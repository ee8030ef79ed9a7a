"""Which cells of a row are converted, into which staging columns, and what is said of those that do not. Pure."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from cdp_sync.importing.converting.cell import naming
from cdp_sync.importing.converting.conversion import (
    Conversion,
    convert,
    convert_list,
    convert_one,
    has_value,
    is_among,
    unique,
)
from cdp_sync.importing.converting.dates import is_doubtful, is_doubtful_text
from cdp_sync.importing.staging.cells import Cell, Cells
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.event_cells import Complaint, event_complaints, event_values, fields_of, json_items
from cdp_sync.importing.staging.event_columns import StagedItems
from cdp_sync.importing.staging.value_columns import StagedLink, StagedValue
from cdp_sync.model import Format, ImportGoal, Property
from cdp_sync.warehouse import quote_identifier, quote_literal


@dataclass(frozen=True)
class Converted:
    """A converted cell in the inner select: its name there, and the condition that its conversion failed."""

    name: str
    field: str
    prop: Property
    cell: Cell
    conversion: Conversion
    fails_if: str


def conversions(columns: Columns, cells: Cells, goal: ImportGoal) -> list[Converted]:
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
        converted += _converted_value(value, columns, cells, goal)
    for listed in json_items(columns.events, goal.format):
        items = listed.items
        if raw := cells.of(str(items.field)):
            cell = Cell(raw, listed.texts_name, listed.texts(raw))
            name = _cell_name(items, 0)
            converted.append(Converted(name, str(items.field), items.prop, cell, listed.conversion, "false"))
    return converted


def _converted_value(value: StagedValue, columns: Columns, cells: Cells, goal: ImportGoal) -> Iterator[Converted]:
    """Yield the converted cells that a value is made of, as far as the part has columns for them."""
    names_event = any(value is event.id for event in columns.events)
    for number, named in enumerate(value.fields):
        if cell := cells.fitted(named, value.prop, goal.format, value.prefix and f"{value.column}_"):
            conversion = _without_nul(convert(value.prop, cell.name, goal.format), value.prop, cell, cells)
            if names_event:  # many rows may have such a word: all of them would be one event
                blocked = _blocked(cell.name, goal)
                causes = ((blocked, "a blocked value, which names no event"), *conversion.causes)
                conversion = replace(
                    conversion, sql=f"case when not ({blocked}) then {conversion.sql} end", causes=causes
                )
            name = _cell_name(value, number)
            failed = f"{name} is null and {has_value(value.prop, cell.name, goal.format)}"
            fails_if = failed if conversion.can_fail else "false"
            yield Converted(name, named, value.prop, cell, conversion, fails_if)


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


def converted_columns(
    columns: Columns, cells: Cells, converted: Sequence[Converted], form: Format
) -> Iterator[tuple[str, str]]:
    """Yield the staging columns that are made of converted cells, and the expression for each."""
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


def invalid(columns: Columns, cells: Cells, converted: Sequence[Converted], form: Format) -> str:
    """Return the expression for what is not imported of a row: a list of fields, values and reasons; or null."""
    complaints = _complaints(columns, cells, converted, form)
    if not complaints:
        return "null"
    any_fails = " or ".join(f"({each.fails_if})" for each in complaints)
    entries = ", ".join(
        f"case when {each.fails_if} then {{field: {quote_literal(each.field)}, value: {each.value}, "
        f"reason: {each.reason}}} end"
        for each in complaints
    )
    return f"case when {any_fails} then list_filter([{entries}], lambda entry: entry is not null) end"


def remarks(columns: Columns, cells: Cells, converted: Sequence[Converted], form: Format) -> str:
    """Return the columns with cells that did not convert, and with fields whose local times are doubtful."""
    times = [(item.field, _is_doubtful(item, form)) for item in converted if item.prop.type == "datetime"]
    for listed in json_items(columns.events, form):
        times += listed.doubtful() if cells.of(str(listed.items.field)) else ()
    found = {field: condition for field, condition in times if condition}
    doubtful = "null"
    if found:
        named = ", ".join(
            f"case when {condition} then {quote_literal(field)} end" for field, condition in found.items()
        )
        fields = f"list_filter([{named}], lambda field: field is not null)"
        doubtful = f"case when {' or '.join(found.values())} then {fields} end"
    return f"{invalid(columns, cells, converted, form)} as invalid,\n    {doubtful} as doubtful"


def _is_doubtful(item: Converted, form: Format) -> str | None:
    if not item.prop.multiple:
        return is_doubtful(item.cell.name, item.name, form)
    each = is_doubtful_text(item.prop, "element", form)
    return each and f"len(list_filter({item.cell.name}, lambda element: {each})) > 0"
