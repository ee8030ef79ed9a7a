"""Sailthru as an application: its endpoints, and how it reads, admits and refuses calls."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from cdp_sync.sandbox import api
from cdp_sync.sandbox.sailthru import jobs, lists, users
from cdp_sync.sandbox.sailthru.account import Account
from cdp_sync.sandbox.sailthru.parameters import is_signed, needed

DOCUMENTED_LIMITS: api.Limits = {
    **dict.fromkeys([("user", "POST"), ("*", "GET")], api.Limit(300 * 60)),
    **dict.fromkeys([("*", "POST"), ("*", "DELETE")], api.Limit(40 * 60)),
}
"""The limits of the vendor's documentation, which gives them per second."""

_CODES = {405: 1, 429: 43, 500: 9}
"""Sailthru's codes of errors that have none yet, by status; 99 for all others."""


class SailthruSandbox(api.ApiSandbox):
    """Sailthru's API in a thread of this process. A context manager: it serves inside the block.

    The options are those of every sandbox: limits, port, clock. Measurements start it as a process of its own, by
    `python -m cdp_sync.sandbox.sailthru`: in one process, server and client share an interpreter lock.
    """

    vendor = "Sailthru"
    routes = (
        *api.methods("/user", "user", GET=users.read_user, POST=users.save_user, DELETE=users.delete_user),
        *api.methods("/list", "list", GET=lists.read_list, POST=lists.save_list, DELETE=lists.delete_list),
        *api.methods("/settings", "settings", GET=lists.read_settings),
        *api.methods("/job", "job", GET=jobs.read_job, POST=jobs.start_job),
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

    async def read(self, request: Request) -> api.Form:
        """Return the form of a call."""
        return await api.Form.read(request)

    def admit(self, call: api.Call) -> None:
        """Check format, key and signature."""
        fields = call.body.fields
        for name in ("format", "api_key", "sig"):
            needed(fields, name)
        api.check(fields["format"] == "json", "The sandbox answers in JSON only")
        api.check(fields["api_key"] == self.api_key, "Invalid API key", 3, status=401)
        api.check(is_signed(self.api_secret, fields), "Authentication failed", 5, status=401)

    def refuse(self, call: api.Call, refused: api.Refused) -> Response:
        """Answer with a code and a message: as JSON where the call asks for it, as XML otherwise."""
        limited = f"Too many {call.method} requests this minute to /{call.endpoint} API"
        message = limited if refused.status == 429 else refused.message
        unread = call.body is None
        code = refused.code or (6 if unread else _CODES.get(refused.status, 99))
        if unread or call.body.fields.get("format") == "json":
            return api.JsonAnswer({"error": code, "errormsg": message}, refused.status)
        error = f"<triggermail><error>{code}</error><errormsg>{escape(message)}</errormsg></triggermail>"
        return Response(error, refused.status, media_type="text/xml")

    def rate_headers(self, allowance: api.Allowance) -> Mapping[str, str]:
        """Return the three headers of every answer."""
        left = {"limit": allowance.limit, "remaining": allowance.remaining, "reset": allowance.reset}
        return {f"x-rate-limit-{name}": str(value) for name, value in left.items()}

    def load(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add users before the start."""
        self.account.add_users(users)

    def dump(self) -> Iterator[dict[str, Any]]:
        """Return all users as JSON."""
        return map(asdict, self.account.users.values())

    def shown(self) -> Mapping[str, api.Shown]:
        """Return lists, users, and jobs with the latest first."""
        account, latest_first = self.account, [*reversed(self.jobs.by_id.values())]
        return {
            "lists": api.Shown(
                account.lists.values(),
                lambda each: lists.summary(account, each, "name", "count") | {"query": each.query},
            ),
            "users": api.Shown(
                account.users.values(), lambda each: asdict(each) | {"lists": account.times(each.lists)}
            ),
            "jobs": api.Shown(latest_first, lambda job: jobs.describe(self, job)),
        }
