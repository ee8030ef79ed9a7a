"""Cells of `multiple` properties: how they fall into elements, and each value once."""

from cdp_sync.importing.converting.cell import is_visible, strip
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import quote_literal

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


def no_nulls(values: str) -> str:
    """Return the condition that every element of a list converted."""
    return f"not list_contains(list_transform({values}, lambda x: x is null), true)"


def elements(prop: Property, cell: str, form: Format, *, stripped: bool) -> str:
    """Return the expression for the elements of a cell, those of white space alone left out.

    A cell that should be a JSON array and is none has null as its only element.
    """
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
    """Return the expression for a JSON value as a cell of the format has it."""
    cases = [f"when starts_with({token}, '\"') then json_extract_string({token}, '$')"]
    if prop.type == "boolean" and form.booleans:
        words = (("true", form.booleans.true[0]), ("false", form.booleans.false[0]))
        cases += [f"when {token} = '{word}' then {quote_literal(written)}" for word, written in words]
    plain = token if form.decimal == "." else f"replace({token}, '.', {quote_literal(form.decimal)})"
    return f"case {' '.join(cases)} else {plain} end"
