"""Sailthru as an application: its endpoints, and how it reads, admits and refuses calls."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdp_sync.sandbox.api import Allowance, ApiSandbox, Call, Form, JsonAnswer, Limit, Limits, Refused, Shown
from cdp_sync.sandbox.sailthru import jobs, lists, users
from cdp_sync.sandbox.sailthru.account import Account, MailingList, User
from cdp_sync.sandbox.sailthru.parameters import needed
from cdp_sync.sandbox.sailthru.signature import is_signed

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

    Args:
        api_key: The only key.
        api_secret: What calls are signed with.
        time_zone: The account's.
        **options: Of every sandbox: limits, port, clock.
    """

    vendor = "Sailthru"
    routes = (
        Route("/user", users.read_user, methods=["GET"], name="user"),
        Route("/user", users.save_user, methods=["POST"], name="user"),
        Route("/user", users.delete_user, methods=["DELETE"], name="user"),
        Route("/list", lists.read_list, methods=["GET"], name="list"),
        Route("/list", lists.save_list, methods=["POST"], name="list"),
        Route("/list", lists.delete_list, methods=["DELETE"], name="list"),
        Route("/settings", lists.read_settings, methods=["GET"], name="settings"),
        Route("/job", jobs.read_job, methods=["GET"], name="job"),
        Route("/job", jobs.start_job, methods=["POST"], name="job"),
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
        """Return the form of a call; what is not UTF-8 is error 6."""
        try:
            return await Form.read(request)
        except Refused as refused:
            raise Refused(refused.status, refused.message, 6) from None

    def admit(self, call: Call) -> None:
        """Check format, key and signature."""
        fields = call.body.fields
        for name in ("format", "api_key", "sig"):
            needed(fields, name)
        if fields["format"] != "json":
            raise Refused(400, "The sandbox answers in JSON only")
        if fields["api_key"] != self.api_key:
            raise Refused(401, "Invalid API key", 3)
        if not is_signed(self.api_secret, fields):
            raise Refused(401, "Authentication failed", 5)

    def refuse(self, call: Call, refused: Refused) -> Response:
        """Answer with a code and a message: as JSON where the call asks for it, as XML otherwise."""
        code, message = refused.code or _CODES.get(refused.status, 99), refused.message
        if refused.status == 429:
            message = f"Too many {call.method} requests this minute to /{call.endpoint} API"
        if call.body is None or call.body.fields.get("format") == "json":
            return JsonAnswer({"error": code, "errormsg": message}, refused.status)
        error = f"<error>{code}</error><errormsg>{escape(message)}</errormsg>"
        text = f'<?xml version="1.0" encoding="utf-8"?>\n<triggermail>{error}</triggermail>\n'
        return Response(text, refused.status, media_type="text/xml")

    def rate_headers(self, allowance: Allowance) -> Mapping[str, str]:
        """Return the three headers of every answer."""
        left = {"limit": allowance.limit, "remaining": allowance.remaining, "reset": allowance.reset}
        return {f"x-rate-limit-{name}": str(value) for name, value in left.items()}

    def shown(self) -> Mapping[str, Shown]:
        """Return lists, users, and jobs with the latest first."""
        return {
            "lists": Shown(self.account.lists.values(), self._shown_list),
            "users": Shown(self.account.users.values(), self._shown_user),
            "jobs": Shown([*reversed(self.jobs.by_id.values())], lambda job: jobs.describe(self, job)),
        }

    def _shown_list(self, found: MailingList) -> dict[str, Any]:
        count = len(self.account.members(found))
        return {"name": found.name, "type": found.type, "query": found.query, "count": count}

    def _shown_user(self, user: User) -> dict[str, Any]:
        times = {"lists": self.account.times(user.lists), "activity": self.account.times(user.activity)}
        return asdict(user) | times
