"""What people see while a warehouse is dumped or restored, and after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cdp_sync.model.counting import counted
from cdp_sync.printing import errors, print_table, say

if TYPE_CHECKING:
    from cdp_sync.warehouse.dumping import Manifest, Table


@contextmanager
def show_tables() -> Iterator[Callable[["Table"], object]]:
    """Yield what is to be called after each table: on a terminal it shows the last one."""
    if not errors.is_terminal:
        yield lambda table: None
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status("…", spinner="dots" if errors.is_unicode else "line") as status:
        yield lambda table: status.update(f"{table.name}: {counted(table.rows, 'row')}")


def print_manifest(what: str, manifest: "Manifest") -> None:
    """Show how many rows each table has, and their digests; tables without rows are counted."""
    filled = [table for table in manifest.tables if table.rows]
    print_table(("table", "rows", "digest"), [(table.name, table.rows, table.digest) for table in filled])
    empty = counted(len(manifest.tables) - len(filled), "empty table")
    say(f"{what}: {counted(manifest.rows, 'row')} of {counted(len(filled), 'table')}, and {empty}.")
