"""Sailthru as an application: its endpoints, and how it reads, admits and refuses calls."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from cdp_sync.sandbox.api import (
    Allowance,
    ApiSandbox,
    Call,
    Form,
    JsonAnswer,
    Limit,
    Limits,
    Refused,
    Shown,
    check,
    methods,
)  # fmt: skip
from cdp_sync.sandbox.sailthru import jobs, lists, users
from cdp_sync.sandbox.sailthru.account import Account
from cdp_sync.sandbox.sailthru.parameters import is_signed, needed

DOCUMENTED_LIMITS: Limits = {
    ("user", "POST"): Limit(300 * 60),
    ("*", "GET"): Limit(300 * 60),
    ("*", "POST"): Limit(40 * 60),
    ("*", "DELETE"): Limit(40 * 60),
}
"""The limits of the vendor's documentation, which gives them per second."""

_CODES = {405: 1, 429: 43, 500: 9}
"""Sailthru's codes of errors that have none yet, by status; 99 for all others."""


class SailthruSandbox(ApiSandbox):
    """Sailthru's API in a thread of this process. A context manager: it serves inside the block.

    For measurements it runs as a process of its own, `python -m cdp_sync.sandbox.sailthru`: in one process, server and
    client share an interpreter lock.
    The options are those of every sandbox: limits, port, clock.
    """

    vendor = "Sailthru"
    routes = (
        *methods("/user", "user", GET=users.read_user, POST=users.save_user, DELETE=users.delete_user),
        *methods("/list", "list", GET=lists.read_list, POST=lists.save_list, DELETE=lists.delete_list),
        *methods("/settings", "settings", GET=lists.read_settings),
        *methods("/job", "job", GET=jobs.read_job, POST=jobs.start_job),
    )

    def __init__(self, *, api_key: str, api_secret: str, time_zone: str = "America/New_York", **options: Any) -> None:  # noqa: ANN401
        super().__init__(time_zone=time_zone, **options)
        self.api_key = api_key
        self.api_secret = api_secret
        self.account = Account(self.clock, self.zone)
        self.clear_emails = False
        """Whether exports carry e-mail addresses, not only their hashes."""
        self.silent_drops: Collection[str] = ()
        """E-mail addresses that `update` jobs leave out without counting them."""
        self.reports_lines = True
        """Whether finished `update` and `import` jobs count their lines."""

    async def read(self, request: Request) -> Form:
        """Return the form of a call."""
        return await Form.read(request)

    def admit(self, call: Call) -> None:
        """Check format, key and signature."""
        fields = call.body.fields
        for name in ("format", "api_key", "sig"):
            needed(fields, name)
        check(fields["format"] == "json", "The sandbox answers in JSON only")
        check(fields["api_key"] == self.api_key, "Invalid API key", 3, status=401)
        check(is_signed(self.api_secret, fields), "Authentication failed", 5, status=401)

    def refuse(self, call: Call, refused: Refused) -> Response:
        """Answer with a code and a message: as JSON where the call asks for it, as XML otherwise."""
        message, unread = refused.message, call.body is None
        code = refused.code or (6 if unread else _CODES.get(refused.status, 99))
        if refused.status == 429:
            message = f"Too many {call.method} requests this minute to /{call.endpoint} API"
        if unread or call.body.fields.get("format") == "json":
            return JsonAnswer({"error": code, "errormsg": message}, refused.status)
        error = f"<triggermail><error>{code}</error><errormsg>{escape(message)}</errormsg></triggermail>"
        return Response(error, refused.status, media_type="text/xml")

    def rate_headers(self, allowance: Allowance) -> Mapping[str, str]:
        """Return the three headers of every answer."""
        left = {"limit": allowance.limit, "remaining": allowance.remaining, "reset": allowance.reset}
        return {f"x-rate-limit-{name}": str(value) for name, value in left.items()}

    def load(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add users before the start."""
        self.account.add_users(users)

    def dump(self) -> Iterator[dict[str, Any]]:
        """Return all users as JSON."""
        return map(asdict, self.account.users.values())

    def shown(self) -> Mapping[str, Shown]:
        """Return lists, users, and jobs with the latest first."""
        account, latest_first = self.account, [*reversed(self.jobs.by_id.values())]
        return {
            "lists": Shown(account.lists.values(), lambda each: lists.common(account, each) | {"query": each.query}),
            "users": Shown(account.users.values(), lambda user: asdict(user) | {"lists": account.times(user.lists)}),
            "jobs": Shown(latest_first, lambda job: jobs.describe(self, job)),
        }
