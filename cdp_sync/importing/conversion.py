r"""How a cell of text becomes a value of a property's type: one line of SQL for each type.

A conversion yields null where the cell does not convert; nothing is rounded, guessed or read two ways. Numbers and
dates may have spaces around them; identifiers, e-mail addresses and texts of which only some are allowed any white
space, stripped before (`strip`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cdp_sync.model import Format, Property
from cdp_sync.warehouse import quote_literal

WHITE_SPACE = " \t\n\r\v\f\u00a0\u2007\u202f\ufeff"

_TRUE = "' *(true|t|yes|y|1|on) *'"
_FALSE = "' *(false|f|no|n|0|off) *'"
_EMAIL = r"'[^@\s\x{a0}]+@[^@\s\x{a0}]+'"
_ISO_DATE = r"' *\d{4}-\d\d-\d\d *'"
_ISO_PLAIN = r"' *\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d *'"
_ISO_TIME = r"' *\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.]\d{1,6})?)?([zZ]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)? *'"
_SECONDS = r"' *[+-]?\d{1,11} *'"
_MILLISECONDS = r"' *[+-]?\d{1,14} *'"

_MOST_NAMED = 8
"""Values that a reason lists."""


@dataclass(frozen=True)
class Conversion:
    """A SQL expression over a cell, and why it yields null where it does."""

    sql: str
    reason: str
    can_fail: bool = True


def fit(prop: Property, cell: str, form: Format) -> str:
    """Return the expression for a cell as `convert` wants it, split or stripped as its property asks for.

    It is to be given a name before it is used, since conversions name it more than once.
    """
    if prop.multiple:
        parts = f"string_split({cell}, {quote_literal(form.multi_value)})" if form.multi_value else f"[{cell}]"
        trimmed = strip("part") if is_stripped(prop) else "trim(part)"
        return f"list_filter(list_transform({parts}, lambda part: {trimmed}), lambda part: part <> '')"
    return strip(cell) if is_stripped(prop) else cell


def convert(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a fitted cell: to a list of unique values where the property is `multiple`."""
    if not prop.multiple:
        return convert_one(prop, cell, form)
    each = convert_one(prop, "element", form)
    if not each.can_fail:
        return Conversion(f"nullif({unique(cell)}, [])", each.reason, can_fail=False)
    values = f"list_transform({cell}, lambda element: {each.sql})"
    listed = f"nullif({unique(values)}, [])"
    return Conversion(f"case when {no_nulls(values)} then {listed} end", each.reason)


def no_nulls(values: str) -> str:
    """Return the condition that every element of a list converted."""
    return f"not list_contains(list_transform({values}, lambda x: x is null), true)"


def convert_one(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of one value."""
    return _BY_TYPE[prop.type](prop, cell, form)


_LONG = 1_000
"""Values from which on sorting a list is quicker than to look each value up."""


def unique(values: str) -> str:
    """Return the expression for a list's values, each where it first stands. Most lists are short, and quickly told."""
    told = "len(v) < 2 or len(v) = 2 and v[1] <> v[2]"
    looked_up = "list_filter(v, lambda x, i: list_position(v, x) = i)"
    # The outer lambda gives the list a name: an expression inside the inner one is computed for each value.
    body = f"case when {told} then v when len(v) > {_LONG} then {_SORTED_OUT} else {looked_up} end"
    return f"list_transform([{values}], lambda v: {body})[1]"


_FIRST_PLACES = "list_filter(pairs, lambda pair, i: i = 1 or pairs[i - 1][1] <> pair[1])"
"""Of pairs of value and place, in order, the first of each value."""

_SORTED_OUT = f"""list_transform(
    list_transform(
        [list_sort(list_zip(v, range(1, len(v) + 1)))],
        lambda pairs: list_sort(list_transform({_FIRST_PLACES}, lambda pair: pair[2]))
    )[1],
    lambda place: v[place]
)"""


def is_stripped(prop: Property) -> bool:
    """Whether white space around a value of the property is never meant."""
    return prop.identifier or prop.type == "email" or bool(prop.among)


def is_among(value: str, words: Sequence[str]) -> str:
    """Return the condition that a value is one of the words: of many, only those of its length are looked at.

    Of a long `in (…)`, and of `list_contains` as well, DuckDB makes a join, and a join gives rows out of their order.
    """
    sizes = [len(word.encode()) for word in words]
    by_size: list[list[str]] = [[] for _ in range(max(sizes) + 1)]
    for size, word in zip(sizes, words, strict=True):
        by_size[size].append(quote_literal(word))
    lists = ", ".join(f"[{', '.join(same) or 'null'}]" for same in by_size)
    return f"coalesce(list_position([{lists}][strlen({value}) + 1], {value}), 0) > 0"


def strip(cell: str) -> str:
    """Return the expression for a cell without the white space around it; looking first saves most of the work."""
    first, last = f"ascii({cell})", f"ascii(right({cell}, 1))"
    clean = f"{first} between 33 and 126 and {last} between 33 and 126"
    return f"case when {clean} then {cell} else trim({cell}, {quote_literal(WHITE_SPACE)}) end"


def _text(prop: Property, cell: str, form: Format) -> Conversion:
    value = f"nullif({cell}, '')" if prop.identifier else cell
    if prop.among:
        return Conversion(f"case when {is_among(value, prop.among)} then {value} end", _none_of(prop.among))
    return Conversion(value, "holds a NUL byte", can_fail=False)


def _none_of(names: Sequence[str]) -> str:
    return f"not one of: {', '.join(names)}" if len(names) <= _MOST_NAMED else "no known value"


def _email(prop: Property, cell: str, form: Format) -> Conversion:
    value = f"lower({cell})"
    return Conversion(f"case when regexp_full_match({value}, {_EMAIL}) then {value} end", "no e-mail address")


def _number(prop: Property, cell: str, form: Format) -> Conversion:
    pattern = rf"' *[+-]?\d+([{form.decimal}]0*)? *'"
    value = f"try_cast({_pointed(cell, form)} as bigint)"
    return Conversion(f"case when regexp_full_match({cell}, {pattern}) then {value} end", "no whole number")


def _decimal(prop: Property, cell: str, form: Format) -> Conversion:
    mark, scale = f"[{form.decimal}]", prop.scale
    digits = rf"\d+({mark}\d{{0,{scale}}}0*)?|{mark}\d{{1,{scale}}}0*" if scale else rf"\d+({mark}0*)?"
    value = f"try_cast({_pointed(cell, form)} as {prop.value_type})"
    reason = f"no number with {form.decimal!r} and at most {scale} decimals within {prop.precision} digits"
    return Conversion(f"case when regexp_full_match({cell}, ' *[+-]?({digits}) *') then {value} end", reason)


def _pointed(cell: str, form: Format) -> str:
    return cell if form.decimal == "." else f"replace({cell}, ',', '.')"


def _boolean(prop: Property, cell: str, form: Format) -> Conversion:
    true, false = (f"when regexp_full_match(lower({cell}), {words})" for words in (_TRUE, _FALSE))
    return Conversion(f"case {true} then true {false} then false end", "neither true nor false")


def _date(prop: Property, cell: str, form: Format) -> Conversion:
    tried = ", ".join(_date_in(pattern, cell, form) for pattern in form.dates)
    return Conversion(f"coalesce({tried})", f"no such date in the form {' or '.join(form.dates)}")


def _date_in(pattern: str, cell: str, form: Format) -> str:
    if pattern == "iso":
        plain = f"when regexp_full_match({cell}, {_ISO_DATE}) then try_cast({cell} as date)"
        timed = f"when regexp_full_match({cell}, {_ISO_TIME}) then try_cast(trim({cell}) as timestamptz)::date"
        return f"case {plain} {timed} end"
    return f"{_instant_in(pattern, cell, form)}::date"


def _datetime(prop: Property, cell: str, form: Format) -> Conversion:
    tried = ", ".join(f"{_instant_in(pattern, cell, form)}::timestamptz" for pattern in form.dates)
    return Conversion(f"coalesce({tried})", f"no such date and time in the form {' or '.join(form.dates)}")


def _instant_in(pattern: str, cell: str, form: Format) -> str:
    """Read by one pattern. Values without an offset are read in the session's time zone, that of the goal.

    `try_strptime` takes ten times as long where the pattern does not fit, so all but the last look at the shape first.
    """
    if pattern == "iso":
        read = f"try_cast(trim({cell}) as timestamptz)"
        # In UTC there is no calendar to ask, which is most of the work.
        plain = f"make_timestamptz(epoch_us(try_cast({cell} as timestamp)))" if form.time_zone == "UTC" else read
        readings = ((_ISO_PLAIN, plain), (_ISO_DATE, read), (_ISO_TIME, read))
        return f"case {' '.join(f'when regexp_full_match({cell}, {shape}) then {how}' for shape, how in readings)} end"
    if pattern == "epoch_seconds":
        return f"case when regexp_full_match({cell}, {_SECONDS}) then to_timestamp(try_cast({cell} as bigint)) end"
    if pattern == "epoch_milliseconds":
        milliseconds = f"to_milliseconds(try_cast({cell} as bigint))"
        return f"case when regexp_full_match({cell}, {_MILLISECONDS}) then to_timestamp(0) + {milliseconds} end"
    read = f"try_strptime(trim({cell}), {quote_literal(pattern)})"
    if pattern == form.dates[-1]:
        return read
    return f"case when regexp_full_match(trim({cell}), {quote_literal(_shape(pattern))}) then {read} end"


def _shape(pattern: str) -> str:
    """Return a regular expression that everything in the pattern's form matches."""
    pieces = re.split("%(-?[a-zA-Z%])", pattern)
    return "".join(_SHAPES.get(piece, ".+") if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))


_SHAPES = {"Y": r"\d{4}", "%": "%"} | dict.fromkeys("ymdHIMSj", r"\d{1,3}")


_BY_TYPE = {
    "text": _text,
    "email": _email,
    "number": _number,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
