"""Calls to answers: who may call, what is called, and what is told of it."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from cdp_sync.sandbox.sailthru import job_calls, list_calls, user_calls
from cdp_sync.sandbox.sailthru.answer import Answer
from cdp_sync.sandbox.sailthru.asking import Fields, Parameters, parameters, read
from cdp_sync.sandbox.sailthru.faults import Fault
from cdp_sync.sandbox.sailthru.limits import Window
from cdp_sync.sandbox.sailthru.page import page, page_for_people
from cdp_sync.sandbox.sailthru.refusal import Refused, missing
from cdp_sync.sandbox.sailthru.signature import is_signed
from cdp_sync.sandbox.sailthru.state import Scene

_COMPACT = json.JSONEncoder(separators=(",", ":"))
_JSON = b"application/json"
_XML = b"text/xml; charset=utf-8"

Handler = Callable[[Scene, Parameters, bytes | None], dict[str, Any]]

log = logging.getLogger(__name__)

ENDPOINTS: dict[str, dict[str, Handler]] = {
    "user": {"GET": user_calls.get, "POST": user_calls.post, "DELETE": user_calls.delete},
    "list": {"GET": list_calls.get, "POST": list_calls.post, "DELETE": list_calls.delete},
    "job": {"GET": job_calls.get, "POST": job_calls.post},
    "settings": {"GET": list_calls.settings},
}


class Application:
    """The API as an ASGI application. Handlers never wait, so that no call sees another half done."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        request = Request(scope, receive)
        path, method = scope["path"].removeprefix("/"), request.method
        self.scene.jobs.settle()
        if path == "_sandbox":
            await self._shown(request).send(send)
            return
        endpoint = "export" if path.startswith("export/") else path
        fault = self.scene.faults.take(endpoint, method)
        now = self.scene.clock()  # the minute that a call counts in, also where its answer falls into the next one
        called = self._call(endpoint, request, fault, now) if endpoint != "export" else self._download(path, fault)
        answer = await called
        self.scene.calls.note(endpoint, method, now, answer.status)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        await answer.send(send, cut=fault.cut)

    def _shown(self, request: Request) -> Answer:
        if "text/html" in request.headers.get("accept", ""):
            return Answer(200, b"text/html; charset=utf-8", [page_for_people(self.scene)], [])
        return Answer(200, _JSON, [page(self.scene)], [])

    async def _call(self, endpoint: str, request: Request, fault: Fault, now: float) -> Answer:
        scene, method = self.scene, request.method
        window = scene.windows.take(endpoint, method, scene.limits.of(endpoint, method), now)
        fields: Fields = {"format": "json"}
        try:
            fields, file = await read(request)
            self._admit(endpoint, method, fields, window)
            fault.refuse()
            told = self._done(endpoint, method, fields, file)
        except Refused as refused:
            if fields.get("format") != "json":
                return Answer(refused.status, _XML, [refused.xml.encode()], window.headers)
            return Answer(refused.status, _JSON, [_json(refused.told)], window.headers)
        return Answer(200, _JSON, [_json(told)], window.headers)

    def _admit(self, endpoint: str, method: str, fields: Fields, window: Window) -> None:
        if not window.allowed:
            raise Refused(429, 43, f"Too many {method} requests this minute to /{endpoint} API")
        for name in ("format", "api_key", "sig"):
            if not fields.get(name):
                raise missing(name)
        if fields["format"] != "json":
            raise Refused(400, 99, "The sandbox answers in JSON only")
        if fields["api_key"] != self.scene.api_key:
            raise Refused(401, 3, "Invalid API key")
        if not is_signed(self.scene.api_secret, fields):
            raise Refused(401, 5, "Authentication failed")
        if self.scene.permitted is not None and endpoint not in self.scene.permitted:
            raise Refused(403, 99, f"This API key may not call /{endpoint}")

    def _done(self, endpoint: str, method: str, fields: Fields, file: bytes | None) -> dict[str, Any]:
        handler = _handler(endpoint, method)
        asked = parameters(fields)
        try:
            return handler(self.scene, asked, file)
        except Refused:
            raise
        except Exception:
            log.exception("The Sailthru sandbox has a fault of its own in %s /%s", method, endpoint)
            raise Refused(500, 9, "Internal error") from None

    async def _download(self, path: str, fault: Fault) -> Answer:
        if fault.status is not None:
            return Answer(fault.status, b"application/xml", [b"<Error><Code>SlowDown</Code></Error>"], [])
        job = self.scene.jobs.exports.get(path)
        if job is None or not self.scene.jobs.lives(job, self.scene.export_lifetime):
            return Answer(404, b"application/xml", [b"<Error><Code>NoSuchKey</Code></Error>"], [])
        as_file = (b"content-disposition", f"attachment; filename={job.filename}".encode())
        return Answer(200, b"text/csv; charset=utf-8", job.content, [as_file])


def _handler(endpoint: str, method: str) -> Handler:
    if endpoint not in ENDPOINTS:
        raise Refused(404, 99, f"Unknown endpoint: {endpoint}")
    if method not in ENDPOINTS[endpoint]:
        raise Refused(405, 1, f"{method} is not supported by /{endpoint}")
    return ENDPOINTS[endpoint][method]


def _json(told: dict[str, Any]) -> bytes:
    return _COMPACT.encode(told).encode()
