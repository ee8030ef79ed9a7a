r"""What counts as an e-mail address, in links, in mapped cells and in processors alike.

An address is `local@domain`, ASCII in lower case:

- the local part is one or more pieces with dots between them (RFC 5321's dot-string): letters and digits of any script
  and ``!#$%&'*+/=?^_`{|}~-``, at most 64 bytes, without an apostrophe at its ends;
- the domain is labels with dots between them, as HTML has them for `<input type=email>`: letters and digits of any
  script, hyphens inside. A single label will do (`ann@localhost`); the last one holds a letter. A domain beyond ASCII
  is stored as DNS knows it (IDNA): `bücher.example` is `xn--bcher-kva.example`.

Letters beyond ASCII keep their case in the local part: `İ@x.io`, `i̇@x.io` and `i@x.io` are three addresses.

Before, white space and format characters (zero-width, direction marks, soft hyphens) are taken away, and what is only
wrapped around an address: a name before angle brackets, the brackets, quotes, `mailto:`, and the second time that
Outlook writes an address (`a@b.c#mailto:a@b.c#`). Everything else is no e-mail address; two addresses are none either.
"""

from string import ascii_lowercase, ascii_uppercase

from cdp_sync.processing.text import naming, strip
from cdp_sync.warehouse import quote_literal

_SIGNS = "!#$%&*+/=?^_`{|}~-"


def _shape(letters: str, letter: str, signs: str) -> str:
    """Return the regular expression of an address, given its letters and digits, its letters, its further signs."""
    piece, label = f"[{letters}{signs}]+", f"[{letters}]([{letters}-]*[{letters}])?"
    last_label = f"([{letters}][{letters}-]*)?[{letter}]([{letters}-]*[{letters}])?"
    return quote_literal(rf"{piece}(\.{piece})*@({label}\.)*{last_label}")


_USUAL = _shape("a-zA-Z0-9", "a-zA-Z", _SIGNS)
"""Most addresses: in ASCII, without an apostrophe."""
_ADDRESS = _shape("a-zA-Z0-9[:^ascii:]", "a-zA-Z[:^ascii:]", f"'{_SIGNS}")
_NO_LETTER_OR_DIGIT = quote_literal(r"[^\p{L}\p{M}\p{N}[:ascii:]]")
_LETTER_AT_END = quote_literal(r"\p{L}[^.@]*$")
"""Not within the shape, which has letters in ten places: RE2 takes 3 ms for the letters of all scripts in one."""

_QUOTES = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))
_OUTLOOK = "#mailto:"
_MOST_WRAPPINGS = 3
"""Wrappings around each other, such as quotes around brackets around `mailto:`."""


def address_of(cell: str) -> str:
    """Return the expression for the address in a cell as it is stored, null where it is none."""
    bare = naming(_unwrapped(cell), "bare", _in_ascii)
    closer = naming(bare, "address", lambda address: f"case when strlen({address}) <= 254 then {address} end")
    usual = f"strlen({cell}) <= 64 and regexp_full_match({cell}, {_USUAL})"
    return f"case when {usual} then lower({cell}) when {cell} <> '' then {closer} end"


def _in_ascii(text: str) -> str:
    """Return the expression for an address with its domain in ASCII, null where it is none."""
    apostrophe = f"starts_with({text}, '''') or contains({text}, '''@')"
    local, domain = (f"split_part({text}, '@', {number})" for number in (1, 2))
    other = f"regexp_matches({text}, {_NO_LETTER_OR_DIGIT}) or not regexp_matches({text}, {_LETTER_AT_END})"
    return f"""case
        when not regexp_full_match({text}, {_ADDRESS}) or {other} or {apostrophe} or strlen({local}) > 64 then null
        when regexp_full_match({domain}, '[[:ascii:]]*') then {text}
        else {local} || '@' || ascii_domain({domain}) end"""


def _unwrapped(cell: str) -> str:
    """Return the expression for what is left of a cell when invisible characters and wrappings are gone."""
    lowered = f"translate({cell}, '{ascii_uppercase}', '{ascii_lowercase}')"
    text = naming(rf"regexp_replace({lowered}, '\p{{Cf}}', '', 'g')", "seen", strip)
    for number in range(_MOST_WRAPPINGS):
        text = naming(text, f"wrapped{number}", _unwrapped_once)
    return text


def _unwrapped_once(text: str) -> str:
    """Return the expression for a text without its outermost wrapping."""
    half = f"split_part({text}, '{_OUTLOOK}', 1)"
    quoted = " ".join(
        f"when starts_with({text}, {quote_literal(first)}) and ends_with({text}, {quote_literal(last)}) "
        f"and len({text}) > 1 then trim({text}[2:-2])"
        for first, last in _QUOTES
    )
    return f"""case
        when regexp_full_match({text}, '[^<>@]*<[^<>]*>') then trim(regexp_extract({text}, '<([^<>]*)>', 1))
        when starts_with({text}, 'mailto:') then trim({text}[8:])
        when {text} = concat({half}, '{_OUTLOOK}', {half}, '#') then {half}
        {quoted}
        else {text} end"""
