"""Text, e-mail addresses, truth values, and identifiers that a program ruined before they were written."""

from cdp_sync.importing.converting.cell import Conversion, is_among, visible
from cdp_sync.model import Format, Property
from cdp_sync.processing.addresses import address_of
from cdp_sync.warehouse import quote_literal

_TRUE = r"'\p{Zs}*(true|t|yes|y|1|on)\p{Zs}*'"
_FALSE = r"'\p{Zs}*(false|f|no|n|0|off)\p{Zs}*'"

_SCIENTIFIC = r"[+-]?\d([.,]\d+)?[eE][+]?\d+"
_LETTER = r"A-Za-z\x{c0}-\x{1fff}\x{3001}-\x{d7ff}"
"""Of ASCII, and whatever stands where scripts are: with exactly their letters RE2 takes 7 ms for each such pattern."""
_SHEET_ERROR = rf"#([{_LETTER}]/[{_LETTER}]!?|(?i:NV|GETTING_DATA)|[¡¿]?[{_LETTER}][{_LETTER}/0]*[!?])"
"""In any language: `#N/A` is also `#N/D` and `#NV`, `#REF!` also `#BEZUG!` and `#¡REF!`."""
_NOTHING = r"(?i:nan|nil|undefined|\(null\)|<null>|\[null\]|<na>|\\N)"
_RUINED = f"{_SCIENTIFIC}|{_SHEET_ERROR}|{_NOTHING}"

_CAUSES = (
    (_SCIENTIFIC, "ruined by a spreadsheet: scientific notation, digits are lost; export the column as text"),
    (_SHEET_ERROR, "ruined by a spreadsheet: the error of a formula stands in place of the value"),
    (_NOTHING, "a word by which programs write that there is no value"),
)

ROUNDED = "[0-9]{10,}0{5}"
"""An identifier of 15 digits or more whose last ones are zeros, as a spreadsheet leaves it that keeps 15 digits."""

_MOST_NAMED = 8
"""Values that a reason lists."""


def ruin_causes(cell: str) -> tuple[tuple[str, str], ...]:
    """Return the ways in which an identifier can be ruined, each as a condition and its reason."""
    return tuple((f"regexp_full_match({cell}, {quote_literal(shape)})", reason) for shape, reason in _CAUSES)


def convert_text(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a text: as it stands, one of those allowed, or an identifier that is not ruined."""
    if prop.among:
        many = len(prop.among) > _MOST_NAMED
        reason = "not a known value" if many else f"not one of: {', '.join(prop.among)}"
        return Conversion(f"case when {is_among(cell, prop.among)} then {cell} end", reason)
    if prop.identifier:
        # A ruined identifier is many people's at once, and nobody's.
        ruined = f"regexp_full_match({cell}, {quote_literal(_RUINED)})"
        sound = f"case when not {ruined} then nullif({cell}, '') end"
        return Conversion(sound, "not an identifier", causes=ruin_causes(cell))
    return Conversion(visible(cell), "holds a NUL byte", can_fail=False)


def convert_email(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of an e-mail address; `cdp_sync.processing.addresses` says what one is."""
    return Conversion(address_of(cell), "not an e-mail address", causes=ruin_causes(cell))


def convert_boolean(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a truth value, by the usual words or those declared."""
    reason = "neither true nor false"
    if form.booleans is None:
        conditions = [f"regexp_full_match(lower({cell}), {words})" for words in (_TRUE, _FALSE)]
    else:
        known = (form.booleans.true, form.booleans.false)
        conditions = [is_among(f"lower(trim({cell}))", [word.strip().lower() for word in words]) for words in known]
    return Conversion(f"case when {conditions[0]} then true when {conditions[1]} then false end", reason)
