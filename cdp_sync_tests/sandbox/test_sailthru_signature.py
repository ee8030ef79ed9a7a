"""The sandbox's signature, against known vectors and the official client."""

import json

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from sailthru.sailthru_client import SailthruClient, get_signature_hash

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync.sandbox.sailthru.parameters import is_signed, signature

VECTORS = [
    ("abcsecret", "123key", '{"id":"neil@example.com"}', "fa5c79189b708199f3cf69f1cf8f7928"),
    ("s3cr3t", "abc123", '{"id":"jane@example.com","key":"email"}', "583def0e5bf76357193a6dea99a6cf4e"),
    ("s3cr3t", "Zkey", '{"id": "zoé@example.com", "vars": {"city": "Köln"}}', "4f6965fdbca435d8ad22e83414b70329"),
]


@pytest.mark.parametrize(("secret", "key", "text", "expected"), VECTORS)
def test_the_text_that_is_sent_is_signed(secret: str, key: str, text: str, expected: str) -> None:
    """Signatures equal the known vectors, including umlauts."""
    assert signature(secret, {"api_key": key, "format": "json", "json": text}) == expected


def test_the_classic_form_is_signed_without_its_names() -> None:
    """The classic form is signed without the names of its fields."""
    sent = {
        "id": "jane@example.com", "vars[a]": "1", "vars[b][0]": "x", "vars[b][1]": "y", "api_key": "abc123",
        "format": "json",
    }  # fmt: skip
    expected = "f56253a7747f2969c2fd5f208d98ad99"
    assert signature("s3cr3t", sent) == expected
    assert is_signed("s3cr3t", {**sent, "sig": expected})
    assert not is_signed("s3cr3t", {**sent, "vars[a]": "2", "sig": expected})


@settings(max_examples=25)
@given(st.dictionaries(st.text(max_size=3), st.text(max_size=6)))
def test_the_signature_equals_the_official_clients(values: dict[str, str]) -> None:
    """The signature equals the official client's for any values."""
    assert signature("s3cr3t", values) == get_signature_hash(values, "s3cr3t")


def test_a_json_call_is_signed_as_raw_text(box: SailthruSandbox) -> None:
    """A JSON call is signed as raw text, including blanks and order."""
    text = '{ "vars":{"b":1,"a":2},   "id":"ann@example.com" }'
    fields = {"api_key": "key", "format": "json", "json": text}
    sig = signature("s3cr3t", fields)
    assert requests.post(f"{box.url}/user", data={**fields, "sig": sig}, timeout=20).json() == {"ok": True}
    other = {**fields, "json": json.dumps(json.loads(text)), "sig": sig}
    answer = requests.post(f"{box.url}/user", data=other, timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (401, 5)


def test_the_classic_form_is_parsed(box: SailthruSandbox) -> None:
    """Nested names of the classic form become objects and arrays of text."""
    fields = {
        "api_key": "key", "format": "json", "id": "ann@example.com", "vars[a]": "1", "vars[b][0]": "x",
        "vars[b][1]": "y", "vars[c][d]": "z", "lists[Main]": "1",
    }  # fmt: skip
    sent = {**fields, "sig": signature("s3cr3t", fields)}
    assert requests.post(f"{box.url}/user", data=sent, timeout=20).json() == {"ok": True}
    [user] = box.account.users.values()
    assert user.vars == {"a": "1", "b": ["x", "y"], "c": {"d": "z"}}
    assert list(user.lists) == ["Main"]


def test_wrong_keys_are_distinguished(box: SailthruSandbox) -> None:
    """A wrong key is error 3 and a wrong secret error 5, both 401."""
    for key, secret, code in (("other", "s3cr3t", 3), ("key", "other", 5)):
        answer = SailthruClient(key, secret, api_url=box.url).get_lists()
        assert (answer.get_status_code(), answer.get_error().get_error_code()) == (401, code)
