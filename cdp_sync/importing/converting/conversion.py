"""How a cell of text becomes a value of a property's type: one line of SQL for each type.

A cell of white space alone is no value. Numbers and dates may have spaces around them; identifiers, e-mail addresses
and texts of which only some are allowed any white space, stripped before.
"""

from cdp_sync.importing.converting.cell import Conversion, is_among, is_visible, strip
from cdp_sync.importing.converting.dates import convert_date, convert_datetime
from cdp_sync.importing.converting.numbers import convert_decimal, convert_number
from cdp_sync.importing.converting.text import convert_boolean, convert_email, convert_text
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import quote_literal

__all__ = ["Conversion", "convert", "convert_one", "fit", "has_value", "is_among", "unique"]


def fit(prop: Property, cell: str, form: Format) -> str:
    """Return the expression for a cell as `convert` wants it. Name it before use: conversions repeat it."""
    stripped = _is_stripped(prop, form)
    if stripped or prop.multiple or prop.type != "text":
        words = [word for word in form.nulls if word]
        cell = f"case when not {is_among(strip(cell), words)} then {cell} end" if words else cell
    if prop.multiple:
        return elements(prop, cell, form, stripped=stripped)
    return strip(cell) if stripped else cell


def has_value(prop: Property, cell: str, form: Format) -> str:
    """Return the condition that a fitted cell holds a value."""
    if prop.multiple:
        return f"len({cell}) > 0"
    return f"{cell} <> ''" if _is_stripped(prop, form) else is_visible(cell)


def convert(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a fitted cell: to a list of unique values where the property is `multiple`."""
    if not prop.multiple:
        return convert_one(prop, cell, form)
    each = convert_one(prop, "element", form)
    if not each.can_fail and not form.json_lists:
        return Conversion(f"nullif({unique(cell)}, [])", each.reason, can_fail=False)
    return convert_list(each, "element", cell, cell, form)


def convert_list(each: Conversion, element: str, values: str, cell: str, form: Format) -> Conversion:
    """Return the conversion of a list of `values`, all or nothing; `each` converts one `element`, `cell` is fitted."""
    converted = f"list_transform({values}, lambda {element}: {each.sql})"
    sql = f"case when not {_has_null(converted)} then nullif({unique(converted)}, []) end"
    causes = tuple((f"len(list_filter({cell}, lambda {element}: {when})) > 0", why) for when, why in each.causes)
    if form.json_lists:
        causes = ((_has_null(cell), _NO_ARRAY), *causes)
    return Conversion(sql, each.reason, causes=causes)


def _has_null(values: str) -> str:
    return f"list_contains(list_transform({values}, lambda x: x is null), true)"


_NO_ARRAY = "not a JSON array of texts, numbers and truth values"


def convert_one(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of one value."""
    return _BY_TYPE[prop.type](prop, cell, form)


def _is_stripped(prop: Property, form: Format) -> bool:
    """Whether white space around a value of the property is never meant."""
    return form.trim or prop.identifier or prop.type in ("email", "group") or bool(prop.among)


_BY_TYPE = {
    "text": convert_text,
    "group": convert_text,
    "email": convert_email,
    "number": convert_number,
    "decimal": convert_decimal,
    "boolean": convert_boolean,
    "date": convert_date,
    "datetime": convert_datetime,
}

_LONG = 1_000
"""Values from which on sorting a list is quicker than to look each value up."""

_FIRST_PLACES = "list_filter(pairs, lambda pair, i: i = 1 or pairs[i - 1][1] <> pair[1])"
"""Of pairs of value and place, in order, the first of each value."""

_SORTED_OUT = f"""list_transform(
    list_transform(
        [list_sort(list_zip(v, range(1, len(v) + 1)))],
        lambda pairs: list_sort(list_transform({_FIRST_PLACES}, lambda pair: pair[2]))
    )[1],
    lambda place: v[place]
)"""

_HEX = "[0-9a-fA-F]"
_NOT_ZERO = rf"000[1-9a-fA-F]|00[1-9a-fA-F]{_HEX}|0[1-9a-fA-F]{_HEX}{{2}}|[1-9abceABCEfF]{_HEX}{{3}}"
_ONE_UNIT = rf"u(?:{_NOT_ZERO}|[dD][0-7]{_HEX}{{2}})"
_TWO_UNITS = rf"u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"
"""A character is written as one unit or, beyond U+FFFF, as two; half of one is none, and a NUL is not stored."""
_STRING = rf'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|{_ONE_UNIT}|{_TWO_UNITS}))*"'
_SCALAR = rf"{_STRING}|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null"
_SPACE = r"[ \t\r\n]*"
_ARRAY = rf"{_SPACE}\[{_SPACE}(?:(?:{_SCALAR})(?:{_SPACE},{_SPACE}(?:{_SCALAR}))*)?{_SPACE}\]{_SPACE}"
"""A JSON array of values that are no objects and no arrays."""


def unique(values: str) -> str:
    """Return the expression for a list's values, each where it first stands. Most lists are short: two comparisons."""
    short = "len(v) < 2 or len(v) = 2 and v[1] <> v[2]"
    looked_up = "list_filter(v, lambda x, i: list_position(v, x) = i)"
    # The outer lambda gives the list a name: an expression inside the inner one is computed for each value.
    body = f"case when {short} then v when len(v) > {_LONG} then {_SORTED_OUT} else {looked_up} end"
    return f"list_transform([{values}], lambda v: {body})[1]"


def elements(prop: Property, cell: str, form: Format, *, stripped: bool) -> str:
    """Return the expression for a cell's visible elements; `[null]` of one that should be a JSON array and is none."""
    if form.json_lists:
        return _json_elements(prop, cell, form, stripped=stripped)
    parts = f"string_split({cell}, {quote_literal(form.multi_value)})" if form.multi_value else f"[{cell}]"
    trimmed = strip("part") if stripped else "trim(part)"
    return f"list_filter(list_transform({parts}, lambda part: {trimmed}), lambda part: {is_visible('part')})"


def _json_elements(prop: Property, cell: str, form: Format, *, stripped: bool) -> str:
    tokens = f"regexp_extract_all({cell}, {quote_literal(_SCALAR)})"
    named = f"list_filter({tokens}, lambda token: token <> 'null')"
    texts = f"list_transform({named}, lambda token: {_text_of('token', prop, form)})"
    if stripped:
        texts = f"list_transform({texts}, lambda part: {strip('part')})"
    held = f"list_filter({texts}, lambda part: {is_visible('part')})"
    is_array = f"regexp_full_match({cell}, {quote_literal(_ARRAY)})"
    return f"case when {is_array} then {held} when {is_visible(cell)} then [null::varchar] end"


def _text_of(token: str, prop: Property, form: Format) -> str:
    cases = [f"when starts_with({token}, '\"') then json_extract_string({token}, '$')"]
    if prop.type == "boolean" and form.booleans:
        words = (("true", form.booleans.true[0]), ("false", form.booleans.false[0]))
        cases += [f"when {token} = '{word}' then {quote_literal(written)}" for word, written in words]
    plain = token if form.decimal == "." else f"replace({token}, '.', {quote_literal(form.decimal)})"
    return f"case {' '.join(cases)} else {plain} end"
