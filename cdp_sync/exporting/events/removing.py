"""Removes files from the server that were delivered long ago: those of this goal, and only as it delivered them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Protocol

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting.run import EventRun
from cdp_sync.model.remote import Removal
from cdp_sync.warehouse import Step, statement


class Remover(Protocol):
    """What removing needs of a server."""

    def remove_delivered(self, path: str, size: int, sha256: str) -> Removal:
        """Remove a file, if its content is still the one that was delivered."""


@dataclass(frozen=True)
class RemovedFile:
    """A file that is kept no longer: whether it is gone, or somebody else's by now."""

    path: str
    delivered_by: str
    """The run that delivered it last."""
    outcome: Removal


def old_file_steps(run: EventRun) -> tuple[Step, ...]:
    """Return the step that stages the goal's files that are kept no longer: by the time of their last delivery.

    A day that is delivered again is kept as long as any other file.
    """
    if run.goal.keep_days is None:
        return ()
    before = run.now.astimezone(UTC) - timedelta(days=run.goal.keep_days)
    values = {"connection": run.connection, "goal": run.goal.name, "before": before}
    return (Step("old_file", statement("exporting/events/outdated"), values),)


def remove_old_files(
    run: EventRun,
    server: Callable[[], Remover],
    delivered: Collection[str],
    warn: Callable[[str], object] = lambda _: None,
) -> tuple[RemovedFile, ...]:
    """Remove the goal's old files, but those that this run has delivered again; return the outcome of each.

    `server` is called only where there are any. A file that cannot be removed does not fail the delivery: `warn`
    receives a sentence, and the next run tries again.
    """
    if run.goal.keep_days is None:
        return ()
    with run.open("none") as session:
        query = "select path, size, sha256, delivered_by from staging.old_file order by path"
        files = [row for row in session.rows(query) if row[0] not in delivered]
    removed = []
    for path, size, sha256, delivered_by in files:
        try:
            removed.append(RemovedFile(path, delivered_by, server().remove_delivered(path, size, sha256)))
        except CdpSyncError as error:
            warn(f"{path!r} is kept no longer and cannot be removed; the next run tries again. {error}")
    return tuple(removed)
