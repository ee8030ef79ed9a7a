"""What an author should know of cells that did convert: local times that are doubtful, identifiers that look rounded.

Worked out from the rows that are to be linked: those that an earlier run applied were reported then.
"""

from collections.abc import Iterator

from cdp_sync.importing.converting.text import ROUNDED
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.model import Property
from cdp_sync.warehouse import Session, quote_identifier, quote_literal


def cell_warnings(session: Session, run: GoalRun, columns: Columns) -> dict[int, list[str]]:
    """Return the warnings by the number of the file, each once per file and field."""
    found: dict[int, list[str]] = {}
    for file, text in (*_doubtful_times(session, run, columns), *_rounded(session, columns)):
        found.setdefault(file, []).append(text)
    return found


def _doubtful_times(session: Session, run: GoalRun, columns: Columns) -> Iterator[tuple[int, str]]:
    zone = run.goal.format.time_zone
    if zone == "UTC" or all(value.prop.type != "datetime" for value in columns.values):
        return
    query = """
        select file, field, count(*)
        from (select file, unnest(doubtful) as field from staging.fresh where doubtful is not null)
        group by all order by all"""
    for file, field, count in session.rows(query):
        odd = "time does not exist or exists" if count == 1 else "times do not exist or exist"
        rule = "a skipped time is moved forward, of a repeated one the second is taken"
        yield file, f"{field}: {count:,} {odd} twice in {zone}; {rule}. Have times written with their offset."


def _rounded(session: Session, columns: Columns) -> Iterator[tuple[int, str]]:
    for field, prop, column in _text_identifiers(columns):
        shape, name = quote_literal(ROUNDED), quote_identifier(column)
        looks = f"ends_with(value, '00000') and regexp_full_match(value, {shape})"
        values = f"unnest({name})" if prop.multiple else name
        query = f"""
            select file, count(*) from (select file, {values} as value from staging.fresh where {name} is not null)
            where {looks} group by all order by all"""
        for file, count in session.rows(query):
            odd = "identifier looks" if count == 1 else "identifiers look"
            why = "15 digits or more, zeros at the end, as a spreadsheet leaves them"
            yield file, f"{field}: {count:,} {odd} rounded ({why}). Export the column as text."


def _text_identifiers(columns: Columns) -> Iterator[tuple[str, Property, str]]:
    """Yield the fields that fill a text identifier, linked or mapped, with the staging column of their values."""
    linked = {(link.field, link.prop.name) for link in columns.links}
    for link in columns.links:
        if link.prop.type == "text":
            yield link.field, link.prop, link.column
    for value in columns.values:
        further = [field for field in value.fields if (field, value.prop.name) not in linked]
        if value.prop.identifier and value.prop.type == "text" and further:
            yield " and ".join(further), value.prop, value.column
