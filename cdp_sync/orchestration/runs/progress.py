"""Who watches a run in this process: nobody, unless the command line does."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from cdp_sync.model import RemoteFile, Report


class Watcher(Protocol):
    """Is told what a run does while it does it."""

    def phase(self, goal: str, doing: str) -> None:
        """A goal has begun a step."""

    def expects(self, goal: str, files: tuple[RemoteFile, ...]) -> None:
        """These files are going to be fetched or sent."""

    def arrived(self, goal: str, file: RemoteFile, size: int) -> None:
        """So many bytes of a file have arrived, here or there."""

    def done(self, goal: str, report: Report) -> None:
        """A goal is done, or has failed."""


class Nobody:
    """Watches nothing."""

    def phase(self, goal: str, doing: str) -> None:
        """Look away."""

    def expects(self, goal: str, files: tuple[RemoteFile, ...]) -> None:
        """Look away."""

    def arrived(self, goal: str, file: RemoteFile, size: int) -> None:
        """Look away."""

    def done(self, goal: str, report: Report) -> None:
        """Look away."""


_watcher: ContextVar[Watcher] = ContextVar("watcher", default=Nobody())  # noqa: B039 - it has no state


def watcher() -> Watcher:
    """Return whoever watches."""
    return _watcher.get()


@contextmanager
def watched_by(who: Watcher) -> Iterator[None]:
    """Have somebody watch the runs that this process makes meanwhile."""
    token = _watcher.set(who)
    try:
        yield
    finally:
        _watcher.reset(token)
