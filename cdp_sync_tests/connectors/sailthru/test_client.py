"""The client against the sandbox, and against a scripted server for faults that the sandbox does not have."""

import json
import logging
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import SailthruAccount
from cdp_sync.connectors.sailthru.protocol import get_user, post_user
from cdp_sync.errors import (
    AuthenticationFailed,
    EndpointNotPermitted,
    JobLost,
    ListUnknown,
    RequestRefused,
    SecretMissing,
)
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.connectors.http.scripted_server import Reply, ScriptedServer

KEY, SECRET, JANE = "k-123", "s-otter-lamp", "jane@example.com"


def account(url: str, **fields: str) -> SailthruAccount:
    """Return an account at an address."""
    return SailthruAccount(api_key_env="KEY", api_secret_env="SECRET", base_url=url, **fields)


def client(url: str, secret: str = SECRET, **fields: str) -> SailthruClient:
    """Return a client with short pauses."""
    environ = {"KEY": KEY, "SECRET": secret}
    return SailthruClient(account(url, **fields), environ=environ, attempts=3, first_pause=0.01, wait=lambda _: None)


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """A sandbox with two users on a list."""
    with SailthruSandbox(api_key=KEY, api_secret=SECRET) as box:
        box.account.add_users(
            [
                {"email": JANE, "vars": {"plan": "pro", "city": "Köln"}, "lists": ["Main"]},
                {"email": "joe@example.com", "lists": ["Main"]},
            ]
        )
        yield box


def test_lists_are_returned(box: SailthruSandbox) -> None:
    """The lists are returned with their kinds."""
    with client(box.url) as calling:
        assert [(found.name, found.kind) for found in calling.lists()] == [("Main", "natural")]


def test_users_are_read_and_changed(box: SailthruSandbox) -> None:
    """Users are read and changed. An unknown user is None; an invalid change is refused."""
    with client(box.url) as calling:
        assert calling.user("nobody@example.com", "email") is None
        jane = calling.user(JANE, "email", {"keys": 1, "vars": 1, "lists": 1})
        assert jane
        assert jane["vars"] == {"plan": "pro", "city": "Köln"}
        sid = jane["keys"]["sid"]
        assert calling.update_user({"id": sid, "key": "sid", "vars": {"plan": None, "n": 1}})["ok"] is True
        assert (calling.user(sid, "sid") or {})["vars"] == {"plan": None, "city": "Köln", "n": 1}
        with pytest.raises(RequestRefused):
            calling.update_user({"id": "no address", "key": "email"})
        with pytest.raises(RequestRefused):
            calling.update_user({"id": "0" * 24, "key": "sid"})


def test_a_list_is_exported(box: SailthruSandbox, tmp_path: Path) -> None:
    """An export job is started, awaited and downloaded."""
    with client(box.url) as calling:
        job_id = calling.start_export("Main", ["plan"])
        job = calling.wait_for(job_id, 60)
        assert job.export_url
        calling.download(job.export_url, tmp_path / "main.csv")
        with pytest.raises(ListUnknown):
            calling.start_export("Other")
        with pytest.raises(JobLost):
            calling.job("1" * 24)
    lines = (tmp_path / "main.csv").read_text().splitlines()
    assert (lines[0].endswith(",plan"), len(lines), job.status) == (True, 3, "completed")


def test_users_are_updated_from_a_file(box: SailthruSandbox, tmp_path: Path) -> None:
    """Users are updated from a file of JSON lines."""
    file = tmp_path / "users.jsonl"
    file.write_text(json.dumps({"id": JANE, "key": "email", "vars": {"plan": "Größe ✓"}}) + "\n")
    with client(box.url) as calling:
        calling.wait_for(calling.start_update(file), 60)
        assert (calling.user(JANE, "email") or {})["vars"]["plan"] == "Größe ✓"


def test_many_calls_are_made_concurrently(box: SailthruSandbox) -> None:
    """Each of many concurrent calls has its own answer, None or error."""
    calls = [post_user({"id": f"u{number}@example.com", "key": "email"}) for number in range(50)]
    calls += [get_user("nobody@example.com", "email"), post_user({"id": "no address", "key": "email"})]
    with client(box.url) as calling:
        outcomes = dict(calling.each(calls, workers=4))
    assert [outcomes[place] for place in range(50)] == [{"ok": True}] * 50
    assert outcomes[50] is None
    assert isinstance(outcomes[51], RequestRefused)


def test_check_names_the_problems(box: SailthruSandbox) -> None:
    """`check` verifies the credentials, each endpoint and the time zone."""
    with client(box.url, time_zone="America/New_York") as calling:
        findings = calling.check()
    assert findings == dict.fromkeys(["credentials", "list", "user", "job", "time_zone"], "")
    with client(box.url) as calling:
        assert "America/New_York" in calling.check()["time_zone"]
    with client(box.url, secret="wrong") as calling:
        ((subject, problem),) = calling.check().items()
    assert (subject, bool(problem)) == ("credentials", True)


def test_check_names_a_forbidden_endpoint() -> None:
    """`check` names a forbidden endpoint; a refusal of an unknown job proves that the endpoint is permitted."""
    refusals = {
        "/list": Reply(200, b'{"lists":[]}'),
        "/user": Reply(403, b'{"error":99,"errormsg":"no"}'),
        "/job": Reply(401, b'{"error":99,"errormsg":"Invalid Job ID: 0"}'),
        "/settings": Reply(403, b'{"error":99,"errormsg":"no"}'),
    }
    with ScriptedServer(lambda call: refusals[call.path]) as server, client(server.url) as calling:
        findings = calling.check()
    assert "endpoint user" in findings.pop("user")
    assert findings == {"credentials": "", "list": "", "job": ""}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, b'{"error":5,"errormsg":"no"}'), AuthenticationFailed),
        (Reply(403, b'{"error":99,"errormsg":"no"}'), EndpointNotPermitted),
    ],
)
def test_an_error_of_every_call_ends_all_calls(reply: Reply, kind: type[Exception]) -> None:
    """An error that concerns every call ends the calls."""
    with ScriptedServer([reply]) as server, client(server.url) as calling:
        with pytest.raises(kind):
            list(calling.each(get_user(str(number), "email") for number in range(1000)))
        assert len(server.calls) < 40


def test_an_export_that_is_gone_is_lost(tmp_path: Path) -> None:
    """An export that is gone is JobLost, and its address gets no credentials."""
    with ScriptedServer([Reply(403)]) as server, client(server.url) as calling:
        with pytest.raises(JobLost):
            calling.download(f"{server.url}/export/1", tmp_path / "a.csv")
        (call,) = server.calls
    assert (call.query, call.body, "Authorization" in call.headers) == ("", b"", False)


def test_an_upload_is_streamed(tmp_path: Path) -> None:
    """An upload of 50 MB needs less than 4 MB of memory, and a retry starts from the beginning."""
    file = tmp_path / "users.jsonl"
    with file.open("wb") as large:
        large.truncate(50 << 20)
    sizes: list[int] = []

    def reply(call: object) -> Reply:
        sizes.append(1)
        return Reply(500) if len(sizes) == 1 else Reply(200, b'{"job_id":"1","update":[],"status":"pending"}')

    with ScriptedServer(reply) as server, client(server.url) as calling:
        server.keeps_bodies = False
        tracemalloc.start()
        try:
            assert calling.start_update(file) == "1"
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert {call.headers["Content-Length"] for call in server.calls} == {server.calls[0].headers["Content-Length"]}
    assert len(sizes) == 2
    assert peak < 4 << 20


def test_no_secret_and_no_personal_data_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    """No log line, error or repr holds a secret or personal data."""
    refused = b'{"error":11,"errormsg":"Invalid email: jane@example.com k-123 s-otter-lamp"}'
    with caplog.at_level(logging.DEBUG), ScriptedServer([Reply(500, refused), Reply(400, refused)]) as server:
        with client(server.url) as calling, pytest.raises(RequestRefused) as raised:
            calling.user(JANE, "email")
        shown = f"{raised.value!r} {calling!r} {caplog.text}"
        sig = server.calls[0].query.rpartition("sig=")[2]
    assert len(sig) == 32
    assert [word for word in (KEY, SECRET, "jane", sig) if word in shown] == []


@pytest.mark.parametrize("environ", [{}, {"KEY": "k"}, {"KEY": "k", "SECRET": ""}])
def test_a_missing_secret_is_named(environ: dict[str, str]) -> None:
    """A missing secret is named by its variable before any call."""
    with pytest.raises(SecretMissing, match="KEY" if not environ else "SECRET"):
        SailthruClient(account("https://api.sailthru.com"), environ=environ)
