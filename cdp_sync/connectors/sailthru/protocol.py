"""Calls of Sailthru's API, and what its answers say of the rate. This module does no I/O.

Every call has four parameters: `api_key`, `format`, `json` with all that the call says, and `sig`. The signature is
over the text of the JSON, so that is written once.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from cdp_sync.connectors.http.rate_limit import Rate, RateInfo
from cdp_sync.connectors.http.sender import as_json

Method = Literal["GET", "POST", "DELETE"]
RATE_EXCEEDED = 429


@dataclass(frozen=True)
class Credentials:
    """What calls are signed with. Neither shows in its `repr`."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Call:
    """One call. Its content does not show in its `repr`: it is personal data."""

    method: Method
    endpoint: str
    says: Mapping[str, Any] = field(default_factory=dict, repr=False)
    file: Path | None = field(default=None, repr=False)
    """Sent along, neither named in the JSON nor signed."""

    @property
    def kind(self) -> tuple[str, str]:
        """What Sailthru counts by itself."""
        return self.endpoint, self.method


def get_lists() -> Call:
    """Ask for all lists."""
    return Call("GET", "list")


def get_settings() -> Call:
    """Ask for the account's settings; a key may not be allowed to."""
    return Call("GET", "settings")


def get_user(id: str, key: str, fields: Mapping[str, object] | None = None) -> Call:  # noqa: A002 - Sailthru's word
    """Ask for a user by one of its keys, with fields such as `{"keys": 1, "vars": 1}`; Sailthru's choice by default."""
    return Call("GET", "user", {"id": id, "key": key} | ({"fields": dict(fields)} if fields else {}))


def post_user(body: Mapping[str, object]) -> Call:
    """Create or change a user. `key` should always be in the body: without, `id` is an e-mail address."""
    return Call("POST", "user", body)


def get_job(job_id: str) -> Call:
    """Ask how a job is."""
    return Call("GET", "job", {"job_id": job_id})


def export_list(name: str, variables: Sequence[str] | None = None) -> Call:
    """Start an export of a list, natural or smart, with these custom fields, all by default."""
    wanted = {} if variables is None else {"fields": {"vars": dict.fromkeys(variables, 1)}}
    return Call("POST", "job", {"job": "export_list_data", "list": name} | wanted)


def update_users(file: Path) -> Call:
    """Start an update of many users: one JSON object a line, each like a body of `post_user`."""
    return Call("POST", "job", {"job": "update"}, file)


def form(credentials: Credentials, call: Call) -> dict[str, str]:
    """Return the signed parameters of a call.

    Raises:
        RequestRefused: It holds a value that JSON cannot represent.
    """
    said = as_json(call.says, f"A call to {call.endpoint}")
    parameters = {"api_key": credentials.api_key, "format": "json", "json": said}
    return {**parameters, "sig": sign(credentials.secret, parameters)}


def sign(secret: str, parameters: object) -> str:
    """Return the signature over all values of the parameters: objects and arrays count by what is in them."""
    text = secret + "".join(sorted(_leaves(parameters)))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # Sailthru's choice


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield str(value)


def address(base_url: str, call: Call, parameters: Mapping[str, str]) -> str:
    """Return where a call goes: with its parameters, unless they are its body."""
    query = "" if call.method == "POST" else f"?{urlencode(parameters)}"
    return f"{base_url}/{call.endpoint}{query}"


def rate_info(status: int, headers: Mapping[str, str]) -> RateInfo:
    """Return what an answer says about calls to come, given HTTP's status, and headers found in any case."""
    rate, date = None, instant(headers.get("Date"))
    values = [headers.get(f"X-Rate-Limit-{name}", "").strip() for name in ("Limit", "Remaining", "Reset")]
    if all(value.isascii() and value.lstrip("-").isdigit() for value in values):
        limit, remaining, reset = map(int, values)
        rate = Rate(max(1, limit), remaining, reset)
    return RateInfo(rate, date.timestamp() if date else None, refused=status == RATE_EXCEEDED)


def instant(text: object) -> datetime | None:
    """Return a time as of RFC 2822, or nothing where it is unset or is something else."""
    try:
        return parsedate_to_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
