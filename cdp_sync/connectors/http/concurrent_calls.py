"""Concurrent calls: a bounded number of items ahead, outcomes in any order, and all calls ended together."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import TypeVar

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
    running: set[Future[Result]] = set()
    done: SimpleQueue[tuple[int, Future[Result]]] = SimpleQueue()
    outcomes, cancelled = _outcomes(done, running), threading.Event()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="http-call")

    def submit(place: int, item: Item) -> None:
        future = pool.submit(_run, work, item, cancelled)
        running.add(future)
        future.add_done_callback(lambda ended: done.put((place, ended)))

    try:
        for place, item in enumerate(items):
            submit(place, item)
            if len(running) == _AHEAD * workers:
                yield next(outcomes)
        while running:
            yield next(outcomes)
    finally:
        cancelled.set()
        wake()
        pool.shutdown(wait=False, cancel_futures=True)
        if wait({future for future in running if not future.cancelled()}, _GRACE).not_done:
            cut()
        pool.shutdown()


def _outcomes(
    done: "SimpleQueue[tuple[int, Future[Result]]]", running: set[Future[Result]]
) -> Iterator[tuple[int, Result | CdpSyncError]]:
    failures = 0
    while True:
        place, future = done.get()
        problem = future.exception()
        if isinstance(problem, Cancelled):  # the error that caused it follows
            continue
        running.discard(future)
        failures = failures + 1 if isinstance(problem, RemoteFailure) else 0
        if problem is None:
            yield place, future.result()
        elif isinstance(problem, (RequestRefused, RemoteFailure)) and failures < _MAX_FAILURES_IN_A_ROW:
            yield place, problem
        else:
            raise problem


def _run(work: Callable[[Item, threading.Event], Result], item: Item, cancelled: threading.Event) -> Result:
    try:
        return work(item, cancelled)
    except (RequestRefused, RemoteFailure):
        raise
    except BaseException:
        cancelled.set()  # here, so that no further call begins before the caller takes the error
        raise
