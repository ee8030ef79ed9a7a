"""Composes the statements that choose profiles and write their rows. Pure: a run and the columns found in, steps out.

A statement is a pile of selects, each naming what the next ones use: `v1` is the value behind the second column, `t1`
its texts where it has several, `c1` its cell, `line` the whole row as it will stand in the file.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, case, false, func, literal_column, select, true

from cdp_sync.exporting.cells import (
    Writing,
    guarded,
    holds_separator,
    is_trimmed_away,
    line_of,
    looked_through,
    write_value,
)
from cdp_sync.exporting.conditions import column_of, condition_of
from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.segments import PROFILE, is_in_segment
from cdp_sync.exporting.statements import step
from cdp_sync.model import CONSENT_PROPERTIES, Condition, ExportColumn, ExportFormat
from cdp_sync.warehouse import Step, quote_literal
from cdp_sync.warehouse.consent import ConsentColumns, may_process

LONGEST_ROW = 1_999_000
"""Bytes; the importing parser takes two million with all that belongs to a row."""

_PROFILE_ID_CHARACTERS = "-0123456789abcdef"

Taken = dict[str, ColumnElement[object]]
"""What is taken from profiles, by the name it gets."""


@dataclass(frozen=True)
class Problem:
    """Why a profile cannot be delivered."""

    fails_if: str
    reason: str
    field: str | None = None
    """The column whose value it is; None: the whole row."""

    @property
    def told(self) -> str:
        """The expression for its entry in `problems`; null where it does not fail."""
        name = quote_literal(self.field) if self.field else "null::varchar"
        return f"case when {self.fails_if} then {{field: {name}, reason: {quote_literal(self.reason)}}} end"


@dataclass(frozen=True)
class FileColumn:
    """How the cells of one column come about."""

    number: int
    field: str
    text: str
    """The text of a cell."""
    taken: Taken = field(default_factory=dict)
    texts: str | None = None
    """The texts of a cell, where it holds several."""
    any_text: bool = True
    """Whether a cell may need quotes."""
    is_text: bool = True
    """Whether a spreadsheet might take it for a formula; numbers and dates it never does."""
    problems: tuple[Problem, ...] = ()


def file_columns(run: ExportRun, columns: Collection[str]) -> tuple[FileColumn, ...]:
    """Return the columns of the run's file.

    Args:
        run: The run.
        columns: The columns that the warehouse has; a property without one is empty.
    """
    return tuple(_file_column(run, columns, number, declared) for number, declared in enumerate(run.goal.map))


def _file_column(run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    if declared.property:
        return _property(run, columns, number, declared)
    if declared.segments:
        return _segments(run, columns, number, declared)
    if declared.profile_id:
        any_text = _shares(_PROFILE_ID_CHARACTERS, run.goal.format)
        return FileColumn(number, declared.field, "profile_id::varchar", any_text=any_text, is_text=False)
    return FileColumn(number, declared.field, quote_literal(declared.text or ""))


def _shares(characters: str | None, form: ExportFormat) -> bool:
    """Whether a text of these characters may hold the separator."""
    return characters is None or bool(set(characters) & set(form.separator))


def _property(run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    form, prop, value = run.goal.format, run.profiles.by_name[str(declared.property)], f"v{number}"
    taken: Taken = {value: column_of(prop, columns)}
    is_text = prop.type in ("text", "email")
    if prop.multiple:
        each = write_value(prop, "x", form)
        texts = value if is_text else f"list_transform({value}, lambda x: {each.sql})"
        problems = (*_unwritable(each, declared.field, value), *_unlike(declared.field, f"t{number}", form))
        joined = _joined(number, form)
        return FileColumn(number, declared.field, joined, taken, texts, is_text=is_text, problems=problems)
    written = write_value(prop, value, form)
    any_text, problems = _shares(written.characters, form), _unwritable(written, declared.field)
    return FileColumn(number, declared.field, written.sql, taken, None, any_text, is_text, problems)


def _segments(run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn) -> FileColumn:
    every = [segment.name for segment in run.profiles.segments]
    names = every if declared.segments == "all" else declared.segments or ()
    taken: Taken = {
        f"s{number}_{place}": is_in_segment(run.profiles, name, run.now, columns) for place, name in enumerate(names)
    }
    form = run.goal.format
    labels = [run.profiles.segment(name).label if form.ids_as_names else name for name in names]
    each = [f"case when {inside} then {quote_literal(label)} end" for inside, label in zip(taken, labels, strict=True)]
    texts = f"list_filter([{', '.join(each)}], lambda x: x is not null)"
    problems = _unlike(declared.field, f"t{number}", form)
    return FileColumn(number, declared.field, _joined(number, form), taken, texts, problems=problems)


def _joined(number: int, form: ExportFormat) -> str:
    return f"array_to_string(t{number}, {quote_literal(form.multi_value or '')})"


def _unwritable(written: Writing, name: str, values: str | None = None) -> tuple[Problem, ...]:
    if not written.fails_if:
        return ()
    fails_if = _any(values, written.fails_if) if values else written.fails_if
    return (Problem(fails_if, written.reason, name),)


def _unlike(name: str, texts: str, form: ExportFormat) -> tuple[Problem, ...]:
    """Return what is wrong with a list that would be read as another one."""
    left_out = Problem(_any(texts, is_trimmed_away("x")), "a value is empty, or begins or ends with a space", name)
    mark = form.multi_value
    if mark is None:
        return left_out, Problem(f"len({texts}) > 1", "several values, and no multi_value to stand between them", name)
    inside = f"a value contains {mark!r}, the multi_value separator"
    return left_out, Problem(_any(texts, holds_separator("x", mark)), inside, name)


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
    salt = hashlib.sha256("".join(f"{name}{sql}" for level in levels for name, sql in level.items()).encode())
    values = {**taken.values, "salt": salt.hexdigest(), "fingerprint": run.fingerprint}
    source = _on(taken.sql, {"value_hash": _value_hash(every), "eligible": "has_value and allowed"})
    if run.goal.changes == "changed":
        values |= {"connection": run.connection, "goal": run.goal.name}
        source = f"{_KNOWN.format(source)}"
    for level in (*levels, *_end(run, every)):
        source = _on(source, level)
    return Step("profile_end", _PROFILE_END.format(source), values)


def cells_step(run: ExportRun, columns: Collection[str], limit: int) -> Step:
    """Return the query for the cells of the first staged rows, before quotes."""
    every = file_columns(run, columns)
    taken = _taken(run, every, columns)
    source = f"from ({taken.sql}) join ({_FIRST_WRITTEN}) using (profile_id)"
    for level in _cells(run, every):
        source = _on(source, level)
    names = ", ".join(_cell_names(every))
    return Step("cells", f"select {names}\nfrom (\n{source}\n)\norder by place", {**taken.values, "limit": limit})


def header_step(run: ExportRun) -> Step:
    """Return the query for the line that names the columns."""
    names = [f"c{number}" for number in range(len(run.goal.map))]
    cells = {name: quote_literal(column.field) for name, column in zip(names, run.goal.map, strict=True)}
    source = _on(_on("select true", cells), {"together": looked_through(names)})
    return Step("header", f"select {line_of(names, names, run.goal.format)}\nfrom (\n{source}\n)")


_KNOWN = """select profile.*, known_hash
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

_FIRST_WRITTEN = """
    select profile_id, rowid as place from staging.profile_end where ending = 'written' order by rowid limit $limit"""


def _on(source: str, named: Mapping[str, str]) -> str:
    """Return a select of all that the source has, and more."""
    if not named:
        return source
    more = "".join(f",\n    {sql} as {name}" for name, sql in named.items())
    return f"select *{more}\nfrom (\n{source}\n)"


def _taken(run: ExportRun, every: Sequence[FileColumn], columns: Collection[str]) -> Step:
    """Return the query for the segment's profiles with all that is asked of them and written of them."""
    has_value = (Condition(property=name, has_value=True) for name in run.goal.properties)
    chosen = [
        literal_column("profile.profile_id").label("profile_id"),
        literal_column("profile.created_at").label("created_at"),
        # Each is only asked where those before had none.
        case(
            *((condition_of(when, run.profiles, run.now, columns), true()) for when in has_value), else_=false()
        ).label("has_value"),
        literal_column(f"({_allowed(run, columns)})").label("allowed"),
        *(value.label(name) for column in every for name, value in column.taken.items()),
    ]
    inside = is_in_segment(run.profiles, run.goal.segment, run.now, columns)
    return step("taken", select(*chosen).select_from(PROFILE).where(inside))


def _allowed(run: ExportRun, columns: Collection[str]) -> str:
    consent = ConsentColumns()
    if run.objectives:
        types = {name: run.profiles.by_name[name].sql_type for name in CONSENT_PROPERTIES}
        consent = ConsentColumns(*(name if name in columns else f"null::{kind}" for name, kind in types.items()))
    return may_process(run.objectives, run.profiles, consent)


def _value_hash(every: Sequence[FileColumn]) -> str:
    """Return the expression for the hash of all that a row is made of, but for what is the same in all rows."""
    names = [name for column in every for name in column.taken]
    return f"hash(concat(version(), $salt), {', '.join(names)})"


def _cells(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the cells come about."""
    texts = {column.number: column for column in every if column.is_text and run.goal.format.formula_guard}
    yield {f"t{column.number}": column.texts for column in every if column.texts}
    yield {f"{'r' if column.number in texts else 'c'}{column.number}": column.text for column in every}
    yield {f"c{number}": guarded(f"r{number}") for number in texts}


def _cell_names(every: Sequence[FileColumn]) -> list[str]:
    return [f"c{column.number}" for column in every]


def _line(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, how the row comes about."""
    any_text = [f"c{column.number}" for column in every if column.any_text]
    yield {"together": looked_through(any_text)} if any_text else {}
    yield {"line": f"case when eligible then {line_of(_cell_names(every), any_text, run.goal.format)} end"}


def _end(run: ExportRun, every: Sequence[FileColumn]) -> Iterator[dict[str, str]]:
    """Yield, level by level, what becomes of a profile."""
    problems = [problem for column in every for problem in column.problems]
    hidden = [
        *(Problem(f"contains(c{column.number}, chr(0))", "holds a NUL byte", column.field) for column in every),
        Problem(f"strlen(line) > {LONGEST_ROW}", f"makes a row longer than {LONGEST_ROW:,} bytes"),
    ]
    fails_if = " or ".join((*(problem.fails_if for problem in problems), *_HIDDEN))
    told = ", ".join(problem.told for problem in (*problems, *hidden))
    found = f"list_filter([{told}], lambda told: told is not null)"
    # The fingerprint is part of the hash, so that a changed declaration makes every row another one.
    row_hash = "xor(md5_number(line), md5_number($fingerprint))"
    yield {"row_hash": row_hash, "problems": f"case when eligible and ({fails_if}) then {found} end"}
    same = "when row_hash = known_hash then 'same'" if run.goal.changes == "changed" else ""
    yield {"ending": _ENDING.format(same)}


_HIDDEN = ("contains(line, chr(0))", f"strlen(line) > {LONGEST_ROW}")
_ENDING = """case
        when not has_value then 'without_value'
        when not allowed then 'without_consent'
        when problems is not null then 'not_deliverable'
        {}
        else 'written'
    end"""
