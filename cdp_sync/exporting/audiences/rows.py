"""How profiles become users of Sailthru: one JSON object each, like a call that creates or changes a user.

`v1` is the value behind the second custom field, `c1` that field as JSON, `id` and `key` say which user is meant,
`line` is the whole object. Types are those that Sailthru expects: several values are arrays; numbers and decimals
integers; dates and times integers of UNIX seconds in fields that end in `_time`, YYYY-MM-DD in those that end in
`_date`, and else as 2021-07-13T15:22:00.000Z; all else text. The day of an instant is that of UTC.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import func

from cdp_sync.exporting.run import UserRun
from cdp_sync.exporting.select.rows import Column, Level, Problem, Rows, Taken
from cdp_sync.model import ExportColumn, Property
from cdp_sync.segments.conditions import column_of
from cdp_sync.segments.membership import is_in_segment
from cdp_sync.warehouse import quote_literal

_NUL, _BACKSLASH = quote_literal("\\u0000"), quote_literal("\\\\")
_HOLDS_NUL = f"contains(line, {_NUL}) and contains(replace(line, {_BACKSLASH}, ''), {_NUL})"
"""The condition that JSON holds a NUL byte, and not a text that looks like one behind a backslash."""


def user_rows(run: UserRun, columns: Collection[str]) -> Rows:
    """Return how profiles become users.

    A property without a value sets its custom field to null, so that a value that is gone here is gone there.

    Args:
        run: The run.
        columns: The columns that the warehouse has; a property without one is empty.
    """
    fields = [_field(run, columns, number, declared) for number, declared in enumerate(run.goal.map)]
    every, cells = [column for column, _ in fields], {column.cell: sql for column, sql in fields}
    links = _links(run, columns)
    told = [problem for column in every for problem in column.problems]
    return Rows(
        columns=every,
        cells=(cells, _user(run, list(links))),
        line=({"line": f"case when eligible then {_line(run, every)} end"},),
        problems=told,
        fails_if=_HOLDS_NUL if told else "false",
        links=links,
        named=("key", "id"),
    )


def _field(run: UserRun, columns: Collection[str], number: int, declared: ExportColumn) -> tuple[Column, str]:
    """Return a custom field, and the JSON of its value."""
    if declared.segments:
        taken = _memberships(run, columns, number, declared)
        return Column(number, declared.field, taken), _names(taken)
    if declared.property is None:
        text = "profile_id::varchar" if declared.profile_id else quote_literal(declared.text or "")
        return Column(number, declared.field), f"to_json({text})"
    prop = run.profiles.by_name[declared.property]
    value = f"v{number}"
    problems = (_with_nul(prop, value, declared.field),) if prop.type in ("text", "email") else ()
    column = Column(number, declared.field, {value: column_of(prop, columns)}, problems)
    written = _written(prop, "x" if prop.multiple else value, declared.field, run.goal.decimals)
    return column, f"to_json({f'list_transform({value}, lambda x: {written})' if prop.multiple else written})"


def _with_nul(prop: Property, value: str, name: str) -> Problem:
    holds = f"contains(array_to_string({value}, ''), chr(0))" if prop.multiple else f"contains({value}, chr(0))"
    return Problem(holds, "holds a NUL byte", name)


def _written(prop: Property, value: str, name: str, decimals: str) -> str:
    """Return the expression for one value in the type that Sailthru keeps."""
    match prop.type:
        case "number":
            return value
        case "decimal":
            return value if decimals == "number" else f"round({value})::hugeint"
        case "date" | "datetime":
            return _moment(prop, value, name)
        case _:
            return f"{value}::varchar"


def _moment(prop: Property, value: str, name: str) -> str:
    if name.endswith("_time"):
        return f"floor(epoch({value}))::bigint"
    if name.endswith("_date"):
        return f"strftime({value}, '%Y-%m-%d')"
    pattern = "%Y-%m-%d" if prop.type == "date" else "%Y-%m-%dT%H:%M:%S.%gZ"
    return f"strftime({value}, '{pattern}')"


def _memberships(run: UserRun, columns: Collection[str], number: int, declared: ExportColumn) -> Taken:
    every = tuple(segment.name for segment in run.profiles.segments)
    names = every if declared.segments == "all" else declared.segments or ()
    return {f"s{number}_{name}": is_in_segment(run.profiles, name, run.now, columns) for name in names}


def _names(memberships: Mapping[str, object]) -> str:
    each = (f"case when {inside} then {quote_literal(inside.partition('_')[2])} end" for inside in memberships)
    return f"to_json(list_filter([{', '.join(each)}], lambda x: x is not null))"


def _links(run: UserRun, columns: Collection[str]) -> Taken:
    """Return what names users: of a property of several values the first."""
    props = [run.profiles.by_name[link.property] for link in run.goal.link]
    return {
        f"l{number}": func.list_extract(column_of(prop, columns), 1) if prop.multiple else column_of(prop, columns)
        for number, prop in enumerate(props)
    }


def _user(run: UserRun, links: list[str]) -> Level:
    named = zip(links, run.goal.link, strict=True)
    whens = (f"when {link} is not null then {quote_literal(declared.field)}" for link, declared in named)
    return {"id": f"coalesce({', '.join(links)})", "key": f"case {' '.join(whens)} end"}


def _line(run: UserRun, every: list[Column]) -> str:
    parts = ["'id', id", "'key', key"]
    if every:
        fields = ", ".join(f"{quote_literal(column.name)}, {column.cell}" for column in every)
        parts.append(f"'vars', json_object({fields})")
    if run.goal.lists:
        lists = ", ".join(f"{quote_literal(name)}, 1" for name in run.goal.lists)
        parts.append(f"'lists', json_object({lists})")
    return f"json_object({', '.join(parts)})::varchar"
