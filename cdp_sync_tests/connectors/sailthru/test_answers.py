"""Answers of Sailthru: a table of errors, and samples of recorded answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sailthru import answers, protocol
from cdp_sync.connectors.sailthru.answers import decipher
from cdp_sync.connectors.sailthru.protocol import Call
from cdp_sync.errors import (
    AuthenticationFailed,
    CdpSyncError,
    EndpointNotPermitted,
    JobLost,
    ListUnknown,
    RateExceeded,
    RemoteFailure,
    RequestRefused,
    ServerRefused,
    UserUnknown,
)

SAMPLES = Path(__file__).parent / "samples"
JANE = "jane@example.com"
GET_USER, POST_USER = protocol.get_user(JANE, "email"), protocol.post_user({"id": JANE})
GET_JOB, POST_JOB, GET_LIST = protocol.get_job("1"), protocol.export_list("Main"), Call("GET", "list", {"list": "Main"})

REFUSALS = [
    (GET_LIST, 401, 3, "Invalid API key: 123key", AuthenticationFailed),
    (GET_LIST, 401, 5, "Authentication failed", AuthenticationFailed),
    (GET_LIST, 200, 5, "Authentication failed", AuthenticationFailed),
    (GET_LIST, 403, 4, "IP not allowed", ServerRefused),
    (GET_LIST, 403, 22, "Feature not available", ServerRefused),
    (GET_LIST, 404, 15, "Unknown list: Main", ListUnknown),
    (POST_JOB, 404, 15, "Unknown list: Main", ListUnknown),
    (POST_JOB, 200, 15, "Unknown list: Main", ListUnknown),
    (POST_JOB, 403, 99, "Not yours", EndpointNotPermitted),
    (POST_JOB, 401, 99, "Not yours", EndpointNotPermitted),
    (GET_JOB, 401, 99, "Invalid Job ID: 1", JobLost),
    (GET_JOB, 400, 99, "Invalid Job ID: 1", JobLost),
    (GET_JOB, 404, 99, "no such thing", JobLost),
    (GET_JOB, 401, 99, "not authorized", EndpointNotPermitted),
    (GET_JOB, 403, 99, "not authorized", EndpointNotPermitted),
    (GET_JOB, 405, 1, "unsupported", EndpointNotPermitted),
    (GET_USER, 400, 99, "This account has no extid", RequestRefused),
    (POST_USER, 400, 99, f"User not found with sid: {JANE}", UserUnknown),
    (POST_USER, 400, 11, f"Invalid email: {JANE}", RequestRefused),
    (POST_USER, 409, 99, f"key {JANE} exists", RequestRefused),
    (POST_USER, 400, 99, f"var too long {JANE}", RequestRefused),
    (POST_USER, 200, 35, f"{JANE} bounced", RequestRefused),
    (POST_USER, 429, 43, "Too many POST requests this minute to /user API", RateExceeded),
    (POST_USER, 200, 43, "Too many POST requests this minute to /user API", RateExceeded),
    (POST_USER, 429, 99, "slow", RateExceeded),
    (POST_USER, 500, 9, f"Internal {JANE}", RemoteFailure),
    (POST_USER, 200, 9, "Internal", RemoteFailure),
    (POST_USER, 503, 99, "busy", RemoteFailure),
]


def sample(name: str) -> Any:
    """Return the sample of a recorded answer."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.mark.parametrize(("call", "status", "code", "text", "kind"), REFUSALS)
def test_errors_are_reported_by_code_status_and_endpoint(
    call: Call, status: int, code: int, text: str, kind: type[CdpSyncError]
) -> None:
    """Code, status and endpoint decide the type of the error. Sailthru's own text is left out."""
    body = json.dumps({"error": code, "errormsg": text}).encode()
    with pytest.raises(CdpSyncError) as refused:
        decipher(call, status, body)
    assert type(refused.value) is kind
    assert [word for word in (JANE, "123key", text) if word in repr(refused.value)] == []
    assert refused.value.__context__ is None
    if kind is EndpointNotPermitted:
        assert f"endpoint {call.endpoint}" in str(refused.value)


@pytest.mark.parametrize(("call", "status"), [(GET_USER, 400), (Call("DELETE", "user", {"id": JANE}), 404)])
def test_an_unknown_user_is_no_error(call: Call, status: int) -> None:
    """An unknown user is no error: reading answers 400 and deleting 404, both with code 99."""
    body = json.dumps({"error": 99, "errormsg": f"User not found with email: {JANE}"}).encode()
    assert decipher(call, status, body) is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", RemoteFailure),
        (200, b"[]", RemoteFailure),
        (200, b"\xff", RemoteFailure),
        (502, b"<html>", RemoteFailure),
        (429, b"", RateExceeded),
        (404, b"<html>", ServerRefused),
        (401, b"{}", ServerRefused),
        (403, b"<html>", RequestRefused),
        (413, b"", RequestRefused),
    ],
)
def test_a_foreign_answer_is_reported_by_its_status(status: int, body: bytes, kind: type[CdpSyncError]) -> None:
    """An answer that is not Sailthru's, such as a gateway's page, is reported by its status."""
    with pytest.raises(CdpSyncError) as refused:
        decipher(POST_USER, status, body)
    assert type(refused.value) is kind


def test_an_answer_with_one_of_the_two_keys_is_no_error() -> None:
    """Only an answer with both error keys is an error: a user may have a variable of such a name."""
    assert decipher(GET_USER, 200, b'{"error": 1, "ok": true}') == {"error": 1, "ok": True}


def test_lists_are_natural_or_smart() -> None:
    """A list is natural (also `normal`) or smart; its count has either of two names."""
    main, smart = answers.mailing_lists(sample("lists"))
    assert (main.name, main.kind, main.count, smart.kind) == ("Main", "natural", 120, "smart")
    (one,) = answers.mailing_lists({"lists": [{"name": "Main", "type": "normal", "email_count": "1"}]})
    assert (one.name, one.kind, one.count) == ("Main", "natural", 1)
    assert answers.mailing_lists({"lists": None}) == answers.mailing_lists({"lists": {}}) == ()


@pytest.mark.parametrize("empty", [None, [], {}])
def test_missing_parts_of_a_user_are_empty(empty: object) -> None:
    """A missing part of a user is empty, given as null, as an array or as an object."""
    assert answers.user({"vars": empty, "lists": empty, "keys": empty}) == {"vars": {}, "lists": {}, "keys": {}}
    assert answers.user({"ok": True}) == {"ok": True}


def test_parts_of_a_user_are_unchanged() -> None:
    """The parts of a user are returned unchanged."""
    user = answers.user(sample("user"))
    assert (user["lists"], user["vars"]["ltv"]) == ({}, 3039)


def test_jobs_have_a_status() -> None:
    """A job is started, completed with a hidden address, or expired."""
    assert answers.job(sample("job_started")).status == "pending"
    done = answers.job(sample("job_completed"))
    assert (done.status, done.expired) == ("completed", False)
    assert done.export_url
    assert "s3" not in repr(done)
    assert answers.job({"job_id": "1", "status": "completed", "expired": True}).expired
    with pytest.raises(RemoteFailure):
        answers.job({"status": "pending"})
