"""Composes the statements that choose profiles and write their rows. Pure: a run and the columns found in, steps out.

A statement is a pile of selects, each naming what the next ones use: `v1` is the value behind the second column, `t1`
its texts where it has several, `c1` its cell, `line` the whole row as it will stand in the file.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, case, false, func, literal_column, select, true

from cdp_sync.exporting.cells import (
    Writing,
    guarded,
    holds_separator,
    is_trimmed_away,
    joined,
    line_of,
    write_value,
)
from cdp_sync.exporting.conditions import column_of, condition_of
from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.segments import PROFILE, is_in_segment
from cdp_sync.exporting.statements import step
from cdp_sync.model import CONSENT_PROPERTIES, Condition, ExportColumn, ExportFormat, Property
from cdp_sync.warehouse import Step, quote_literal
from cdp_sync.warehouse.consent import ConsentColumns, may_process

LONGEST_ROW = 1_999_000
"""Bytes; the importing parser takes two million with all that belongs to a row."""

_PROFILE_ID = Writing("profile_id::varchar", "-0123456789abcdef")

Taken = dict[str, ColumnElement[Any]]
"""What is taken from profiles, by the name that it gets."""


@dataclass(frozen=True)
class Problem:
    """Why a profile cannot be delivered."""

    fails_if: str
    reason: str
    field: str | None
    """The column whose value it is; None: the whole row."""

    @property
    def told(self) -> str:
        """The expression for its entry in `problems`; null where it does not fail."""
        name = quote_literal(self.field) if self.field else "null::varchar"
        return f"case when {self.fails_if} then {{field: {name}, reason: {quote_literal(self.reason)}}} end"


@dataclass(frozen=True)
class FileColumn:
    """A column of the file, and how its cells come about."""

    number: int
    name: str
    text: str
    """The text of a cell."""
    any_text: bool = True
    """Whether a cell may need quotes."""
    is_text: bool = True
    """Whether a spreadsheet might take a cell for a formula, as it never does with numbers and dates."""
    taken: Taken = field(default_factory=dict)
    texts: str | None = None
    """The texts of a cell, where it holds several."""
    problems: tuple[Problem, ...] = ()
    fails_if: str = "false"
    """The condition that there is one of the problems: quicker than to ask for each."""

    @property
    def cell(self) -> str:
        """What the cell is called."""
        return f"c{self.number}"


def file_columns(run: ExportRun, columns: Collection[str]) -> tuple[FileColumn, ...]:
    """Return the columns of the run's file.

    Args:
        run: The run.
        columns: The columns that the warehouse has; a property without one is empty.
    """
    return tuple(_file_column(run, columns, number, declared) for number, declared in enumerate(run.goal.map))


def _file_column(run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    form = run.goal.format
    if declared.property:
        prop = run.profiles.by_name[declared.property]
        build = _list_of_values if prop.multiple else _value
        return build(number, declared.field, prop, {f"v{number}": column_of(prop, columns)}, form)
    if declared.segments:
        return _segments(run, columns, number, declared)
    if declared.profile_id:
        return FileColumn(number, declared.field, _PROFILE_ID.sql, _may_need_quotes(_PROFILE_ID, form), is_text=False)
    return FileColumn(number, declared.field, quote_literal(declared.text or ""))


def _value(number: int, name: str, prop: Property, taken: Taken, form: ExportFormat) -> FileColumn:
    written, is_text = write_value(prop, f"v{number}", form), prop.type in ("text", "email")
    any_text = _may_need_quotes(written, form)
    if not written.fails_if:
        return FileColumn(number, name, written.sql, any_text, is_text, taken)
    problem = Problem(written.fails_if, written.reason, name)
    return FileColumn(number, name, written.sql, any_text, is_text, taken, None, (problem,), written.fails_if)


def _may_need_quotes(written: Writing, form: ExportFormat) -> bool:
    return written.characters is None or bool(set(written.characters) & set(form.separator))


def _list_of_values(number: int, name: str, prop: Property, taken: Taken, form: ExportFormat) -> FileColumn:
    written, is_text = write_value(prop, "x", form), prop.type in ("text", "email")
    texts = f"v{number}" if is_text else f"list_transform(v{number}, lambda x: {written.sql})"
    unwritable = Problem(_any(f"v{number}", written.fails_if), written.reason, name)
    more = (unwritable,) if written.fails_if else ()
    return _list(number, name, form, is_text=is_text, taken=taken, texts=texts, more=more)


def _segments(run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
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
    return FileColumn(
        number, name, text, is_text=is_text, taken=taken, texts=texts, problems=problems, fails_if=fails_if
    )


def _any(values: str, holds: str) -> str:
    return f"len(list_filter({values}, lambda x: {holds})) > 0"


def segment_step(run: ExportRun, columns: Collection[str]) -> Step:
    """Return the query that counts the segment."""
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("segment", select(func.count()).select_from(PROFILE).where(inside))


def profile_end_step(run: ExportRun, columns: Collection[str]) -> Step:
    """Return the step that makes `staging.profile_end`: what becomes of the segment's profiles, in order.

    Those whose values are as they were when they were last delivered are left out: they are the same, and mostly they
    are most. That is told by DuckDB's own hash, which is quick; what differs by it is compared as it would be written.
    """
    every = file_columns(run, columns)
    taken = _taken(run, every, columns)
    levels = (*_cells(run, every), *_line(run, every))
    how = "".join(f"{name}{sql}" for level in levels for name, sql in level.items())
    salt = hashlib.sha256(f"{run.fingerprint}{how}".encode())
    values = {**taken.values, "salt": salt.hexdigest(), "fingerprint": run.fingerprint}
    source = _on(taken.sql, {"value_hash": _value_hash(every), "eligible": "has_value and allowed"})
    if run.goal.changes == "changed":
        values |= {"connection": run.connection, "goal": run.goal.name}
        source = _CHANGED.format(source)
    for level in (*levels, *_end(run, every)):
        source = _on(source, level)
    return Step("profile_end", _PROFILE_END.format(source), values)


def cells_step(run: ExportRun, columns: Collection[str], limit: int) -> Step:
    """Return the query for the cells of the first staged rows, before quotes."""
    every = file_columns(run, columns)
    taken = _taken(run, every, columns)
    source = _FIRST_WRITTEN.format(taken.sql)
    for level in _cells(run, every):
        source = _on(source, level)
    names = ", ".join(column.cell for column in every)
    return Step("cells", f"select {names}\nfrom (\n{source}\n)\norder by place", {**taken.values, "limit": limit})


def header_step(run: ExportRun) -> Step:
    """Return the query for the line that names the columns."""
    names = [f"c{number}" for number in range(len(run.goal.map))]
    cells = {name: quote_literal(column.field) for name, column in zip(names, run.goal.map, strict=True)}
    source = _on(_on("select true", cells), {"plain": joined(names, run.goal.format)})
    return Step("header", f"select {line_of(names, names, run.goal.format)}\nfrom (\n{source}\n)")


_CHANGED = """select profile.*, known_hash
from (
{}
) profile
left join (
    select profile_id, row_hash as known_hash, value_hash as known_values
    from warehouse.exported_profile
    where connection = $connection and goal = $goal
) using (profile_id)
where not eligible or known_values is distinct from value_hash"""

_PROFILE_END = """create or replace table staging.profile_end as
select
    profile_id,
    ending,
    case when ending = 'written' then line end as line,
    case when ending in ('written', 'same') then row_hash end as row_hash,
    value_hash,
    problems
from (
{}
)
order by created_at, profile_id"""

_FIRST_WRITTEN = """select *
from (
{}
)
join (
    select profile_id, rowid as place from staging.profile_end where ending = 'written' order by place limit $limit
) using (profile_id)"""


def _on(source: str, named: Mapping[str, str]) -> str:
    """Return a select of all that the source has, and more."""
    if not named:
        return source
    more = "".join(f",\n    {sql} as {name}" for name, sql in named.items())
    return f"select *{more}\nfrom (\n{source}\n)"


def _taken(run: ExportRun, every: Sequence[FileColumn], columns: Collection[str]) -> Step:
    """Return the query for the segment's profiles, with what is asked of them and what is written of them."""
    has = (Condition(property=name, has_value=True) for name in run.goal.properties)
    # Each property is only looked at where those before had no value.
    has_value = case(*((condition_of(when, run.profiles, run.now, columns), true()) for when in has), else_=false())
    chosen = [
        literal_column("profile.profile_id").label("profile_id"),
        literal_column("profile.created_at").label("created_at"),
        has_value.label("has_value"),
        literal_column(f"({_allowed(run, columns)})").label("allowed"),
        *(value.label(name) for column in every for name, value in column.taken.items()),
    ]
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("taken", select(*chosen).select_from(PROFILE).where(inside))


def _allowed(run: ExportRun, columns: Collection[str]) -> str:
    if not run.objectives:
        return "true"
    types = {name: run.profiles.by_name[name].sql_type for name in CONSENT_PROPERTIES}
    held = (f"profile.{name}" if name in columns else f"cast(null as {kind})" for name, kind in types.items())
    return may_process(run.objectives, run.profiles, ConsentColumns(*held))


def _value_hash(every: Sequence[FileColumn]) -> str:
    """Return the expression for the hash of all that makes a row another one; `$salt` stands for how it is written."""
    names = [name for column in every for name in column.taken]
    return f"hash(concat(version(), $salt), {', '.join(names)})"


def _salt(run: ExportRun, levels: Sequence[Mapping[str, str]]) -> str:
    """Return a digest of how values are written; of a segment's title, too, and of how this version writes them."""
    written = "".join(f"{name}{sql}" for level in levels for name, sql in level.items())
    return hashlib.sha256(f"{run.fingerprint}{written}".encode()).hexdigest()


def _cells(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the cells come about."""
    on_guard = [column.cell for column in every if column.is_text and run.goal.format.formula_guard]
    yield {f"t{column.number}": column.texts for column in every if column.texts}
    yield {f"{column.cell}_bare" if column.cell in on_guard else column.cell: column.text for column in every}
    yield {cell: guarded(f"{cell}_bare") for cell in on_guard}


def _line(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the row comes about."""
    cells, form = [column.cell for column in every], run.goal.format
    yield {"plain": joined(cells, form)}
    line = line_of(cells, [column.cell for column in every if column.any_text], form)
    yield {"line": f"case when eligible then {line} end"}


def _end(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, what becomes of a profile."""
    too_long = Problem(f"strlen(line) > {LONGEST_ROW}", f"makes a row longer than {LONGEST_ROW:,} bytes", None)
    nuls = (Problem(f"contains({column.cell}, chr(0))", "holds a NUL byte", column.name) for column in every)
    problems = (*(problem for column in every for problem in column.problems), *nuls, too_long)
    told = f"list_filter([{', '.join(problem.told for problem in problems)}], lambda told: told is not null)"
    fails_if = " or ".join((*(column.fails_if for column in every), "contains(line, chr(0))", too_long.fails_if))
    # The fingerprint is part of the hash, so that a changed declaration makes every row another one.
    row_hash = "xor(md5_number(line), md5_number($fingerprint))"
    yield {"row_hash": row_hash, "problems": f"case when eligible and ({fails_if}) then {told} end"}
    yield {"ending": _ending(compared=run.goal.changes == "changed")}


_ENDS = ("without_value", "without_consent", "not_deliverable", "same", "written")


def _ending(*, compared: bool) -> str:
    # As an enum, since a million words take as long to store as a tenth of the rows' text.
    words = {word: f"'{word}'::enum({', '.join(map(quote_literal, _ENDS))})" for word in _ENDS}
    same = f"when row_hash = known_hash then {words['same']}" if compared else ""
    return f"""case
        when not has_value then {words["without_value"]}
        when not allowed then {words["without_consent"]}
        when problems is not null then {words["not_deliverable"]}
        {same}
        else {words["written"]}
    end"""
