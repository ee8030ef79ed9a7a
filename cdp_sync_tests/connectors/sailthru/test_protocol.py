"""Signatures, requests and rate headers, without I/O."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from cdp_sync.connectors.http.rate_limit import Rate
from cdp_sync.connectors.sailthru import protocol
from cdp_sync.connectors.sailthru.protocol import Call, Credentials
from cdp_sync.errors import RequestRefused

CREDENTIALS = Credentials("123key", "abcsecret")


@pytest.mark.parametrize(
    ("secret", "key", "said", "signature"),
    [
        ("abcsecret", "123key", '{"id":"neil@example.com"}', "fa5c79189b708199f3cf69f1cf8f7928"),
        ("s3cr3t", "abc123", '{"id":"jane@example.com","key":"email"}', "583def0e5bf76357193a6dea99a6cf4e"),
        ("s3cr3t", "Zkey", '{"id": "zoé@example.com", "vars": {"city": "Köln"}}', "4f6965fdbca435d8ad22e83414b70329"),
    ],
)
def test_signatures_are_those_of_the_official_clients(secret: str, key: str, said: str, signature: str) -> None:
    """Signatures equal those of the official clients; the first sample is from the tests of a third-party client."""
    assert protocol.sign(secret, {"api_key": key, "format": "json", "json": said}) == signature


def test_nested_values_are_signed_leaf_by_leaf() -> None:
    """A call without `json` signs each leaf of nested values."""
    said = {"id": "jane@example.com", "vars": {"a": "1", "b": ["x", "y"]}, "api_key": "abc123", "format": "json"}
    assert protocol.sign("s3cr3t", said) == "f56253a7747f2969c2fd5f208d98ad99"


def test_the_signed_text_is_sent() -> None:
    """The signed text is the text that is sent: the query, or the body of a POST."""
    call = protocol.get_user("zoé+&=%@example.com", "email", {"keys": 1})
    parameters = protocol.form(CREDENTIALS, call)
    address = protocol.address("https://api", call, parameters)
    sent = {name: values[0] for name, values in parse_qs(address.partition("?")[2]).items()}
    assert sent == parameters
    assert sent.pop("sig") == protocol.sign("abcsecret", sent)
    posted = protocol.post_user({"id": "zoé", "key": "extid"})
    parameters = protocol.form(CREDENTIALS, posted)
    assert protocol.address("https://api", posted, parameters) == "https://api/user"


def test_calls_match_the_api_reference() -> None:
    """Each call has the method, endpoint and JSON of the API reference."""
    assert protocol.form(CREDENTIALS, protocol.get_lists())["json"] == "{}"
    assert protocol.export_list("Main").says == {"job": "export_list_data", "list": "Main"}
    assert protocol.export_list("Main", ["a", "b"]).says["fields"] == {"vars": {"a": 1, "b": 1}}
    update = protocol.update_users(Path("/tmp/users.jsonl"))
    assert (update.says, update.kind) == ({"job": "update"}, ("job", "POST"))
    assert "users.jsonl" not in protocol.form(CREDENTIALS, update)["json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_value_without_json_form_is_an_error_of_its_call(value: object) -> None:
    """A value without a JSON form is an error of its call, and the value is not shown."""
    with pytest.raises(RequestRefused) as refused:
        protocol.form(CREDENTIALS, protocol.post_user({"id": "jane", "vars": {"a": value}}))
    assert refused.value.__context__ is None
    assert "jane" not in repr(refused.value)


def test_a_repr_shows_no_secret() -> None:
    """No repr shows credentials or content of a call."""
    shown = repr((CREDENTIALS, protocol.get_user("jane", "email"), Call("POST", "user", {"id": "jane"})))
    assert [word for word in ("123key", "abcsecret", "jane") if word in shown] == []


def test_headers_give_the_rate() -> None:
    """The headers give limit, remaining calls, reset and server time; without one of them there is no rate."""
    headers = {"X-Rate-Limit-Limit": "36000", "X-Rate-Limit-Remaining": "35999", "X-Rate-Limit-Reset": "1633218420"}
    rate = protocol.rate_info(200, headers | {"Date": "Sat, 02 Oct 2021 23:46:49 GMT"})
    assert (rate.rate, rate.date, rate.refused) == (Rate(36000, 35999, 1633218420), 1633218409.0, False)
    assert protocol.rate_info(429, headers).refused
    assert protocol.rate_info(200, headers | {"X-Rate-Limit-Reset": "soon"}).rate is None
    assert protocol.rate_info(200, {"Date": "today"}).date is None
