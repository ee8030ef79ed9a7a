"""Calls that go wrong: time-outs, lost lines, refusals, attempts. Their messages hold no query and no body."""

import email
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from cdp_sync.connectors.http.rate_limit import Bucket, Rate, RateInfo, RateLimiter
from cdp_sync.connectors.http.sender import Answer, Request, Sender, Timeouts
from cdp_sync.connectors.sailthru.protocol import sign
from cdp_sync.errors import (
    CdpSyncError,
    CertificateRejected,
    ConnectionLost,
    RateExceeded,
    RemoteFailure,
    RequestRefused,
    ServerRefused,
    ServerUnreachable,
    SettingUnusable,
)
from cdp_sync.retrying import Cancelled, Pauses, RetryPolicy
from cdp_sync_tests.connectors.http.scene import Reply, Scene

SECRET = "jane%40example.com"


def sender(
    url: str, *, attempts: int = 1, limiter: RateLimiter | None = None, options: dict[str, Any] | None = None,
    **timeouts: float,
) -> Sender:  # fmt: skip
    """Return a sender that hardly pauses."""
    return Sender(
        url,
        read_rate=rate_info,
        retry=RetryPolicy(attempts, Pauses(0.01)),
        limiter=limiter or RateLimiter(),
        timeouts=Timeouts(**timeouts),
        **(options or {}),
    )


def rate_info(status: int, _headers: object) -> RateInfo:
    """Say that 429 is a refusal because of the rate, until a second that is over."""
    return RateInfo(Rate(100, 50, 1000), date=1000, refused=status == 429)


def request(url: str) -> Request:
    """Return a call with somebody's address in its query."""
    return Request("user", "GET", f"{url}/user?id={SECRET}")


def body(answer: Answer) -> bytes:
    """Return what was answered, or raise an error for what is no success."""
    if answer.status == 429:
        raise RateExceeded("too many")
    if answer.status != 200:
        raise RemoteFailure(f"status {answer.status}")
    return answer.body


def failed(url: str, *, work: Callable[[Sender, str], object] | None = None, **options: Any) -> CdpSyncError:
    """Call in vain and return the error, which holds nothing of the query, nor does its traceback."""
    with sender(url, **options) as calling, pytest.raises(CdpSyncError) as raised:
        (work or (lambda calling, url: calling.send(request(url), body)))(calling, url)
    text = "".join(traceback.format_exception(raised.value))
    assert [word for word in (SECRET, "jane", "id=") if word in text] == []
    assert raised.value.__context__ is None
    return raised.value


@pytest.mark.parametrize("manner", ["silent", "drips", "drips headers"])
def test_a_call_ends_whatever_the_server_does(manner: Any) -> None:
    """Silence ends it, and so does an answer that never ends, be it in its headers."""
    begun = time.monotonic()
    with Scene([Reply(manner=manner)]) as scene:
        assert isinstance(failed(scene.url, read=0.3, whole=0.5), ConnectionLost)
    assert time.monotonic() - begun < 5


def test_a_call_that_takes_too_long_is_reported_as_such() -> None:
    """Not as a lost line: it was cut here."""
    with Scene([Reply(manner="drips")]) as scene:
        assert "did not answer in full within 0.3 s" in str(failed(scene.url, whole=0.3))


def test_an_answer_that_ends_early_is_no_answer() -> None:
    """The line is lost, and the call is made again."""
    with Scene([Reply(body=b"x" * 1000, manner="cut"), Reply(body=b"whole")]) as scene:
        with sender(scene.url, attempts=2) as calling:
            assert calling.send(request(scene.url), body) == b"whole"
        assert len(scene.heard) == 2
    with Scene([Reply(body=b"x" * 1000, manner="cut")]) as scene:
        assert isinstance(failed(scene.url), ConnectionLost)


def test_an_answer_without_a_length_ends_with_the_line() -> None:
    """It is taken as it is; cut for its length in time it is not."""
    with Scene([Reply(body=b"all", manner="without length")]) as scene, sender(scene.url) as calling:
        assert calling.send(request(scene.url), body) == b"all"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    """As often as is allowed, and no more."""
    with Scene([Reply(status), Reply(status), Reply(body=b"yes")]) as scene, sender(scene.url, attempts=3) as calling:
        assert calling.send(request(scene.url), body) == b"yes"
    with Scene([Reply(status)]) as scene:
        failed(scene.url, attempts=3)
        assert len(scene.heard) == 3


def test_nobody_there_is_reported_as_such() -> None:
    """With host and port alone."""
    with Scene([Reply()]) as scene:
        url = scene.url
    error = failed(url)
    assert isinstance(error, ServerUnreachable)
    assert str(error).startswith(f"{url} cannot be reached: connection refused.")


def test_a_name_nobody_knows_is_reported_as_such() -> None:
    """The top-level domain `invalid` is for that, RFC 2606."""
    error = failed("https://api.invalid", connect=2)
    assert isinstance(error, ServerUnreachable)


def test_a_server_without_tls_is_no_https_server() -> None:
    """Nothing is sent in the clear instead."""
    with Scene([Reply()]) as scene:
        error = failed(scene.url.replace("http:", "https:"))
        assert isinstance(error, (ServerRefused, ConnectionLost))
        assert not isinstance(error, CertificateRejected)
        assert scene.heard == []


def test_what_is_signed_is_not_sent_elsewhere() -> None:
    """A redirect is a refusal."""
    with Scene([Reply()]) as other, Scene([Reply(302, headers={"Location": f"{other.url}/user"})]) as scene:
        error = failed(scene.url, attempts=3)
        assert isinstance(error, ServerRefused)
        assert "redirects calls" in str(error)
        assert (len(scene.heard), other.heard) == (1, [])


def test_lines_are_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many calls need one connection; the environment's `.netrc` is not asked."""
    monkeypatch.setenv("NETRC", "/nonexistent")
    with Scene([Reply(body=b"yes")]) as scene, sender(scene.url) as calling:
        for _ in range(20):
            calling.send(request(scene.url), body)
        assert len({heard.port for heard in scene.heard}) == 1
        assert "Authorization" not in scene.heard[0].headers


def test_no_log_line_holds_a_query(caplog: pytest.LogCaptureFixture) -> None:
    """Not even urllib3's on the level DEBUG, which logs every address."""
    caplog.set_level(logging.DEBUG)
    with Scene([Reply(500), Reply(body=b"yes")]) as scene, sender(scene.url, attempts=2) as calling:
        calling.send(request(scene.url), body)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    assert "jane" not in caplog.text


def test_nothing_shows_in_a_repr() -> None:
    """Of a call neither address nor body, of an answer no body."""
    posted = Request("a", "POST", "http://host", {"a": "jane"}, {"b": "jane"}, form={"c": "jane"}, json="jane")
    assert "jane" not in f"{request('http://host')!r} {posted!r} {Answer(200, {}, b'jane')!r}"


def test_a_call_that_waits_for_another_attempt_can_be_cancelled() -> None:
    """Its pause ends at once."""
    cancelled = threading.Event()
    with Scene([Reply(500)]) as scene:
        calling = Sender(
            scene.url,
            retry=RetryPolicy(5, Pauses(60.0), log=lambda _line: cancelled.set()),
            limiter=RateLimiter(),
            timeouts=Timeouts(),
        )
        with calling, pytest.raises(Cancelled):
            calling.send(request(scene.url), body, cancelled)


def test_an_authority_of_ones_own_is_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE holds for the sender as it does for requests."""
    file = tmp_path / "authority.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with sender("https://127.0.0.1:1") as calling:
        assert calling._verify == str(file)


def test_constant_headers_go_with_every_call() -> None:
    """Such as a key; to the platform's own host only, whatever address is called."""
    options = {"headers": {"Api-Key": "k-123"}}
    with Scene([Reply()]) as other, Scene([Reply()]) as scene, sender(scene.url, options=options) as calling:
        calling.send(Request("user", "GET", f"{scene.url}/a", headers={"X-One": "1"}), body)
        calling.send(Request("user", "GET", f"{other.url}/a"), body)
        calling.send(Request("user", "GET", f"{scene.url}/a", anonymous=True), body)
    assert [(heard.headers.get("Api-Key"), heard.headers.get("X-One")) for heard in scene.heard] == [
        ("k-123", "1"),
        (None, None),
    ]
    assert "Api-Key" not in other.heard[0].headers


def test_a_request_is_signed_anew_for_every_attempt() -> None:
    """By a hook that sees the whole request, as Sailthru's signature needs it."""
    numbers = iter("12")

    def authorize(request: Request) -> Request:
        parameters = {**request.query, "api_key": "k-123", "nonce": next(numbers)}
        return replace(request, query={**parameters, "sig": sign("s-otter", parameters)})

    with (
        Scene([Reply(500), Reply(body=b"yes")]) as scene,
        sender(scene.url, attempts=2, options={"authorize": authorize}) as calling,
    ):
        assert calling.send(Request("user", "GET", f"{scene.url}/user", {"id": "jane+1@example.com"}), body) == b"yes"
    queries = [{name: value for name, (value,) in parse_qs(heard.query).items()} for heard in scene.heard]
    assert [query["nonce"] for query in queries] == ["1", "2"]
    for query in queries:
        assert query.pop("sig") == sign("s-otter", query)


def test_a_header_that_cannot_be_sent_does_not_show() -> None:
    """A key with a line break in it: an error at once, without the key."""
    options = {"headers": {"Api-Key": "k-123\nX: jane"}}
    with Scene([Reply()]) as scene:
        error = failed(scene.url, attempts=3, options=options)
        assert scene.heard == []
    assert isinstance(error, SettingUnusable)
    assert "k-123" not in repr(error)


def test_a_body_may_be_json_or_a_form() -> None:
    """With the type that belongs to it."""
    with Scene([Reply()]) as scene, sender(scene.url) as calling:
        calling.send(Request("user", "POST", scene.url, json={"name": "Zoé", "n": [1, None]}), body)
        calling.send(Request("user", "POST", scene.url, form={"a": "ö&b", "c": " "}), body)
        with pytest.raises(RequestRefused) as refused:
            calling.send(Request("user", "POST", scene.url, json={"name": "jane", "n": float("nan")}), body)
    assert "jane" not in repr(refused.value)
    assert refused.value.__context__ is None
    sent = [(heard.headers["Content-Type"], heard.body.decode()) for heard in scene.heard]
    assert sent[0][0] == "application/json"
    assert json.loads(sent[0][1]) == {"name": "Zoé", "n": [1, None]}
    assert (sent[1][0], parse_qs(sent[1][1], keep_blank_values=True)) == (
        "application/x-www-form-urlencoded",
        {"a": ["ö&b"], "c": [" "]},
    )


def test_a_file_goes_with_a_form(tmp_path: Path) -> None:
    """As any mail program reads it: the fields first, then the file, byte for byte."""
    file = tmp_path / 'us"er.jsonl'
    file.write_bytes(b"\r\n--x\r\n\x00\xff")
    with Scene([Reply()]) as scene, sender(scene.url) as calling:
        calling.send(Request("job", "POST", scene.url, form={"json": '{"a": "ä"}'}, file=file), body)
    (heard,) = scene.heard
    assert int(heard.headers["Content-Length"]) == len(heard.body)
    message = email.message_from_bytes(f"Content-Type: {heard.headers['Content-Type']}\r\n\r\n".encode() + heard.body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_param("name", header="Content-Disposition") for part in parts] == ["json", "file"]
    assert [part.get_payload(decode=True) for part in parts] == ['{"a": "ä"}'.encode(), file.read_bytes()]


def test_a_server_that_takes_an_upload_too_slowly_is_left(tmp_path: Path) -> None:
    """It reads a little now and then, so that no single write times out; the deadline of the transfer ends it."""
    file = tmp_path / "users.jsonl"
    with file.open("wb") as large:
        large.truncate(50 << 20)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def dawdle() -> None:
            line, _ = listener.accept()
            with line:
                while not ended.wait(0.01) and line.recv(1 << 14):
                    pass

        pool.submit(dawdle)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        begun = time.monotonic()
        try:
            error = failed(
                url, transfer=0.5, work=lambda calling, url: calling.send(Request("job", "POST", url, file=file), body)
            )
        finally:
            ended.set()
    assert "did not answer in full within 0.5 s" in str(error)
    assert time.monotonic() - begun < 5


def test_an_answer_may_be_streamed() -> None:
    """Status and headers first; the body comes part by part, and a lost line in it is one of our errors."""
    content = b"x" * 1_000_000
    replies = [Reply(206, content, {"X-Rows": "3"}), Reply(body=content, manner="cut")]
    with Scene(replies) as scene, sender(scene.url) as calling:
        with calling.stream(request(scene.url)) as stream:
            assert (stream.status, stream.headers["x-rows"]) == (206, "3")
            assert b"".join(stream.chunks(1000)) == content
        with pytest.raises(ConnectionLost), calling.stream(request(scene.url)) as stream:
            list(stream.chunks())


def test_a_declared_rate_holds_where_answers_say_nothing_of_one() -> None:
    """Of four calls two wait for the next window."""
    limiter = RateLimiter(buckets={"user": Bucket(2, 0.2)})
    with Scene([Reply()]) as scene, sender(scene.url, limiter=limiter, options={}) as calling:
        calling._read_rate = lambda _status, _headers: RateInfo()
        begun = time.monotonic()
        for _ in range(4):
            calling.send(request(scene.url), body)
    assert time.monotonic() - begun >= 0.2


def test_a_call_waits_for_its_turn_for_so_long_only() -> None:
    """A platform that asks for a pause of hours fails the call at once."""
    limiter = RateLimiter()
    limiter.acquire("user").answered(RateInfo(refused=True, retry_after=7200))
    with Scene([Reply()]) as scene:
        assert isinstance(failed(scene.url, limiter=limiter, turn=60), RateExceeded)
        assert scene.heard == []


def test_calls_under_way_can_be_cut() -> None:
    """By another thread; the call fails as a lost line does."""
    with Scene([Reply(manner="drips")]) as scene, sender(scene.url) as calling, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(calling.send, request(scene.url), body)
        while not scene.heard or not any(deadline.line for deadline in calling._under_way):
            time.sleep(0.01)
        calling.cut()
        assert isinstance(waiting.exception(10), ConnectionLost)
