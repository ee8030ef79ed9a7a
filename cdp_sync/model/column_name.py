"""The names of columns in messages: a header that is no header may hold a person's data."""

import re

_PERSONAL = re.compile(r"\S@\S|\d(?:[ ()./+-]*\d){6}")
"""An address, or a number of seven digits or more, such as a telephone's or a customer's."""


def shown(name: str) -> str:
    """Return a column's name in quotes, or what stands for it.

    >>> shown("First name"), shown("ada@example.com"), shown("+31 6 1234 5678")
    ("'First name'", '(a name like personal data)', '(a name like personal data)')
    """
    return "(a name like personal data)" if _PERSONAL.search(name) else repr(name)
