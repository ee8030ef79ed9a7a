"""Expressions over text that conversions and processors share: white space, words, names for expressions."""

from collections.abc import Callable, Sequence

from cdp_sync.model.format import WHITE_SPACE
from cdp_sync.warehouse import quote_literal


def strip(cell: str) -> str:
    """Return the expression for a cell without the white space around it; looking first saves most of the work."""
    clean = f"{_begins_visibly(cell)} and {cell}[-1] between '!' and '~'"
    return f"case when {clean} then {cell} else {_trimmed(cell)} end"


def is_visible(cell: str) -> str:
    """Return the condition that a cell is more than white space; its first character mostly decides.

    A `case`, because both sides of an `or` may be computed for every cell.
    """
    return f"case when {_begins_visibly(cell)} then true else {_trimmed(cell)} <> '' end"


def visible(cell: str) -> str:
    """Return the expression for a cell, null where it is white space alone."""
    return f"case when {_begins_visibly(cell)} then {cell} when {_trimmed(cell)} <> '' then {cell} end"


def _begins_visibly(cell: str) -> str:
    """Return the condition that a cell begins with a visible character of ASCII; the others are looked at closely.

    DuckDB compares texts by their bytes, of which it has the first four at hand.
    """
    return f"{cell} between '!' and '~'"


def _trimmed(cell: str) -> str:
    return f"trim({cell}, {quote_literal(WHITE_SPACE)})"


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


def naming(value: str, name: str, body: Callable[[str], str]) -> str:
    """Return the expression `body` over a value that is computed once and has a name in it."""
    return f"list_transform([{value}], lambda {name}: {body(name)})[1]"
