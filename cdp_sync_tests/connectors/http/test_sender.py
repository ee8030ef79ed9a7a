"""Calls that go wrong: time-outs, lost lines, refusals, attempts. What is told of them holds no query and no body."""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.http.gate import RateGate, Told
from cdp_sync.connectors.http.rates import Rate
from cdp_sync.connectors.http.retry import GivenUp, Persistence
from cdp_sync.connectors.http.sender import Answer, Request, Sender, Timeouts
from cdp_sync.errors import (
    CdpSyncError,
    CertificateRejected,
    ConnectionLost,
    RateExceeded,
    RemoteFailure,
    ServerRefused,
    ServerUnreachable,
)
from cdp_sync_tests.connectors.http.scene import Reply, Scene

SECRET = "jane%40example.com"


def sender(url: str, *, attempts: int = 1, gate: RateGate | None = None, **timeouts: float) -> Sender:
    """Return a sender that hardly pauses."""
    return Sender(
        url,
        tell=told,
        persistence=Persistence(logging.getLogger(__name__).info, attempts, 0.01),
        gate=gate or RateGate(),
        timeouts=Timeouts(**timeouts),
    )


def told(answer: Answer) -> Told:
    """Tell that 429 is a refusal for the rate's sake, until a second that is over."""
    return Told(Rate(100, 50, 1000), date=1000, refused=answer.status == 429)


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
    """Call in vain and return the error, which tells nothing of the query, nor does its traceback."""
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


def test_a_call_that_takes_too_long_is_told_as_such() -> None:
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


def test_nobody_there_is_told_as_such() -> None:
    """With host and port alone."""
    with Scene([Reply()]) as scene:
        url = scene.url
    error = failed(url)
    assert isinstance(error, ServerUnreachable)
    assert str(error).startswith(f"{url} cannot be reached: connection refused.")


def test_a_name_nobody_knows_is_told_as_such() -> None:
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
        assert "elsewhere" in str(error)
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
    """Not even urllib3's on the level DEBUG, which tells every address."""
    caplog.set_level(logging.DEBUG)
    with Scene([Reply(500), Reply(body=b"yes")]) as scene, sender(scene.url, attempts=2) as calling:
        calling.send(request(scene.url), body)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    assert "jane" not in caplog.text


def test_nothing_shows_in_a_repr() -> None:
    """Of a call neither address nor body, of an answer no body."""
    shown = f"{request('http://host')!r} {Request('a', 'POST', 'http://host', b'jane')!r} {Answer(200, {}, b'jane')!r}"
    assert "jane" not in shown


def test_a_call_that_waits_for_another_attempt_can_be_given_up() -> None:
    """Pauses end when nobody waits for the call any more."""
    given_up = threading.Event()
    with Scene([Reply(500)]) as scene:
        calling = Sender(
            scene.url,
            tell=told,
            persistence=Persistence(lambda _line: given_up.set(), 5, 60.0),
            gate=RateGate(),
            timeouts=Timeouts(),
        )
        with calling, pytest.raises(GivenUp):
            calling.send(request(scene.url), body, given_up)


def test_an_authority_of_ones_own_is_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE holds for the sender as it does for requests."""
    file = tmp_path / "authority.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with sender("https://127.0.0.1:1") as calling:
        assert calling._verify == str(file)
