"""How messages name the columns of a file: a header may be a person's row by mistake, and no message shows that."""

import re
from collections.abc import Iterable

_PERSONAL = re.compile(r"\S@\S|\d(?:[ ()./+-]*\d){6}")
"""An address, or a number of seven digits or more, such as a telephone's or a customer's."""


def shown(name: str) -> str:
    """Return a column's name in quotes, or what stands for it.

    >>> shown("First name"), shown("ada@example.com"), shown("+31 6 1234 5678")
    ("'First name'", '(a name like personal data)', '(a name like personal data)')
    """
    return "(a name like personal data)" if _PERSONAL.search(name) else repr(name)


def listed(names: Iterable[str]) -> str:
    """Return columns' names with commas between them; those that are not shown only once."""
    return ", ".join(dict.fromkeys(map(shown, names)))
