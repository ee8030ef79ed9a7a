"""Users of calls for many: how they are cut from lines, how calls are filled, and how a refused one is split."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdp_sync.connectors.iterable import batches, protocol
from cdp_sync.connectors.iterable.batches import Batch, entry, send
from cdp_sync.connectors.iterable.protocol import Call
from cdp_sync.errors import FieldsRefused, ListUnknown, RequestRefused

IDS = ["a@x.com", 'q"uote', "back\\", '","key":"email","user":{"x":1}}', "é😀", ""]


def line(identifier: str, key: str = "email", **more: Any) -> bytes:
    """Return a line as the engine writes it."""
    return json.dumps({"id": identifier, "key": key, **more}, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("identifier", IDS)
def test_a_user_is_cut_from_a_line(identifier: str) -> None:
    """Whatever its identifier holds; a user who leaves has the lists."""
    found = entry(3, line(identifier, user={"email": identifier, "dataFields": {"x": '","user":'}}))
    assert found.place == 3
    assert json.loads(found.who) == {"email": identifier}
    assert json.loads(found.user) == {"email": identifier, "dataFields": {"x": '","user":'}}
    leaver = entry(0, line(identifier, "userId", lists=["Red"]))
    assert (json.loads(leaver.who), json.loads(leaver.user)) == ({"userId": identifier}, {"lists": ["Red"]})


def test_calls_are_filled() -> None:
    """Up to so many users and bytes; one that is larger stands alone."""
    lines = [(number, line(f"{number}", user={})) for number in range(2500)]
    assert [len(batch) for batch in batches.batches(lines)] == [1000, 1000, 500]
    large = [(number, line(f"{number}", user={"x": "x" * (1 << 20)})) for number in range(5)]
    assert [len(batch) for batch in batches.batches(large)] == [3, 2]
    huge = [(0, line("0", user={})), (1, line("1", user={"x": "x" * (4 << 20)})), (2, line("2", user={}))]
    assert [len(batch) for batch in batches.batches(huge)] == [1, 1, 1]
    assert list(batches.batches([])) == []


def users(count: int) -> Batch:
    """Return so many users."""
    return [entry(number, line(f"{number}@x.com", user={"email": f"{number}@x.com"})) for number in range(count)]


def bulk(batch: Batch) -> Call:
    """Return a call."""
    return protocol.bulk_update([each.user for each in batch], create_fields=True)


def answering(answer: Callable[[list[str]], Any], calls: list[int]) -> Callable[[Call], Any]:
    """Return an Iterable that answers so, given the addresses."""

    def ask(call: Call) -> Any:
        assert isinstance(call.body, bytes)
        emails = [each["email"] for each in json.loads(call.body)["users"]]
        calls.append(len(emails))
        return answer(emails)

    return ask


def test_a_refused_call_is_split_until_the_users_at_fault_stand_alone() -> None:
    """By about two calls for each halving; others are accepted."""
    calls: list[int] = []

    def answer(emails: list[str]) -> dict[str, int]:
        if {"3@x.com", "77@x.com"} & set(emails):
            raise RequestRefused("Iterable refuses the call.")
        return {"successCount": len(emails), "failCount": 0}

    refused = list(send(answering(answer, calls), users(100), bulk))
    assert [each.place for each, _ in refused] == [3, 77]
    assert len(calls) < 30


def test_users_who_are_not_named_are_found() -> None:
    """Where an answer counts more failures than it names."""
    calls: list[int] = []

    def answer(emails: list[str]) -> dict[str, Any]:
        failed = sorted({"1@x.com", "6@x.com"} & set(emails))
        return {
            "failCount": len(failed),
            "failedUpdates": {"invalidEmails": [each for each in failed if each[0] == "1"]},
        }

    refused = {each.place: str(problem) for each, problem in send(answering(answer, calls), users(8), bulk)}
    assert refused.keys() == {1, 6}
    assert "does not say why" in refused[6]
    assert "invalid" in refused[1]


@pytest.mark.parametrize("problem", [ListUnknown("There is no list."), FieldsRefused("Too many fields.")])
def test_what_concerns_everybody_is_not_split(problem: Exception) -> None:
    """It is raised, after one call."""
    calls: list[int] = []

    def answer(_emails: list[str]) -> Any:
        raise problem

    with pytest.raises(type(problem)):
        list(send(answering(answer, calls), users(8), bulk))
    assert calls == [8]


def test_fields_that_are_dropped_are_named() -> None:
    """No user has them."""
    with pytest.raises(FieldsRefused, match="legacy"):
        list(send(answering(lambda _: {"failCount": 0, "filteredOutFields": ["legacy"]}, []), users(2), bulk))
