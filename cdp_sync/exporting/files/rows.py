"""How profiles become the rows of a delimited file. Pure: a run and the columns found in, expressions out.

`v1` is the value of the second column, `t1` its texts where it has several, `c1` its cell, `line` the whole row as it
will stand in the file.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cdp_sync.exporting.column_values import column_value, stages_of
from cdp_sync.exporting.files.cells import guarded, holds_separator, is_trimmed_away, joined, line_of, write_value
from cdp_sync.exporting.run import FileRun
from cdp_sync.exporting.segment_columns import first_segment_of, segments_of
from cdp_sync.exporting.select import (
    Column,
    Inputs,
    Problem,
    Rows,
)
from cdp_sync.model import ExportColumn, ExportFormat, Property
from cdp_sync.model.processed_fields import written_by
from cdp_sync.warehouse import quote_literal

LONGEST_ROW = 1_999_000
"""Bytes; the importing parser takes two million with all that belongs to a row."""


@dataclass(frozen=True, kw_only=True)
class FileColumn(Column):
    """A column of the file, and the expressions for its cells."""

    text: str
    """The text of a cell."""
    any_text: bool = True
    """Whether a cell may need quotes."""
    is_text: bool = True
    """Whether a spreadsheet might take a cell for a formula, as it never does with numbers and dates."""
    texts: str | None = None
    """The texts of a cell, where it holds several."""


def file_rows(run: FileRun, columns: Collection[str]) -> Rows:
    """Return how profiles become the rows of the run's file; a property without a column in the warehouse is empty."""
    processed = written_by(run.goal.processors, (column.field for column in run.goal.map))
    every = tuple(_file_column(run, columns, number, declared) for number, declared in enumerate(run.goal.map))
    made = rows_of(
        [replace(one, any_text=True, is_text=True) if one.name in processed else one for one in every], run.goal.format
    )
    needed = (ExportColumn(field=name, property=name) for name in run.goal.needs_one_of)
    props = [(declared, prop) for declared in needed if (prop := declared.prop(run.profiles))]
    return replace(made, links={f"l{n}": column_value(run, columns, *each) for n, each in enumerate(props)})


def rows_of(every: Sequence[FileColumn], form: ExportFormat) -> Rows:
    """Return how columns become the rows of a file; `line` is null where a row is not `eligible`."""
    too_long = Problem(f"strlen(line) > {LONGEST_ROW}", f"makes a row longer than {LONGEST_ROW:,} bytes", None)
    nuls = (Problem(f"contains({column.cell}, chr(0))", "holds a NUL byte", column.name) for column in every)
    cells = [column.cell for column in every]
    on_guard = [column.cell for column in every if column.is_text and form.formula_guard]
    bare = {column.name: f"{column.cell}_bare" if column.cell in on_guard else column.cell for column in every}
    line = line_of(cells, [column.cell for column in every if column.any_text], form)
    return Rows(
        columns=tuple(every),
        cells=(
            {f"t{column.number}": column.texts for column in every if column.texts},
            {bare[column.name]: column.text for column in every},
        ),
        texts=bare,
        finish=({cell: guarded(f"{cell}_bare") for cell in on_guard},),
        line=({"plain": joined(cells, form)}, {"line": f"case when eligible then {line} end"}),
        problems=(*(problem for column in every for problem in column.problems), *nuls, too_long),
        fails_if=" or ".join((*(column.fails_if for column in every), "contains(line, chr(0))", too_long.fails_if)),
    )


def _file_column(run: FileRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    form, name = run.goal.format, declared.field
    if declared.segments:
        inputs, texts = segments_of(run, columns, number, declared, titles=form.ids_as_names)
        return _of_list(FileColumn(number, name, inputs, text="", texts=texts), form)
    if declared.first_segment:
        inputs, text = first_segment_of(run, columns, number, declared)
        return FileColumn(number, name, inputs, text=text)
    if declared.lifecycles:
        inputs = {f"v{number}": stages_of(run, declared, titles=form.ids_as_names)}
        return _of_list(FileColumn(number, name, inputs, text="", texts=f"v{number}"), form)
    if declared.profile_id:
        bare = may_need_quotes("-0123456789abcdef", form)
        return FileColumn(number, name, text="profile_id::varchar", any_text=bare, is_text=False)
    prop, value = declared.prop(run.profiles), f"v{number}"
    if prop is None:
        return FileColumn(number, name, text=quote_literal(declared.text or ""))
    return property_column(number, name, prop, form, {value: column_value(run, columns, declared, prop)})


def property_column(number: int, name: str, prop: Property, form: ExportFormat, inputs: Inputs) -> FileColumn:
    """Return the column of a property whose value is called `v` and the column's number."""
    value, is_text = f"v{number}", prop.is_text
    written = write_value(prop, "x" if prop.multiple else value, form)
    fails_if = any_of(value, written.fails_if) if prop.multiple and written.fails_if else written.fails_if
    problems = (Problem(fails_if, written.reason, name),) if fails_if else ()
    if prop.multiple:
        texts = value if is_text else f"list_transform({value}, lambda x: {written.sql})"
        column = FileColumn(number, name, inputs, problems, text="", is_text=is_text, texts=texts)
        return _of_list(column, form)
    any_text = may_need_quotes(written.characters, form)
    return FileColumn(
        number, name, inputs, problems, fails_if or "false", text=written.sql, any_text=any_text, is_text=is_text
    )


def may_need_quotes(characters: str | None, form: ExportFormat) -> bool:
    """Return whether a cell of these characters may need quotes; None: of any."""
    return characters is None or bool(set(characters) & set(form.separator))


def _of_list(column: FileColumn, form: ExportFormat) -> FileColumn:
    """Return a column of lists with the text of its cells: a list that would be read as another one is a problem."""
    mark, several, bare = form.multi_value, f"t{column.number}", is_trimmed_away("x")
    trimmed = Problem(any_of(several, bare), "a value is empty, or begins or ends with a space", column.name)
    if mark is None:
        reason = "several values, and no multi_value to stand between them"
        split = Problem(f"len({several}) > 1", reason, column.name)
        fails_if = f"{trimmed.fails_if} or {split.fails_if}"
    else:
        inside = holds_separator("x", mark)
        split = Problem(any_of(several, inside), f"a value contains {mark!r}, the multi_value separator", column.name)
        fails_if = any_of(several, f"{bare} or {inside}")
    return replace(
        column,
        text=f"array_to_string({several}, {quote_literal(mark or '')})",
        fails_if=" or ".join((*(problem.fails_if for problem in column.problems), fails_if)),
        problems=(*column.problems, trimmed, split),
    )


def any_of(values: str, holds: str) -> str:
    """Return the condition that a condition over `x` holds of one of several values."""
    return f"len(list_filter({values}, lambda x: {holds})) > 0"
