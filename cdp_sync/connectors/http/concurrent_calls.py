"""Concurrent calls: a bounded number of items ahead, outcomes in any order, and all calls ended together."""

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from cdp_sync.errors import CdpSyncError, RemoteFailure, RequestRefused

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
    cancelled = threading.Event()
    done: SimpleQueue[tuple[int, Future[Result]]] = SimpleQueue()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="http-call")
    running: set[Future[Result]] = set()
    failures = 0

    def outcome() -> tuple[int, Result | CdpSyncError]:
        nonlocal failures
        place, future = done.get()
        running.discard(future)
        problem = future.exception()
        failures = failures + 1 if isinstance(problem, RemoteFailure) else 0
        if problem is None:
            return place, future.result()
        if not isinstance(problem, (RequestRefused, RemoteFailure)) or failures >= _MAX_FAILURES_IN_A_ROW:
            raise problem
        return place, problem

    try:
        for place, item in enumerate(items):
            future = pool.submit(work, item, cancelled)
            running.add(future)
            future.add_done_callback(partial(_put, done, place))
            if len(running) == _AHEAD * workers:
                yield outcome()
        while running:
            yield outcome()
    finally:
        cancelled.set()
        wake()
        pool.shutdown(wait=False, cancel_futures=True)
        if wait({future for future in running if not future.cancelled()}, _GRACE).not_done:
            cut()
        pool.shutdown()


def _put(done: "SimpleQueue[tuple[int, Future[Result]]]", place: int, future: "Future[Result]") -> None:
    done.put((place, future))
