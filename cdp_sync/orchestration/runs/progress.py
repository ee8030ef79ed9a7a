"""What follows a run in this process while it runs: nothing, unless the command line does."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cdp_sync.model import RemoteFile, Report

if TYPE_CHECKING:
    from cdp_sync.merging import Merges


class Watcher:
    """Receives what a run does, while the run does it. This one keeps the reports and shows nothing."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        """By the goal's unique name."""
        self.merges: Merges | None = None
        """Of a run that did what a person decided."""

    def phase(self, goal: str, doing: str) -> None:
        """A goal has begun a step."""

    def expects(self, goal: str, files: tuple[RemoteFile, ...]) -> None:
        """These files are going to be fetched or sent."""

    def arrived(self, goal: str, file: RemoteFile, size: int) -> None:
        """So many bytes of a file have been fetched or sent."""

    def done(self, goal: str, report: Report) -> None:
        """A goal is done, or has failed."""
        self.reports[goal] = report

    def decided(self, merges: "Merges") -> None:
        """Profiles were merged or unmerged by hand."""
        self.merges = merges


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def watcher() -> Watcher:
    """Return the watcher of this process."""
    return _watcher.get() or Watcher()


@contextmanager
def watched_by(watching: Watcher) -> Iterator[None]:
    """Report to a watcher what the runs of this process do inside the block."""
    token = _watcher.set(watching)
    try:
        yield
    finally:
        _watcher.reset(token)
