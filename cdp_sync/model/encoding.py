"""Encodings of text by name: which may be declared, and the one name that each has here."""

import codecs
import difflib
from encodings.aliases import aliases
from functools import cache

_OWN_NAMES = {"utf-8-sig": "utf-8", "iso8859-1": "latin-1", "cp1252": "windows-1252"}
"""Names that differ from Python's. Fingerprints hold them, so they stay."""
_CODECS = {"utf-8": "utf-8-sig"}
"""Codecs that differ from what the name says: a byte order mark is accepted."""

_NO_FILES = frozenset(
    ("charmap", "idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
)
"""Codecs for text that no file is written in, or whose meaning depends on the machine."""

_OFTEN = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "windows-1252", "iso-8859-15", "cp1250", "shift_jis")


def canonical_encoding(name: str) -> str:
    """Return the one name of an encoding, so that two spellings of it have the same fingerprint.

    >>> canonical_encoding("UTF8"), canonical_encoding("ISO-8859-15"), canonical_encoding("cp1252")
    ('utf-8', 'iso8859-15', 'windows-1252')

    Raises:
        ValueError: Python knows no encoding of text by that name.
    """
    found = _text_codec(name)
    if found is None or found.name in _NO_FILES:
        close = difflib.get_close_matches(name.lower(), _names(), n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(close)}?" if close else f"allowed are {', '.join(_OFTEN)} and others"
        raise ValueError(f"found {name!r}, no encoding of text by that name; {hint}")
    return _OWN_NAMES.get(found.name, found.name)


def codec_of(encoding: str) -> codecs.CodecInfo:
    """Return Python's codec for a canonical name."""
    return codecs.lookup(_CODECS.get(encoding, encoding))


def _text_codec(name: str) -> codecs.CodecInfo | None:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):  # a name with a NUL is a ValueError
        return None
    # Only since Python 3.13 is there a public way to ask; what encodes bytes, such as base64, says so here.
    return found if found._is_text_encoding else None  # noqa: SLF001


@cache
def _names() -> tuple[str, ...]:
    known = {name.replace("_", "-") for pair in aliases.items() for name in pair}
    usable = sorted(name for name in known if (found := _text_codec(name)) and found.name not in _NO_FILES)
    return tuple(dict.fromkeys((*_OFTEN, *usable)))
