"""How profiles become the rows of a delimited file. Pure: a run and the columns found in, expressions out.

`v1` is the value behind the second column, `t1` its texts where it has several, `c1` its cell, `line` the whole row as
it will stand in the file.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from cdp_sync.exporting.files.cells import (
    Writing,
    careful_line,
    guarded,
    holds_separator,
    is_trimmed_away,
    joined,
    line_of,
    write_value,
)
from cdp_sync.exporting.run import FileRun
from cdp_sync.exporting.select.rows import Column, Problem, Rows, Taken, on
from cdp_sync.model import ExportColumn, ExportFormat, Property
from cdp_sync.segments.conditions import column_of
from cdp_sync.segments.membership import is_in_segment
from cdp_sync.warehouse import Step, quote_literal

LONGEST_ROW = 1_999_000
"""Bytes; the importing parser takes two million with all that belongs to a row."""

_PROFILE_ID = Writing("profile_id::varchar", "-0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class FileColumn(Column):
    """A column of the file, and how its cells come about."""

    text: str
    """The text of a cell."""
    any_text: bool = True
    """Whether a cell may need quotes."""
    is_text: bool = True
    """Whether a spreadsheet might take a cell for a formula, as it never does with numbers and dates."""
    texts: str | None = None
    """The texts of a cell, where it holds several."""


def file_rows(run: FileRun, columns: Collection[str]) -> Rows:
    """Return how profiles become the rows of the run's file.

    Args:
        run: The run.
        columns: The columns that the warehouse has; a property without one is empty.
    """
    every = tuple(_file_column(run, columns, number, declared) for number, declared in enumerate(run.goal.map))
    too_long = Problem(f"strlen(line) > {LONGEST_ROW}", f"makes a row longer than {LONGEST_ROW:,} bytes", None)
    nuls = (Problem(f"contains({column.cell}, chr(0))", "holds a NUL byte", column.name) for column in every)
    return Rows(
        columns=every,
        cells=tuple(_cells(run, every)),
        line=tuple(_line(run, every)),
        problems=(*(problem for column in every for problem in column.problems), *nuls, too_long),
        fails_if=" or ".join((*(column.fails_if for column in every), "contains(line, chr(0))", too_long.fails_if)),
    )


def header_step(run: FileRun) -> Step:
    """Return the query for the line that names the columns."""
    names = [f"c{number}" for number in range(len(run.goal.map))]
    cells = {name: quote_literal(column.field) for name, column in zip(names, run.goal.map, strict=True)}
    line = careful_line(names, names, run.goal.format)
    return Step("header", f"select {line}\nfrom (\n{on('select true', cells)}\n)")


def _file_column(run: FileRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    form = run.goal.format
    if declared.property:
        prop = run.profiles.by_name[declared.property]
        build = _list_of_values if prop.multiple else _value
        return build(number, declared.field, prop, {f"v{number}": column_of(prop, columns)}, form)
    if declared.segments:
        return _segments(run, columns, number, declared)
    if declared.profile_id:
        return FileColumn(
            number, declared.field, text=_PROFILE_ID.sql, any_text=_may_need_quotes(_PROFILE_ID, form), is_text=False
        )
    return FileColumn(number, declared.field, text=quote_literal(declared.text or ""))


def _value(number: int, name: str, prop: Property, taken: Taken, form: ExportFormat) -> FileColumn:
    written, is_text = write_value(prop, f"v{number}", form), prop.type in ("text", "email")
    column = FileColumn(
        number, name, taken, text=written.sql, any_text=_may_need_quotes(written, form), is_text=is_text
    )
    if not written.fails_if:
        return column
    return replace(column, problems=(Problem(written.fails_if, written.reason, name),), fails_if=written.fails_if)


def _may_need_quotes(written: Writing, form: ExportFormat) -> bool:
    return written.characters is None or bool(set(written.characters) & set(form.separator))


def _list_of_values(number: int, name: str, prop: Property, taken: Taken, form: ExportFormat) -> FileColumn:
    written, is_text = write_value(prop, "x", form), prop.type in ("text", "email")
    texts = f"v{number}" if is_text else f"list_transform(v{number}, lambda x: {written.sql})"
    unwritable = Problem(_any(f"v{number}", written.fails_if), written.reason, name)
    more = (unwritable,) if written.fails_if else ()
    return _list(number, name, form, is_text=is_text, taken=taken, texts=texts, more=more)


def _segments(run: FileRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    every = tuple(segment.name for segment in run.profiles.segments)
    names = every if declared.segments == "all" else declared.segments or ()
    taken: Taken = {
        f"s{number}_{place}": is_in_segment(run.profiles, name, run.now, columns) for place, name in enumerate(names)
    }
    form = run.goal.format
    labels = [run.profiles.segment(name).label if form.ids_as_names else name for name in names]
    each = [f"case when {inside} then {quote_literal(label)} end" for inside, label in zip(taken, labels, strict=True)]
    texts = f"list_filter([{', '.join(each)}], lambda x: x is not null)"
    return _list(number, declared.field, form, is_text=True, taken=taken, texts=texts)


def _list(
    number: int,
    name: str,
    form: ExportFormat,
    *,
    is_text: bool,
    taken: Taken,
    texts: str,
    more: tuple[Problem, ...] = (),
) -> FileColumn:
    """Return a column of lists: one that would be read as another list is a problem."""
    mark, several, bare = form.multi_value, f"t{number}", is_trimmed_away("x")
    trimmed = Problem(_any(several, bare), "a value is empty, or begins or ends with a space", name)
    if mark is None:
        split = Problem(f"len({several}) > 1", "several values, and no multi_value to stand between them", name)
        fails_if = f"{trimmed.fails_if} or {split.fails_if}"
    else:
        inside = holds_separator("x", mark)
        split = Problem(_any(several, inside), f"a value contains {mark!r}, the multi_value separator", name)
        fails_if = _any(several, f"{bare} or {inside}")
    fails_if = " or ".join((*(problem.fails_if for problem in more), fails_if))
    text = f"array_to_string({several}, {quote_literal(mark or '')})"
    problems = (*more, trimmed, split)
    return FileColumn(number, name, taken, problems, fails_if, text=text, is_text=is_text, texts=texts)


def _any(values: str, holds: str) -> str:
    return f"len(list_filter({values}, lambda x: {holds})) > 0"


def _cells(run: FileRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the cells come about."""
    on_guard = [column.cell for column in every if column.is_text and run.goal.format.formula_guard]
    yield {f"t{column.number}": column.texts for column in every if column.texts}
    yield {f"{column.cell}_bare" if column.cell in on_guard else column.cell: column.text for column in every}
    yield {cell: guarded(f"{cell}_bare") for cell in on_guard}


def _line(run: FileRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the row comes about."""
    cells, form = [column.cell for column in every], run.goal.format
    yield {"plain": joined(cells, form)}
    line = line_of(cells, [column.cell for column in every if column.any_text], form)
    yield {"line": f"case when eligible then {line} end"}
