"""What to say of a name that is not one of those there are: the likeliest of them, and all."""

import difflib
from collections.abc import Iterable


def allowed(found: str, names: Iterable[str]) -> str:
    """Return what could be in its place, the likeliest first, as a problem of a declaration says it.

    >>> allowed("sett", ["set", "sum"])
    "did you mean 'set'? allowed: set, sum"
    """
    names = list(names)
    return f"{_hint(found, names, 'did you mean {!r}? ')}allowed: {', '.join(names) or 'none is declared'}"


def one_of(found: str, names: Iterable[str], none: str = "None is declared.") -> str:
    """Return the same as sentences, as an error says it; `none` is what it says where there are no names.

    >>> one_of("shopp", ["shop", "tokyo"])
    "Did you mean 'shop'? One of these is needed: shop, tokyo."
    """
    names = list(names)
    if not names:
        return none
    return f"{_hint(found, names, 'Did you mean {!r}? ')}One of these is needed: {', '.join(names)}."


def _hint(found: str, names: list[str], sentence: str) -> str:
    close = difflib.get_close_matches(found, names, n=1)
    return sentence.format(close[0]) if close else ""
