"""Keeps a lake small and quick: few files, no former states that nobody needs, nothing that the catalog does not know.

Each step has the writer's turn, so that none works beside a writer, and is a transaction of its own: ended at any
moment, it loses nothing. Readers go on. They may hold a list of files that a step replaces: a file is removed a day
after the lake stopped needing it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cdp_sync.quoting import quote_literal
from cdp_sync.warehouse.session import Session

_STILL_READ: Final = timedelta(days=1)
"""For how long a reader may need a file that was replaced, and a writer one that the catalog does not know yet."""

STEPS: Final[Mapping[str, str]] = {
    "rows moved from the catalog to files": (
        "select coalesce(sum(rows_flushed), 0) from ducklake_flush_inlined_data('warehouse')"
    ),
    "former states removed": "select count(*) from ducklake_expire_snapshots('warehouse', older_than => {kept})",
    "files merged": "select coalesce(sum(files_processed), 0) from ducklake_merge_adjacent_files('warehouse')",
    "old files removed": "select count(*) from ducklake_cleanup_old_files('warehouse', older_than => {still_read})",
    "unknown files removed": (
        "select count(*) from ducklake_delete_orphaned_files('warehouse', older_than => {still_read})"
    ),
}
"""What is done, in order, by what it counts."""


def take(session: Session, counted: str, now: datetime, keep: timedelta) -> int:
    """Take a step of the upkeep, and return what it counts.

    Args:
        session: Of a lake, with access to write.
        counted: Names the step.
        now: The time that ages are reckoned from.
        keep: How long former states stay; the latest always stays.
    """
    ages = {"kept": keep, "still_read": _STILL_READ}
    times = {name: f"{quote_literal((now - age).isoformat())}::timestamptz" for name, age in ages.items()}
    return int(session.value(STEPS[counted].format(**times)))
