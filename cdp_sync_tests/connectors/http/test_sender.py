"""HTTP calls: timeouts, dropped connections, refusals, retries. Error messages hold no query and no body."""

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
from cdp_sync_tests.connectors.http.scripted_server import Reply, ScriptedServer

SECRET = "jane%40example.com"


def sender(
    url: str, *, attempts: int = 1, limiter: RateLimiter | None = None, options: dict[str, Any] | None = None,
    **timeouts: float,
) -> Sender:  # fmt: skip
    """Return a sender with short pauses."""
    return Sender(
        url,
        read_rate=rate_info,
        retry=RetryPolicy(attempts, Pauses(0.01)),
        limiter=limiter or RateLimiter(),
        timeouts=Timeouts(**timeouts),
        **(options or {}),
    )


def rate_info(status: int, _headers: object) -> RateInfo:
    """Treat status 429 as a rate-limit refusal whose window has ended."""
    return RateInfo(Rate(100, 50, 1000), date=1000, refused=status == 429)


def request(url: str) -> Request:
    """Return a request with an e-mail address in its query."""
    return Request("user", "GET", f"{url}/user?id={SECRET}")


def body(answer: Answer) -> bytes:
    """Return the body of an answer, or raise an error for any other status than 200."""
    if answer.status == 429:
        raise RateExceeded("too many")
    if answer.status != 200:
        raise RemoteFailure(f"status {answer.status}")
    return answer.body


def failing_call(url: str, *, work: Callable[[Sender, str], object] | None = None, **options: Any) -> CdpSyncError:
    """Return the error of a failing call. Neither its message nor its traceback holds the query."""
    with sender(url, **options) as calling, pytest.raises(CdpSyncError) as raised:
        (work or (lambda calling, url: calling.send(request(url), body)))(calling, url)
    text = "".join(traceback.format_exception(raised.value))
    assert [word for word in (SECRET, "jane", "id=") if word in text] == []
    assert raised.value.__context__ is None
    return raised.value


@pytest.mark.parametrize("manner", ["silent", "drips", "drips headers"])
def test_a_stalled_call_times_out(manner: Any) -> None:
    """A stalled answer and an endless one both time out, even within the headers."""
    begun = time.monotonic()
    with ScriptedServer([Reply(manner=manner)]) as server:
        assert isinstance(failing_call(server.url, read=0.3, whole=0.5), ConnectionLost)
    assert time.monotonic() - begun < 5


def test_an_exceeded_deadline_is_reported() -> None:
    """A call that exceeds its deadline is reported as such, not as a dropped connection."""
    with ScriptedServer([Reply(manner="drips")]) as server:
        assert "did not answer in full within 0.3 s" in str(failing_call(server.url, whole=0.3))


def test_an_incomplete_answer_is_retried() -> None:
    """An incomplete answer counts as a dropped connection, and the call is retried."""
    with ScriptedServer([Reply(body=b"x" * 1000, manner="cut"), Reply(body=b"whole")]) as server:
        with sender(server.url, attempts=2) as calling:
            assert calling.send(request(server.url), body) == b"whole"
        assert len(server.calls) == 2
    with ScriptedServer([Reply(body=b"x" * 1000, manner="cut")]) as server:
        assert isinstance(failing_call(server.url), ConnectionLost)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    """An answer without Content-Length ends where the server closes the connection."""
    with ScriptedServer([Reply(body=b"all", manner="without length")]) as server, sender(server.url) as calling:
        assert calling.send(request(server.url), body) == b"all"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_errors_are_retried(status: int) -> None:
    """Transient errors are retried, up to the declared number of attempts."""
    with (
        ScriptedServer([Reply(status), Reply(status), Reply(body=b"yes")]) as server,
        sender(server.url, attempts=3) as calling,
    ):
        assert calling.send(request(server.url), body) == b"yes"
    with ScriptedServer([Reply(status)]) as server:
        failing_call(server.url, attempts=3)
        assert len(server.calls) == 3


def test_a_refused_connection_is_reported() -> None:
    """A refused connection is ServerUnreachable, with host and port in its message."""
    with ScriptedServer([Reply()]) as server:
        url = server.url
    error = failing_call(url)
    assert isinstance(error, ServerUnreachable)
    assert str(error).startswith(f"{url} cannot be reached: connection refused.")


def test_an_unknown_host_is_reported() -> None:
    """A host name that does not resolve is ServerUnreachable; RFC 2606 reserves `invalid`."""
    error = failing_call("https://api.invalid", connect=2)
    assert isinstance(error, ServerUnreachable)


def test_https_needs_tls() -> None:
    """An https call to a server without TLS sends nothing in the clear."""
    with ScriptedServer([Reply()]) as server:
        error = failing_call(server.url.replace("http:", "https:"))
        assert isinstance(error, (ServerRefused, ConnectionLost))
        assert not isinstance(error, CertificateRejected)
        assert server.calls == []


def test_a_signed_call_follows_no_redirect() -> None:
    """A signed call does not follow a redirect."""
    with (
        ScriptedServer([Reply()]) as other,
        ScriptedServer([Reply(302, headers={"Location": f"{other.url}/user"})]) as server,
    ):
        error = failing_call(server.url, attempts=3)
        assert isinstance(error, ServerRefused)
        assert "redirects calls" in str(error)
        assert (len(server.calls), other.calls) == (1, [])


def test_connections_are_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls reuse one connection, and `.netrc` is not read."""
    monkeypatch.setenv("NETRC", "/nonexistent")
    with ScriptedServer([Reply(body=b"yes")]) as server, sender(server.url) as calling:
        for _ in range(20):
            calling.send(request(server.url), body)
        assert len({call.port for call in server.calls}) == 1
        assert "Authorization" not in server.calls[0].headers


def test_no_log_line_holds_a_query(caplog: pytest.LogCaptureFixture) -> None:
    """No log line holds a query, not even urllib3's at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    with ScriptedServer([Reply(500), Reply(body=b"yes")]) as server, sender(server.url, attempts=2) as calling:
        calling.send(request(server.url), body)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    assert "jane" not in caplog.text


def test_a_repr_shows_no_personal_data() -> None:
    """The repr of a request shows neither address nor body; that of an answer shows no body."""
    posted = Request("a", "POST", "http://host", {"a": "jane"}, {"b": "jane"}, form={"c": "jane"}, json="jane")
    assert "jane" not in f"{request('http://host')!r} {posted!r} {Answer(200, {}, b'jane')!r}"


def test_a_pause_between_attempts_can_be_cancelled() -> None:
    """A pause between two attempts ends at once on cancellation."""
    cancelled = threading.Event()
    with ScriptedServer([Reply(500)]) as server:
        calling = Sender(
            server.url,
            retry=RetryPolicy(5, Pauses(60.0), log=lambda _line: cancelled.set()),
            limiter=RateLimiter(),
            timeouts=Timeouts(),
        )
        with calling, pytest.raises(Cancelled):
            calling.send(request(server.url), body, cancelled)


def test_the_environment_names_a_certificate_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE applies to the sender as it does to requests."""
    file = tmp_path / "authority.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with sender("https://127.0.0.1:1") as calling:
        assert calling._verify == str(file)


def test_constant_headers_are_sent_with_every_call() -> None:
    """Constant headers go with every call to the platform's own host, and to no other."""
    options = {"headers": {"Api-Key": "k-123"}}
    with (
        ScriptedServer([Reply()]) as other,
        ScriptedServer([Reply()]) as server,
        sender(server.url, options=options) as calling,
    ):
        calling.send(Request("user", "GET", f"{server.url}/a", headers={"X-One": "1"}), body)
        calling.send(Request("user", "GET", f"{other.url}/a"), body)
        calling.send(Request("user", "GET", f"{server.url}/a", anonymous=True), body)
    assert [(call.headers.get("Api-Key"), call.headers.get("X-One")) for call in server.calls] == [
        ("k-123", "1"),
        (None, None),
    ]
    assert "Api-Key" not in other.calls[0].headers


def test_every_attempt_is_signed_anew() -> None:
    """Each attempt is signed anew by a hook that sees the whole request."""
    numbers = iter("12")

    def authorize(request: Request) -> Request:
        parameters = {**request.query, "api_key": "k-123", "nonce": next(numbers)}
        return replace(request, query={**parameters, "sig": sign("s-otter", parameters)})

    with (
        ScriptedServer([Reply(500), Reply(body=b"yes")]) as server,
        sender(server.url, attempts=2, options={"authorize": authorize}) as calling,
    ):
        assert calling.send(Request("user", "GET", f"{server.url}/user", {"id": "jane+1@example.com"}), body) == b"yes"
    queries = [{name: value for name, (value,) in parse_qs(call.query).items()} for call in server.calls]
    assert [query["nonce"] for query in queries] == ["1", "2"]
    for query in queries:
        assert query.pop("sig") == sign("s-otter", query)


def test_an_invalid_header_is_not_shown() -> None:
    """A header value with a line break is an error that does not show the value."""
    options = {"headers": {"Api-Key": "k-123\nX: jane"}}
    with ScriptedServer([Reply()]) as server:
        error = failing_call(server.url, attempts=3, options=options)
        assert server.calls == []
    assert isinstance(error, SettingUnusable)
    assert "k-123" not in repr(error)


def test_a_body_is_json_or_a_form() -> None:
    """A body is sent as JSON or as a form, with its content type."""
    with ScriptedServer([Reply()]) as server, sender(server.url) as calling:
        calling.send(Request("user", "POST", server.url, json={"name": "Zoé", "n": [1, None]}), body)
        calling.send(Request("user", "POST", server.url, form={"a": "ö&b", "c": " "}), body)
        with pytest.raises(RequestRefused) as refused:
            calling.send(Request("user", "POST", server.url, json={"name": "jane", "n": float("nan")}), body)
    assert "jane" not in repr(refused.value)
    assert refused.value.__context__ is None
    sent = [(call.headers["Content-Type"], call.body.decode()) for call in server.calls]
    assert sent[0][0] == "application/json"
    assert json.loads(sent[0][1]) == {"name": "Zoé", "n": [1, None]}
    assert (sent[1][0], parse_qs(sent[1][1], keep_blank_values=True)) == (
        "application/x-www-form-urlencoded",
        {"a": ["ö&b"], "c": [" "]},
    )


def test_a_file_is_sent_with_a_form(tmp_path: Path) -> None:
    """A multipart form has the fields first, then the file, byte for byte."""
    file = tmp_path / 'us"er.jsonl'
    file.write_bytes(b"\r\n--x\r\n\x00\xff")
    with ScriptedServer([Reply()]) as server, sender(server.url) as calling:
        calling.send(Request("job", "POST", server.url, form={"json": '{"a": "ä"}'}, file=file), body)
    (call,) = server.calls
    assert int(call.headers["Content-Length"]) == len(call.body)
    message = email.message_from_bytes(f"Content-Type: {call.headers['Content-Type']}\r\n\r\n".encode() + call.body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_param("name", header="Content-Disposition") for part in parts] == ["json", "file"]
    assert [part.get_payload(decode=True) for part in parts] == ['{"a": "ä"}'.encode(), file.read_bytes()]


def test_a_slow_upload_is_aborted(tmp_path: Path) -> None:
    """A server that reads an upload too slowly is abandoned at the transfer's deadline."""
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
            error = failing_call(
                url, transfer=0.5, work=lambda calling, url: calling.send(Request("job", "POST", url, file=file), body)
            )
        finally:
            ended.set()
    assert "did not answer in full within 0.5 s" in str(error)
    assert time.monotonic() - begun < 5


def test_an_answer_can_be_streamed() -> None:
    """A streamed answer yields its body in parts; a dropped connection in it is ConnectionLost."""
    content = b"x" * 1_000_000
    replies = [Reply(206, content, {"X-Rows": "3"}), Reply(body=content, manner="cut")]
    with ScriptedServer(replies) as server, sender(server.url) as calling:
        with calling.stream(request(server.url)) as stream:
            assert (stream.status, stream.headers["x-rows"]) == (206, "3")
            assert b"".join(stream.chunks(1000)) == content
        with pytest.raises(ConnectionLost), calling.stream(request(server.url)) as stream:
            list(stream.chunks())


def test_a_declared_limit_applies_without_headers() -> None:
    """A declared bucket applies to answers without rate headers: of four calls, two wait."""
    limiter = RateLimiter(buckets={"user": Bucket(2, 0.2)})
    with ScriptedServer([Reply()]) as server, sender(server.url, limiter=limiter, options={}) as calling:
        calling._read_rate = lambda _status, _headers: RateInfo()
        begun = time.monotonic()
        for _ in range(4):
            calling.send(request(server.url), body)
    assert time.monotonic() - begun >= 0.2


def test_a_call_waits_no_longer_than_its_deadline() -> None:
    """A call fails at once when the platform asks for a pause beyond its deadline."""
    limiter = RateLimiter()
    limiter.acquire("user").answered(RateInfo(refused=True, retry_after=7200))
    with ScriptedServer([Reply()]) as server:
        assert isinstance(failing_call(server.url, limiter=limiter, turn=60), RateExceeded)
        assert server.calls == []


def test_calls_in_flight_can_be_aborted() -> None:
    """Another thread can abort the calls in flight, which fail as on a dropped connection."""
    with (
        ScriptedServer([Reply(manner="drips")]) as server,
        sender(server.url) as calling,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(calling.send, request(server.url), body)
        while not server.calls or not any(deadline.line for deadline in calling._under_way):
            time.sleep(0.01)
        calling.cut()
        assert isinstance(waiting.exception(10), ConnectionLost)
