"""Concurrent calls: a bounded number of items ahead, outcomes in any order, and all calls ended together."""

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Generic, TypeVar

from cdp_sync.errors import CdpSyncError, RemoteFailure, RequestRefused
from cdp_sync.retrying import Cancelled

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""Items read ahead for each thread."""
_MAX_FAILURES_IN_A_ROW = 10
"""After so many failures of the server in a row, further calls would fail as well."""
_GRACE = 5.0
"""Seconds that calls under way get when the others are cancelled."""


def each(
    work: Callable[[Item, threading.Event], Result],
    items: Iterable[Item],
    *,
    workers: int,
    wake: Callable[[], None],
    cut: Callable[[], None],
) -> Generator[tuple[int, Result | CdpSyncError], None, None]:
    """Yield the outcome of each item as it comes, with the item's place in the order, counted from 0.

    Items are taken in the caller's thread, a few at a time.

    Args:
        work: What is done with an item, in a thread; it may raise `Cancelled` once the event is set.
        items: What there is to do.
        workers: How many threads.
        wake: Called when all calls are cancelled, for threads that wait.
        cut: Called when some calls still run seconds later.

    Raises:
        CdpSyncError: An error that concerns more than one item. Outcomes of up to a few items for each thread are not
            yielded then, though their calls may have been made.
    """
    calls = _Calls(work, workers)
    try:
        for place, item in enumerate(items):
            calls.submit(place, item)
            if len(calls.running) == _AHEAD * workers:
                yield calls.outcome()
        while calls.running:
            yield calls.outcome()
    finally:
        calls.end(wake, cut)


class _Calls(Generic[Item, Result]):
    def __init__(self, work: Callable[[Item, threading.Event], Result], workers: int) -> None:
        self.running: set[Future[Result]] = set()
        self._work = work
        self._cancelled = threading.Event()
        self._done: SimpleQueue[tuple[int, Future[Result]]] = SimpleQueue()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="http-call")
        self._failures = 0

    def submit(self, place: int, item: Item) -> None:
        future = self._pool.submit(self._run, item)
        self.running.add(future)
        future.add_done_callback(lambda ended: self._done.put((place, ended)))

    def outcome(self) -> tuple[int, Result | CdpSyncError]:
        place, future = self._done.get()
        while isinstance(future.exception(), Cancelled):  # the error that caused it follows
            place, future = self._done.get()
        self.running.discard(future)
        problem = future.exception()
        self._failures = self._failures + 1 if isinstance(problem, RemoteFailure) else 0
        if problem is None:
            return place, future.result()
        if not isinstance(problem, (RequestRefused, RemoteFailure)) or self._failures >= _MAX_FAILURES_IN_A_ROW:
            raise problem
        return place, problem

    def end(self, wake: Callable[[], None], cut: Callable[[], None]) -> None:
        self._cancelled.set()
        wake()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if wait({future for future in self.running if not future.cancelled()}, _GRACE).not_done:
            cut()
        self._pool.shutdown()

    def _run(self, item: Item) -> Result:
        try:
            return self._work(item, self._cancelled)
        except (RequestRefused, RemoteFailure):
            raise
        except BaseException:
            self._cancelled.set()  # here, so that no further call begins before the caller takes the error
            raise
