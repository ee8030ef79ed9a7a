"""How a cell of text becomes a value of a property's type: one line of SQL for each type.

A cell of white space alone is no value. Numbers and dates may have spaces around them; identifiers, e-mail addresses
and texts of which only some are allowed any white space, stripped before.
"""

from cdp_sync.importing.converting.addresses import convert_email
from cdp_sync.importing.converting.cell import Conversion, is_among, is_visible, strip
from cdp_sync.importing.converting.dates import convert_date, convert_datetime
from cdp_sync.importing.converting.lists import elements, no_nulls, unique
from cdp_sync.importing.converting.numbers import convert_decimal, convert_number
from cdp_sync.importing.converting.text import convert_boolean, convert_text
from cdp_sync.model import Format, Property

__all__ = ["Conversion", "convert", "convert_one", "fit", "has_value", "is_among", "no_nulls", "unique"]


def fit(prop: Property, cell: str, form: Format) -> str:
    """Return the expression for a cell as `convert` wants it, split or stripped as its property asks for.

    It is to be given a name before it is used, since conversions name it more than once.
    """
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
    """Return the conversion of a list: all of it, or nothing where one element does not convert.

    `each` converts the element named `element`, `values` are the elements that count, `cell` is the fitted cell.
    """
    converted = f"list_transform({values}, lambda {element}: {each.sql})"
    sql = f"case when {no_nulls(converted)} then nullif({unique(converted)}, []) end"
    causes = tuple((f"len(list_filter({cell}, lambda {element}: {when})) > 0", why) for when, why in each.causes)
    if form.json_lists:
        causes = ((f"list_contains(list_transform({cell}, lambda x: x is null), true)", _NO_ARRAY), *causes)
    return Conversion(sql, each.reason, causes=causes)


_NO_ARRAY = "not a JSON array of texts, numbers and truth values"


def convert_one(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of one value."""
    return _BY_TYPE[prop.type](prop, cell, form)


def _is_stripped(prop: Property, form: Format) -> bool:
    """Whether white space around a value of the property is never meant."""
    return form.trim or prop.identifier or prop.type == "email" or bool(prop.among)


_BY_TYPE = {
    "text": convert_text,
    "email": convert_email,
    "number": convert_number,
    "decimal": convert_decimal,
    "boolean": convert_boolean,
    "date": convert_date,
    "datetime": convert_datetime,
}
