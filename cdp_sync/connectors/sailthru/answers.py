"""What an answer of Sailthru's means: lists, jobs and users, or one of our errors. No I/O.

What is unset comes as null, as [] or not at all. An error is reported by its code alone, in our words: the text that
comes with it may quote an address. Code 99 means anything, so status and endpoint decide. An answer is an error if it
has both `error` and `errormsg`, whatever its status.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from cdp_sync import errors
from cdp_sync.connectors.sailthru.protocol import RATE_EXCEEDED, Call

_OTHER = 99
_WORDS = {
    1: "this method is not supported there",
    2: "a required parameter is missing",
    6: "a field is not UTF-8",
    11: "the e-mail address is invalid",
    18: "a time is invalid",
    32: "the user has opted out",
    33: "the user has opted out of this template",
    34: "the address must not be mailed to",
    35: "mail to the address bounced for good",
    37: "the user takes basic mail only",
    42: "a field is not UTF-8",
}
_WRONG_CREDENTIALS = {3: "the API key is unknown", 5: "the signature is wrong"}
_NOT_FOR_US = {
    4: ("this machine's address is not allowed", "Have it added to the addresses that the account allows."),
    21: ("the account is not approved", "Ask the account's owner."),
    22: ("the account's plan does not include this", "Ask the account's owner."),
}


@dataclass(frozen=True)
class Refusal:
    """An error as Sailthru answered it."""

    call: Call
    status: int
    code: int
    text: str = field(repr=False)
    """Never part of a message."""

    def __str__(self) -> str:
        words = f", {_WORDS[self.code]}" if self.code in _WORDS else ""
        call = f"{self.call.method} {self.call.endpoint}"
        return f"{call} was answered with error {self.code}, status {self.status}{words}"


def decipher(call: Call, status: int, content: bytes) -> dict[str, Any] | None:
    """Return what was asked for; None where a user was asked for who does not exist.

    Raises:
        AuthenticationFailed: The key or the secret is wrong.
        EndpointNotPermitted: The key must not use this endpoint.
        ServerRefused: The account or this machine is refused, or that is no address of the API.
        ListUnknown: There is no list of that name.
        JobLost: There is no job of that id.
        RequestRefused: This call is refused; others may be taken.
        RateExceeded: No more calls are taken in this minute.
        RemoteFailure: Sailthru failed, or answered something that is no answer.
    """
    try:
        found = json.loads(content)
    except ValueError:  # of encodings as well
        found = None
    if isinstance(found, dict) and {"error", "errormsg"} <= found.keys():
        code = found["error"] if str(found["error"]).isdecimal() else _OTHER
        refusal = Refusal(call, status, int(code), str(found["errormsg"]))
        if _absent(refusal) and call.method != "POST":
            return None
        raise _error(refusal)
    if status != HTTPStatus.OK or not isinstance(found, dict):
        raise _unexpected(call, status)
    return found


@dataclass(frozen=True)
class MailingList:
    """A list of an account."""

    name: str
    kind: Literal["natural", "smart"]
    """Natural: users are put on it. Smart: the users who fit a query are on it."""
    count: int | None
    """How many users are on it; None where the answer does not say."""


def mailing_lists(answer: Mapping[str, Any]) -> tuple[MailingList, ...]:
    """Return the lists of an answer.

    Raises:
        RemoteFailure: One of them has no name.
    """
    found = answer.get("lists")
    rows: Iterable[Mapping[str, Any]] = found.values() if isinstance(found, Mapping) else found or ()
    return tuple(
        MailingList(
            name=_text(row, "name", "a list"),
            kind="smart" if row.get("type") == "smart" else "natural",  # which others call normal
            count=int(count) if str(count := row.get("count", row.get("email_count"))).isdecimal() else None,
        )
        for row in rows
    )


@dataclass(frozen=True)
class Job:
    """A job that runs at Sailthru."""

    id: str
    status: str = ""
    """`pending`, `completed` (with a result) or `error` (without one); others are not documented."""
    export_url: str | None = field(default=None, repr=False)
    """Where an export's result is, for about two hours. It can be fetched without credentials."""
    expired: bool = False


def job(answer: Mapping[str, Any]) -> Job:
    """Return a job.

    Raises:
        RemoteFailure: It has no id.
    """
    status, url = str(answer.get("status") or "pending"), answer.get("export_url") or None
    return Job(_text(answer, "job_id", "a job"), status, url, bool(answer.get("expired")))


def user(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a user that are present; `keys`, `vars` and `lists` as objects."""
    return {**answer, **{name: answer[name] or {} for name in ("keys", "vars", "lists") if name in answer}}


def _text(answer: Mapping[str, Any], key: str, what: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise errors.RemoteFailure(f"Sailthru's answer has {what} without {key}.")
    return value


def _absent(refusal: Refusal) -> bool:
    # By status and endpoint; the text as well, as a misused key may be answered alike and must not look like absence.
    return (
        refusal.call.endpoint == "user"
        and refusal.code == _OTHER
        and refusal.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.OK)
        and "not found" in refusal.text.lower()
    )


def _error(refusal: Refusal) -> errors.CdpSyncError:
    if refusal.status == RATE_EXCEEDED or refusal.code == 43:
        return _rate_exceeded(refusal.call)
    if refusal.status >= 500 or refusal.code == 9:
        return errors.RemoteFailure(f"Sailthru failed: {refusal}.")
    if refusal.code in _WRONG_CREDENTIALS:
        return errors.AuthenticationFailed(
            f"Sailthru refuses us: {_WRONG_CREDENTIALS[refusal.code]} (error {refusal.code}).",
            remedy="Check what api_key_env and api_secret_env name, and that both are of the same account.",
        )
    if refusal.code in _NOT_FOR_US:
        words, remedy = _NOT_FOR_US[refusal.code]
        found = f"Sailthru refuses {refusal.call.endpoint}: {words} (error {refusal.code})."
        return errors.ServerRefused(found, remedy=remedy)
    return _about_the_call(refusal)


def _about_the_call(refusal: Refusal) -> errors.CdpSyncError:
    call, status = refusal.call, refusal.status
    if refusal.code == 15:
        return errors.ListUnknown(f"Sailthru has no list {call.says.get('list', '')!r}.", remedy="Correct its name.")
    # One source has the unknown job with status 401, so its text says whether a permission is missing.
    about_job = call.endpoint == "job" and call.method == "GET" and refusal.code == _OTHER
    denied = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if about_job and (not denied or "job id" in refusal.text.lower()):
        return errors.JobLost("Sailthru does not know the job, or not any more.", remedy="The next run starts another.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED) and refusal.code != 41:
        return errors.EndpointNotPermitted(
            f"The API key must not use the endpoint {call.endpoint} ({call.method} was answered with status {status}).",
            needed="Needed are job, user and list.",
            remedy="Have Sailthru's support permit it for this key.",
        )
    if _absent(refusal):
        return errors.UserUnknown("Sailthru has no user with that key, and creates none by it.")
    if status == HTTPStatus.CONFLICT:
        return errors.RequestRefused("Sailthru refuses the user: a key of theirs belongs to another one (status 409).")
    return errors.RequestRefused(f"Sailthru refuses the call: {refusal}.")


def _rate_exceeded(call: Call) -> errors.RateExceeded:
    return errors.RateExceeded(
        f"Sailthru takes no more calls of the kind {call.method} {call.endpoint} in this minute.",
        remedy="Others that use the same API key may use up its rate.",
    )


def _unexpected(call: Call, status: int) -> errors.CdpSyncError:
    if status == RATE_EXCEEDED:
        return _rate_exceeded(call)
    said = f"{call.method} {call.endpoint} was answered with status {status}, not in Sailthru's way"
    if status in (HTTPStatus.OK, HTTPStatus.REQUEST_TIMEOUT) or status >= 500:
        return errors.RemoteFailure(f"{said}.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return errors.ServerRefused(f"{said}.", remedy="Check that base_url is the address of its API.")
    return errors.RequestRefused(f"{said}.", remedy="Something in between may not let it through.")
