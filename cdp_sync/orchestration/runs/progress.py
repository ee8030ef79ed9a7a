"""What follows a run in this process while it runs: nothing, unless the command line does."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from cdp_sync.model import RemoteFile, Report


class Watcher(Protocol):
    """Receives what a run does, while the run does it."""

    def phase(self, goal: str, doing: str) -> None:
        """A goal has begun a step."""

    def expects(self, goal: str, files: tuple[RemoteFile, ...]) -> None:
        """These files are going to be fetched or sent."""

    def arrived(self, goal: str, file: RemoteFile, size: int) -> None:
        """So many bytes of a file have been fetched or sent."""

    def done(self, goal: str, report: Report) -> None:
        """A goal is done, or has failed."""


class Nobody:
    """Ignores everything."""

    def phase(self, *_event: Any, **_named: Any) -> None:  # noqa: ANN401 - stands for four methods
        """No-op."""

    expects = arrived = done = phase


_watcher: ContextVar[Watcher] = ContextVar("watcher", default=Nobody())  # noqa: B039 - it has no state


def watcher() -> Watcher:
    """Return the watcher of this process."""
    return _watcher.get()


@contextmanager
def watched_by(watching: Watcher) -> Iterator[None]:
    """Report to a watcher what the runs of this process do inside the block."""
    token = _watcher.set(watching)
    try:
        yield
    finally:
        _watcher.reset(token)
