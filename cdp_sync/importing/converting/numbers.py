"""Whole numbers and exact decimals.

A cell of digits with the format's decimal sign is read at once. Any other is cleaned of white space around it and of
what the format declares (a currency, a sign at the end or parentheses, groups of three digits), then read by the same
rule: a cell that is anything else stays invalid.
"""

import re
from collections.abc import Callable

from cdp_sync.importing.converting.cell import Conversion, naming, strip
from cdp_sync.importing.converting.text import ruin_causes
from cdp_sync.model import Format, Property, counted
from cdp_sync.warehouse import quote_literal

_SPACES = r"\x{20}\x{a0}\x{2007}\x{2009}\x{202f}"
_GROUPING = {".": ".", ",": ",", "'": "'\u2019", "\u2019": "'\u2019"}
"""What stands between groups of digits, by the declared sign; any other one is a space, and so are its kinds."""


def convert_number(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a 64-bit integer; nothing but zeros may follow a decimal sign."""
    causes = ruin_causes(cell) if prop.identifier else ()
    return Conversion(_read(cell, form, rf"\d+([{form.decimal}]0*)?", "bigint"), "not a whole number", causes=causes)


def convert_decimal(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of an exact number that fits the property's digits."""
    mark, scale = f"[{form.decimal}]", prop.scale
    digits = rf"\d+({mark}\d{{0,{scale}}}0*)?|{mark}\d{{1,{scale}}}0*" if scale else rf"\d+({mark}0*)?"
    decimals, all_digits = counted(scale, "decimal"), counted(prop.precision, "digit")
    reason = f"not a number with {form.decimal!r} and at most {decimals} within {all_digits}"
    return Conversion(_read(cell, form, digits, prop.value_type), reason)


def _read(cell: str, form: Format, digits: str, kind: str) -> str:
    def reading(text: str, spaces: str) -> str:
        pattern = quote_literal(f"{spaces}[+-]?({digits}){spaces}")
        pointed = text if form.decimal == "." else f"replace({text}, ',', '.')"
        return f"when regexp_full_match({text}, {pattern}) then try_cast({pointed} as {kind})"

    closer = _closer(cell, form, lambda text: f"case {reading(text, '')} end")
    return f"case {reading(cell, ' *')} when {cell} is not null then {closer} end"


def _closer(cell: str, form: Format, read: Callable[[str], str]) -> str:
    """Return the expression for a number that is written in one of the format's other ways."""
    cleaned = strip(cell)
    if form.currency:  # one is taken away, from the beginning or from the end, where it may stand inside a sign
        signs = "|".join(re.escape(sign) for sign in sorted(form.currency, key=len, reverse=True))
        spaces = f"[{_SPACES}]*"
        either_end = rf"^([(+-]*)(?i:{signs}){spaces}(.*)$|^(.*?){spaces}(?i:{signs})([)-]*)$"
        cleaned = rf"regexp_replace({cleaned}, {quote_literal(either_end)}, '\1\2\3\4')"
    if "parentheses" in form.negative:
        cleaned = rf"regexp_replace({cleaned}, '^\((.*)\)$', '-\1')"
    if "trailing_minus" in form.negative:
        cleaned = rf"regexp_replace({cleaned}, '^([^+-].*)-$', '-\1')"
    if form.thousands is None:
        return naming(cleaned, "cleaned", read)
    mark = f"[{_GROUPING.get(form.thousands, _SPACES)}]"
    grouped = quote_literal(rf"[+-]?\d{{1,3}}({mark}\d{{3}})+([{form.decimal}]\d*)?")

    def joined(text: str) -> str:
        digits = f"regexp_replace({text}, {quote_literal(mark)}, '', 'g')"
        return f"case when regexp_full_match({text}, {grouped}) then {digits} else {text} end"

    return naming(naming(cleaned, "cleaned", joined), "joined", read)
