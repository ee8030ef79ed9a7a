r"""Names of files as text, also those that are not UTF-8.

A byte that is not UTF-8 stands as `\xe9`. So that every text means one name only, backslashes before what could be read
as such an escape are doubled; all other names stand as they are.

>>> as_text(b"caf\xe9.csv"), as_text(rb"caf\xe9.csv"), as_text(rb"a\b.csv")
('caf\\xe9.csv', 'caf\\\\xe9.csv', 'a\\b.csv')
"""

import re

_ESCAPE = r"x[89a-f][0-9a-f]"
_ESCAPE_LIKE = re.compile(rf"(\\+)(?={_ESCAPE})")
_AFTER_BACKSLASHES = re.compile(r"(\\*)([\udc80-\udcff])")
_ESCAPED = re.compile(rf"(\\+)({_ESCAPE})")


def as_text(name: bytes) -> str:
    """Return a name or path as text."""
    text = _ESCAPE_LIKE.sub(r"\1\1", name.decode("utf-8", "surrogateescape"))
    return _AFTER_BACKSLASHES.sub(lambda found: f"{found[1] * 2}\\x{ord(found[2]) - 0xDC00:02x}", text)


def as_bytes(text: str) -> bytes:
    """Return the name or path that a text stands for; the opposite of `as_text`."""

    def unescaped(found: re.Match[str]) -> str:
        half, odd = divmod(len(found[1]), 2)
        return "\\" * half + (chr(0xDC00 + int(found[2][1:], 16)) if odd else found[2])

    return _ESCAPED.sub(unescaped, text).encode("utf-8", "surrogateescape")
