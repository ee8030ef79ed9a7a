"""Concurrent calls: outcome of each item, errors that end all calls, and bounded read-ahead."""

import threading
from collections.abc import Callable, Generator, Iterator

import pytest

from cdp_sync.connectors.http.concurrent_calls import each
from cdp_sync.errors import AuthenticationFailed, CdpSyncError, RemoteFailure, RequestRefused, ServerUnreachable
from cdp_sync.retrying import Cancelled


def outcomes(
    work: Callable[[int, threading.Event], int], items: range | Iterator[int], workers: int = 4
) -> Generator[tuple[int, int | CdpSyncError], None, None]:
    """Yield the outcome of each item."""
    return each(work, items, workers=workers, wake=lambda: None, cut=lambda: None)


def test_every_item_has_one_outcome() -> None:
    """Each item has exactly one outcome, in any order."""
    assert dict(outcomes(lambda item, _cancelled: item * 2, range(1000))) == {i: i * 2 for i in range(1000)}


def test_no_items_yield_no_outcomes() -> None:
    """Without items there are no outcomes."""
    assert list(outcomes(lambda item, _cancelled: item, range(0))) == []


def test_read_ahead_is_bounded() -> None:
    """Items are read in the caller's thread, and only a bounded number ahead."""
    read: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            assert threading.current_thread() is threading.main_thread()
            read.append(item)
            yield item

    walking = outcomes(lambda item, _cancelled: item, items())
    next(walking)
    assert len(read) == 16
    walking.close()
    assert len(read) == 16


def test_an_error_of_one_item_is_its_outcome() -> None:
    """An error of one item is its outcome; the other calls continue."""

    def work(item: int, _cancelled: threading.Event) -> int:
        if item % 3 == 0:
            raise RequestRefused("no")
        if item % 50 == 1:
            raise RemoteFailure("failure")
        return item

    found = dict(outcomes(work, range(300)))
    assert len(found) == 300
    assert {type(found[0]), type(found[51])} == {RequestRefused}
    assert isinstance(found[1], RemoteFailure)
    assert found[2] == 2


@pytest.mark.parametrize("kind", [AuthenticationFailed, ServerUnreachable, ZeroDivisionError])
def test_an_error_of_every_call_ends_the_calls(kind: type[Exception]) -> None:
    """An error that concerns every call ends the calls soon and leaves no thread."""
    made: list[int] = []

    def work(item: int, _cancelled: threading.Event) -> int:
        made.append(item)
        raise kind("everything")

    before = threading.active_count()
    with pytest.raises(kind):
        list(outcomes(work, range(1000)))
    assert len(made) < 30
    assert threading.active_count() == before


def test_consecutive_failures_end_the_calls() -> None:
    """A single failure is the outcome of its item; ten consecutive failures end the calls."""

    def work(_item: int, _cancelled: threading.Event) -> int:
        raise RemoteFailure("failure")

    walking = outcomes(work, range(1000))
    assert [type(next(walking)[1]) for _ in range(9)] == [RemoteFailure] * 9
    with pytest.raises(RemoteFailure):
        next(walking)


def test_closing_the_iterator_cancels_the_calls() -> None:
    """A consumer that stops early cancels the waiting calls."""
    woken = threading.Event()

    def work(item: int, cancelled: threading.Event) -> int:
        if item > 0:
            assert woken.wait(10)
            assert cancelled.is_set()
            raise Cancelled
        return item

    walking = each(work, range(100), workers=4, wake=woken.set, cut=lambda: None)
    assert next(walking) == (0, 0)
    walking.close()
