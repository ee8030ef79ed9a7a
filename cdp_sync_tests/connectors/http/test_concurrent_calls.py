"""Many calls at once: which come back, which end all, and how far ahead items are read."""

import threading
from collections.abc import Callable, Generator, Iterator

import pytest

from cdp_sync.connectors.http.concurrent_calls import each
from cdp_sync.errors import AuthenticationFailed, CdpSyncError, RemoteFailure, RequestRefused, ServerUnreachable
from cdp_sync.retrying import Cancelled


def outcomes(
    work: Callable[[int, threading.Event], int], items: range | Iterator[int], workers: int = 4
) -> Generator[tuple[int, int | CdpSyncError], None, None]:
    """Yield what comes of the items."""
    return each(work, items, workers=workers, wake=lambda: None, cut=lambda: None)


def test_every_item_has_an_outcome_at_its_place() -> None:
    """Each once, in any order."""
    assert dict(outcomes(lambda item, _cancelled: item * 2, range(1000))) == {i: i * 2 for i in range(1000)}


def test_nothing_to_do_is_done_at_once() -> None:
    """No items, no outcomes."""
    assert list(outcomes(lambda item, _cancelled: item, range(0))) == []


def test_items_are_read_a_little_ahead_only() -> None:
    """In the caller's thread, so that what yields them may belong to it."""
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


def test_an_items_own_error_is_its_outcome() -> None:
    """The others go on."""

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
def test_what_concerns_all_ends_all(kind: type[Exception]) -> None:
    """Few calls are made after it, and no thread is left."""
    made: list[int] = []

    def work(item: int, _cancelled: threading.Event) -> int:
        made.append(item)
        raise kind("everything")

    before = threading.active_count()
    with pytest.raises(kind):
        list(outcomes(work, range(1000)))
    assert len(made) < 30
    assert threading.active_count() == before


def test_a_server_that_fails_for_everybody_ends_all() -> None:
    """One failure is a call's own; ten in a row are everybody's."""

    def work(_item: int, _cancelled: threading.Event) -> int:
        raise RemoteFailure("failure")

    walking = outcomes(work, range(1000))
    assert [type(next(walking)[1]) for _ in range(9)] == [RemoteFailure] * 9
    with pytest.raises(RemoteFailure):
        next(walking)


def test_who_stops_taking_outcomes_stops_the_calls() -> None:
    """Those who wait are woken."""
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
