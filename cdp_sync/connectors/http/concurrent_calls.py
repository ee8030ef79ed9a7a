"""Many calls side by side: read ahead a little, answered in any order, ended together."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from typing import Generic, TypeVar

from cdp_sync.connectors.http.retry import GivenUp
from cdp_sync.errors import CdpSyncError, RemoteFailure, RequestRefused

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""Items read ahead for each thread."""
_IN_A_ROW = 10
"""After so many failures of the server one after the other, the next ones would fail as well."""
_GRACE = 5.0
"""Seconds that calls under way get when the others are given up."""


def each(
    work: Callable[[Item, threading.Event], Result],
    items: Iterable[Item],
    *,
    workers: int,
    wake: Callable[[], None],
    cut: Callable[[], None],
) -> Generator[tuple[int, Result | CdpSyncError], None, None]:
    """Yield what comes of each item, as it comes, with the item's place in the order, counted from 0.

    Items are taken in the caller's thread, few at a time.

    Args:
        work: What is done with an item, in a thread; it may raise `GivenUp` once the event is set.
        items: What there is to do.
        workers: How many threads.
        wake: Called when all is given up, for threads that wait.
        cut: Called when some are not back seconds later.

    Raises:
        CdpSyncError: What concerns not one item alone. Of up to a few items for each thread nothing was yielded then,
            though their calls may have been made.
    """
    crew = _Crew(work, workers)
    troubles = 0
    try:
        for place, outcome in crew.outcomes(items):
            troubles = troubles + 1 if isinstance(outcome, RemoteFailure) else 0
            if isinstance(outcome, BaseException) and (not _own(outcome) or troubles >= _IN_A_ROW):
                raise outcome
            yield place, outcome  # type: ignore[misc]  # what is no CdpSyncError was raised
    finally:
        crew.dismiss(wake, cut)


def _own(problem: BaseException) -> bool:
    """Whether a failure is one item's own."""
    return isinstance(problem, (RequestRefused, RemoteFailure))


class _Crew(Generic[Item, Result]):
    def __init__(self, work: Callable[[Item, threading.Event], Result], workers: int) -> None:
        self._work = work
        self._given_up = threading.Event()
        self._tasks: SimpleQueue[tuple[int, Item] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, Result | BaseException]] = SimpleQueue()
        self._threads = [threading.Thread(target=self._toil, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def outcomes(self, items: Iterable[Item]) -> Generator[tuple[int, Result | BaseException], None, None]:
        ahead = 0
        for task in enumerate(items):
            self._tasks.put(task)
            ahead += 1
            if ahead == _AHEAD * len(self._threads):
                yield self._done.get()
                ahead -= 1
        for _ in range(ahead):
            yield self._done.get()

    def dismiss(self, wake: Callable[[], None], cut: Callable[[], None]) -> None:
        self._given_up.set()
        for _ in self._threads:
            self._tasks.put(None)
        wake()
        until = time.monotonic() + _GRACE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            cut()
        for thread in self._threads:
            thread.join()

    def _toil(self) -> None:
        while (task := self._tasks.get()) and not self._given_up.is_set():
            place, item = task
            try:
                self._done.put((place, self._work(item, self._given_up)))
            except GivenUp:
                return
            except BaseException as problem:  # noqa: BLE001 - told to whoever takes the outcomes
                self._done.put((place, problem))
