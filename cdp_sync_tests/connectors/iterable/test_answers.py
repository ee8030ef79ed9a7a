"""Answers of Iterable: a table of errors, and samples of recorded answers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.answers import decipher, decipher_number
from cdp_sync.connectors.iterable.protocol import Call, UserQuery
from cdp_sync.errors import (
    AuthenticationFailed,
    CdpSyncError,
    EndpointNotPermitted,
    FieldsRefused,
    JobLost,
    ListUnknown,
    RateExceeded,
    RemoteFailure,
    RequestRefused,
    ServerRefused,
    Transient,
    UserForgotten,
    UserUnknown,
)

SAMPLES = Path(__file__).parent / "samples"
JANE = "jane@example.com"
LISTS, SIZE, USER = protocol.get_lists(), protocol.get_list_size(7), protocol.get_user("email", JANE)
JOB, START = protocol.get_export_files(1), protocol.start_export(UserQuery())
BULK = protocol.bulk_update([b'{"email":"jane@example.com"}'], create_fields=True)

REFUSALS = [
    (LISTS, 401, {"msg": "Invalid API key", "code": "BadApiKey"}, AuthenticationFailed),
    (LISTS, 401, {"msg": "Invalid API key", "code": "Success"}, AuthenticationFailed),
    (LISTS, 401, None, AuthenticationFailed),
    (LISTS, 403, {"msg": "no", "code": "Forbidden"}, EndpointNotPermitted),
    (LISTS, 404, None, ServerRefused),
    (LISTS, 429, {"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}, RateExceeded),
    (LISTS, 429, None, RateExceeded),
    (LISTS, 500, {"msg": "Please try again later", "code": "Generic Error"}, RemoteFailure),
    (LISTS, 503, {"msg": "timeout", "code": "GenericError"}, RemoteFailure),
    (LISTS, 504, None, RemoteFailure),
    (SIZE, 400, {"msg": "error.lists.invalidListId(7)", "code": "Success"}, ListUnknown),
    (JOB, 404, {"msg": "Export job not found", "code": "NotFound"}, JobLost),
    (JOB, 400, {"msg": "no such job", "code": "BadParams"}, JobLost),
    (START, 400, {"msg": "no", "code": "BadParams"}, RequestRefused),
    (USER, 400, {"msg": f"Invalid email: {JANE}", "code": "InvalidEmailAddressError"}, RequestRefused),
    (BULK, 400, {"msg": f"bad {JANE}", "code": "BadJsonBody", "params": {JANE: "wrong"}}, RequestRefused),
    (BULK, 409, {"msg": f"{JANE} was forgotten", "code": "ForgottenUserError"}, RequestRefused),
    (BULK, 413, {"msg": "too large", "code": "BatchTooLarge"}, RequestRefused),
    (BULK, 400, {"msg": "x", "code": f"strange {JANE}"}, RequestRefused),
    (BULK, 413, None, RequestRefused),
]


def sample(name: str) -> bytes:
    """Return the sample of a recorded answer."""
    return (SAMPLES / f"{name}.json").read_bytes()


@pytest.mark.parametrize(("call", "status", "said", "error"), REFUSALS)
def test_the_status_decides_the_type_of_error(call: Call, status: int, said: Any, error: type[CdpSyncError]) -> None:
    """The status decides the type of the error, not the code. The message has no personal data."""
    content = b"<html>Action not found</html>" if said is None else json.dumps(said).encode()
    with pytest.raises(error) as problem:
        decipher(call, status, content)
    assert type(problem.value) is error
    assert JANE not in str(problem.value)
    assert isinstance(problem.value, Transient) == (status in (429, 500, 503, 504) or error is JobLost)


def test_an_answer_without_json_is_a_failure() -> None:
    """An answer without JSON, such as a gateway's page, is RemoteFailure."""
    with pytest.raises(RemoteFailure):
        decipher(LISTS, 200, b"<html>")
    with pytest.raises(RemoteFailure):
        decipher_number(SIZE, 200, b'{"size": 2}')
    assert decipher_number(SIZE, 200, b"2\n") == 2


def test_lists_are_read() -> None:
    """Lists have their kinds, and creation times in milliseconds or seconds."""
    one, vip, never = answers.mailing_lists(decipher(LISTS, 200, sample("lists")))
    assert (one.id, one.name, one.kind, one.is_static) == (1068682, "List One", "static", True)
    assert (vip.kind, vip.is_static, never.kind) == ("dynamic", False, "suppression")
    assert one.created_at == datetime(2021, 7, 1, 18, 5, 18, 344000, tzinfo=UTC)
    assert never.created_at == datetime(2021, 5, 4, 21, 58, 23, tzinfo=UTC)


def test_fields_are_read() -> None:
    """Fields are flat, with dotted names."""
    fields = answers.field_types(decipher(protocol.get_fields(), 200, sample("fields")))
    assert (fields["address.number"], fields["isVip"], len(fields)) == ("long", "boolean", 8)


def test_a_user_is_read() -> None:
    """A user has fields and identifiers; an unknown user is an empty object or a refusal."""
    user = answers.user(decipher(USER, 200, sample("user")))
    assert user
    assert (user["email"], user["userId"], user["address"], user["emailListIds"]) == (JANE, "u1", {"city": "X"}, [7])
    assert answers.user(decipher(USER, 200, sample("user_unknown"))) is None
    refusal = json.dumps({"msg": "error.users.noUserWithIdExists", "code": "Success"}).encode()
    assert answers.user(decipher(protocol.get_user("userId", "u2"), 400, refusal)) is None


def test_an_export_is_read() -> None:
    """States are case-insensitive, and additional fields are ignored."""
    assert answers.job_id(decipher(START, 200, sample("export_started"))) == 3562
    found = json.loads(sample("export_files"))
    for state in ("completed", "Completed", "COMPLETED"):
        read = answers.export_state({**found, "jobState": state, "new": 1})
        assert (read.state, read.truncated, [file.name[-5:] for file in read.files]) == (
            "completed",
            False,
            [".json", ".json"],
        )
    assert "signature" not in repr(read)
    with pytest.raises(RemoteFailure):
        answers.job_id({"jobId": "x"})


def test_mismatched_types_are_named() -> None:
    """A type mismatch is reported with field and type, without the value."""
    with pytest.raises(RequestRefused, match="signupDate is date") as problem:
        decipher(BULK, 400, sample("types_mismatched"))
    assert JANE not in str(problem.value)


def test_users_of_a_call_for_many_who_were_refused_are_read() -> None:
    """By key and identifier, addresses without case; lists of failures that are new count as well."""
    found = answers.failures(decipher(BULK, 200, sample("users_updated")))
    assert (found.count, found.dropped_fields) == (6, ("legacy",))
    assert {who: type(problem) for who, problem in found.reasons.items()} == {
        ("email", "bad@"): RequestRefused,
        ("userId", "x "): RequestRefused,
        ("userId", "U9"): UserUnknown,
        ("email", JANE): RequestRefused,
        ("email", "twice@example.com"): RequestRefused,
        ("email", "gone@example.com"): UserForgotten,
        ("email", "new@example.com"): RequestRefused,
    }
    assert "another type" in str(found.reasons["email", JANE])
    assert "different users" in str(found.reasons["email", "twice@example.com"])
    assert "@" not in "".join(map(str, found.reasons.values()))


def test_answers_of_2021_name_invalid_users_only() -> None:
    """In two lists of their own; an answer may name nobody."""
    found = answers.failures(decipher(BULK, 200, sample("users_updated_2021")))
    assert (found.count, list(found.reasons)) == (1, [("email", "000")])
    assert answers.failures({"successCount": 1, "failCount": 2}).count == 2
    assert answers.failures({}).count == 0


def test_a_project_with_too_many_fields_is_no_problem_of_one_user() -> None:
    """The call is not split then."""
    refusal = json.dumps({"msg": "no", "code": "UniqueFieldsLimitExceeded"}).encode()
    with pytest.raises(FieldsRefused, match="1,000"):
        decipher(BULK, 400, refusal)


def test_a_list_that_users_are_put_on() -> None:
    """A static one, or none of that name yet; no id that there is not, and no list that Iterable fills."""
    lists = answers.mailing_lists(decipher(LISTS, 200, sample("lists")))
    found = answers.target(lists, "List One")
    assert found is not None
    assert answers.target(lists, found.id) == found
    assert answers.target(lists, "Another") is None
    for named in ("VIP", "Never", 7):
        with pytest.raises(ListUnknown):
            answers.target(lists, named)
