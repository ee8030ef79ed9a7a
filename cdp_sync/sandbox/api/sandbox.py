"""The application object of a vendor: how a call becomes an answer, and everything that can be set."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from cdp_sync.sandbox.api import page
from cdp_sync.sandbox.api.answers import JsonAnswer, answer
from cdp_sync.sandbox.api.calls import Call, Calls
from cdp_sync.sandbox.api.clock import Clock
from cdp_sync.sandbox.api.downloads import FOLDER, Downloads
from cdp_sync.sandbox.api.faults import Fault, Faults, Refused
from cdp_sync.sandbox.api.jobs import Job, Jobs, Work
from cdp_sync.sandbox.api.limits import Allowance, Limits, Meter
from cdp_sync.sandbox.api.page import Shown
from cdp_sync.sandbox.api.server import HOST, Server
from cdp_sync.sandbox.api.visible import Visible

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[[Any, Call], Any]
"""Receives the sandbox and the call, and returns JSON, text or a response. It never waits: no call sees another half
done."""

log = logging.getLogger(__name__)


def methods(path: str, name: str, **handlers: Handler) -> list[Route]:
    """Return routes of one path: `methods("/user", "user", GET=read_user, POST=save_user)`."""
    return [Route(path, handler, methods=[method], name=name) for method, handler in handlers.items()]


class ApiSandbox:
    """A vendor's API in a thread of this process. A context manager: it serves inside the block.

    A vendor overrides `vendor`, `routes`, and what of `read`, `admit`, `refuse`, `rate_headers` and `shown` differs.
    The plain attributes may be set at any time.

    Args:
        limits: Calls allowed, by endpoint and method; all unless declared.
        port: 0 picks a free one.
        clock: Of jobs, limits and visibility; one that stands still may be moved by hand.
        time_zone: The account's.
        jobs_at_once: How many jobs run at once, the others wait; None is for no bound.
    """

    vendor: ClassVar[str] = "API"
    """The name on the status page and in the header `Server`."""
    routes: ClassVar[Sequence[Route]] = ()
    """Starlette's, each with a handler as its endpoint; their names are what calls, limits and faults are named by."""

    def __init__(
        self, *, limits: Limits | None = None, port: int = 0, clock: Clock | None = None, time_zone: str = "UTC",
        jobs_at_once: int | None = None,
    ) -> None:  # fmt: skip
        self.host = HOST
        self.port = port
        self.url = ""
        """Where it is served; empty before."""
        self.clock = clock or Clock()
        self.zone = ZoneInfo(time_zone)
        self.limits: Limits = limits or {}
        self.calls = Calls()
        self.faults = Faults()
        self.jobs = Jobs(self.clock, jobs_at_once)
        self.downloads = Downloads(self.clock)
        self.visible: Visible[Any] = Visible(self.clock)
        self.permitted: frozenset[str] | None = None
        """The endpoints that the key may call; None is for all."""
        self.job_seconds = 0.0
        """How long a job runs before its work is done."""
        self.jobs_fail: bool | Collection[str] = False
        """Whether jobs that are started fail without doing anything; or which kinds do."""
        self.jobs_hang: bool | Collection[str] = False
        """Whether jobs that are started never end; or which kinds do."""
        self.export_lifetime = 7200.0
        """How many seconds a file can be downloaded."""
        self.visible_after = 0.0
        """After how many seconds readers see a change."""
        self._meter = Meter()
        self._server: Server | None = None

    def __repr__(self) -> str:
        """Name the address, never a key."""
        return f"{type(self).__name__}({self.url})"

    def __enter__(self) -> Self:
        """Start to listen; calls that come before it serves wait."""
        self._server = Server(self, self.port)
        self.port = self._server.port
        self.url = f"http://{self.host}:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.end()

    async def read(self, request: Request) -> Any:  # noqa: ANN401 - the vendor's
        """Return what a call says; JSON unless the vendor reads something else.

        Raises:
            Refused: It cannot be read.
        """
        try:
            return json.loads(await request.body() or b"null")
        except ValueError:
            raise Refused(400, "The body is not valid JSON") from None

    def admit(self, call: Call) -> None:
        """Raise Refused where the call's key or signature is wrong; everybody is admitted unless the vendor checks."""

    def refuse(self, call: Call, refused: Refused) -> Response:
        """Return the answer to a refused call, in the vendor's own words."""
        return JsonAnswer({"message": refused.message, **refused.details}, refused.status)

    def rate_headers(self, allowance: Allowance) -> Mapping[str, str]:
        """Return the headers that every answer carries about its limit; none unless the vendor has some."""
        return {}

    def shown(self) -> Mapping[str, Shown]:
        """Return what the status page shows besides the calls, by name."""
        return {}

    def load(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add users before the start, as `dump` returned them."""

    def dump(self) -> Iterable[Mapping[str, Any]]:
        """Return all users as JSON."""
        return ()

    def permit(self, *endpoints: str) -> None:
        """Let the key call these endpoints only; without any, it may call all again."""
        self.permitted = frozenset(endpoints) or None

    def fail(
        self, endpoint: str, method: Method = "POST", *, status: int | None = None, delay: float = 0.0,
        cut: bool = False, headers: Mapping[str, str] | None = None, times: int = 1,
    ) -> None:  # fmt: skip
        """Let the next calls fail; the endpoint of downloads is `export`.

        Args:
            endpoint: Which calls.
            method: Which of them.
            status: They do nothing and are answered with this.
            delay: They are done, and answered after this many real seconds.
            cut: They are done, and the connection is closed in the middle of the answer.
            headers: The answers carry these too.
            times: How many calls.
        """
        self.faults.add(endpoint, method, Fault(status, delay, cut, headers or {}), times)

    def start_job(self, job_id: str, kind: str, about: dict[str, Any], work: Work) -> Job:
        """Queue a job; what its work is done on is what is there when it is due."""
        seconds = None if _concerns(self.jobs_hang, kind) else self.job_seconds
        job = Job(job_id, kind, about, work, self.clock(), seconds, _concerns(self.jobs_fail, kind))
        self.jobs.add(job)
        return job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, as an ASGI application."""
        request = Request(scope, receive)
        self.jobs.settle()
        if scope["path"] == page.PATH:
            await page.status_page(self, request)(scope, receive, send)
            return
        endpoint, handler = self._match(scope)
        call = Call(endpoint, request.method, self.clock(), request)
        fault = self.faults.take(endpoint, call.method)
        if endpoint == FOLDER:
            response = self.downloads.answer(scope["path"].removeprefix("/"), fault.status)
        else:
            response = await self._answer(call, handler, fault)
        response.headers.update({"server": self.vendor, **fault.headers})
        self.calls.note(endpoint, call.method, call.time, response.status_code)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        await response(scope, receive, fault.sender(send))

    def _match(self, scope: Scope) -> tuple[str, Handler]:
        """Return the endpoint's name and its handler, which refuses where no route takes the path or the method."""
        path = scope["path"].removeprefix("/")
        name, handler = path, _unknown
        if path.startswith(f"{FOLDER}/"):
            return FOLDER, handler
        for route in self.routes:
            match, found = route.matches(scope)
            if match is not Match.NONE:
                name, handler = route.name, _not_allowed
            if match is Match.FULL:
                scope.update(found)
                return name, route.endpoint
        return name, handler

    async def _answer(self, call: Call, handler: Handler, fault: Fault) -> Response:
        allowance = self._meter.take(self.limits, call.endpoint, call.method, call.time)
        try:
            call.body = await self.read(call.request)
            if not allowance.allowed:
                raise Refused(429, "Too many requests")
            self.admit(call)
            if self.permitted is not None and call.endpoint not in self.permitted:
                raise Refused(403, f"This API key may not call /{call.endpoint}")
            if fault.status is not None:
                raise Refused(fault.status, "This fault was ordered")
            response = self._perform(handler, call)
        except Refused as refused:
            response = self.refuse(call, refused)
        response.headers.update(self.rate_headers(allowance))
        return response

    def _perform(self, handler: Handler, call: Call) -> Response:
        try:
            return answer(handler(self, call))
        except Refused:
            raise
        except Exception:
            log.exception("The %s sandbox has an error of its own in %s /%s", self.vendor, call.method, call.endpoint)
            raise Refused(500, "Internal error") from None


def _unknown(_box: ApiSandbox, call: Call) -> None:
    raise Refused(404, f"Unknown endpoint: {call.endpoint}")


def _not_allowed(_box: ApiSandbox, call: Call) -> None:
    raise Refused(405, f"{call.method} is not supported by /{call.endpoint}")


def _concerns(setting: bool | Collection[str], kind: str) -> bool:
    return setting if isinstance(setting, bool) else kind in setting
