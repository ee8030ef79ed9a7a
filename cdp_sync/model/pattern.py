"""Regular expressions that authors declare, in RE2's syntax."""

from functools import cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator


@cache
def compile_pattern(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    """Return a regular expression, whose `fullmatch` asks for the whole name.

    RE2 takes linear time for every pattern that it compiles. Python's own engine takes exponential time for patterns
    such as `(a+)+b`, and nothing can stop it.

    Raises:
        ValueError: RE2 cannot compile it.
    """
    options = re2.Options()
    options.log_errors = False  # to standard error
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        (reason,) = error.args
        words = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(
            f"found {pattern!r}, no regular expression that RE2 can match: {words}; "
            "lookahead, lookbehind and backreferences are not allowed, and \\z is written for the end"
        ) from None


Regex = Annotated[str, AfterValidator(lambda text: compile_pattern(text) and text)]
"""A regular expression that RE2 can compile, as text."""
