"""What tables on a terminal share: the form of times, marks, and lines below a title."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cdp_sync.printing import print_table, say

TIME = "%Y-%m-%d %H:%M:%S"

DONE, FAILED, WARNING = ("✓", "green"), ("✗", "red"), ("!", "yellow")

_UNSET = "∅"


def print_indented(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table below a title."""
    print_table((f"  {columns[0]}", *columns[1:]), [(f"  {row[0]}", *row[1:]) for row in rows])


def print_changed(changed: Iterable[Mapping[str, Any]], *, indent: int) -> None:
    """Show the values that changed, each before and after."""
    for each in changed:
        before, after = (_UNSET if each[name] is None else each[name] for name in ("before", "after"))
        say(f"{' ' * indent}{each['property']}: {before} → {after}")
