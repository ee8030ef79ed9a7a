"""What a platform has for an import goal, as `cdp-sync scan` shows it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SourceLook:
    """What there is to import, as a table.

    Args:
        noun: What a row is, such as `list`; with an s it names the rows in JSON.
        columns: Names of the columns.
        rows: One for each thing that the goal names.
        summary: How much there is, in a few words.
    """

    noun: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    summary: str
