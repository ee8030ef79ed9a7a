"""Sends calls and receives answers: within time-outs, at the allowed rate, and with retry."""

import json
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, Self, TypeVar, cast
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response

from cdp_sync.connectors.http import network_errors
from cdp_sync.connectors.http.deadline import Deadline, DeadlineAdapter
from cdp_sync.connectors.http.rate_limit import RateInfo, RateLimiter
from cdp_sync.errors import CdpSyncError, RemoteFailure, RequestRefused, ServerRefused
from cdp_sync.retrying import RetryPolicy

T = TypeVar("T")
_MAX_LINES = 64
"""Connections that are kept open for the next call."""
_MAX_ANSWER = 64 << 20
"""Bytes; a larger answer is streamed."""
_HEADERS = {"User-Agent": "cdp-sync", "Accept": "*/*", "Connection": "keep-alive"}
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Timeouts:
    """When a call counts as failed, in seconds."""

    connect: float = 10.0
    read: float = 60.0
    """Without a byte."""
    whole: float = 120.0
    """From its first byte to the last one of its answer."""
    transfer: float = 7200.0
    """The same for a file."""
    turn: float = 3600.0
    """Waiting for its turn at the rate limit."""


@dataclass(frozen=True)
class Request:
    """A call. Its `repr` shows only what the platform counts, and the method."""

    key: Hashable | None
    """What the platform counts by itself, such as endpoint and method; with None the rate limit does not apply."""
    method: str
    url: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """Fields of a form, as the body."""
    file: Path | None = field(default=None, repr=False)
    """Sent in the form's field `file`, and read as it is sent."""
    json: object = field(default=None, repr=False)
    """A value to be sent as JSON, as the body; bytes are JSON already."""
    anonymous: bool = False
    """Whether neither constant headers nor credentials are added."""


@dataclass(frozen=True)
class Answer:
    """An answer in full."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Their names in any case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Stream:
    """An answer whose body is still to come."""

    response: Response = field(repr=False)
    deadline: Deadline = field(repr=False)

    @property
    def status(self) -> int:
        """HTTP's."""
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Their names in any case."""
        return self.response.headers

    def chunks(self, size: int = 1 << 18) -> Iterator[bytes]:
        """Yield the body in parts of up to so many bytes.

        Raises:
            ConnectionLost: It ends early, or comes too slowly.
        """
        problem: CdpSyncError | None = None
        try:
            yield from self.response.raw.stream(size, decode_content=True)
        except network_errors.PROBLEMS as cause:
            problem = network_errors.describe(cause, self.response.url, self.deadline)
        if problem:
            raise problem  # outside: the cause's text would be kept with it

    def read(self) -> bytes:
        """Return the whole body.

        Raises:
            ConnectionLost: It ends early, or comes too slowly.
            RemoteFailure: It is too large.
        """
        body = bytearray()
        for part in self.chunks():
            body += part
            if len(body) > _MAX_ANSWER:
                where = network_errors.address(self.response.url)
                raise RemoteFailure(f"{where} gave an answer larger than {_MAX_ANSWER} bytes.")
        return bytes(body)


Authorize = Callable[[Request], Request]
"""Returns a request with what identifies us: a header, a parameter, a signature. Called anew for every attempt."""


class Sender:
    """Calls one platform, from any number of threads; keeps connections open between calls. A context manager.

    Constant headers and credentials go to the host of `base_url` only. Proxies and authorities are those of the
    environment (HTTPS_PROXY, REQUESTS_CA_BUNDLE), read once.

    Args:
        base_url: Where the platform is.
        retry: When a call is made again.
        limiter: Holds calls back.
        timeouts: When a call counts as failed.
        headers: Sent with every call, such as a key.
        authorize: Adds credentials to a call.
        read_rate: Returns what status and headers of an answer say about calls to come.
    """

    def __init__(
        self,
        base_url: str,
        *,
        retry: RetryPolicy,
        limiter: RateLimiter,
        timeouts: Timeouts,
        headers: Mapping[str, str] | None = None,
        authorize: Authorize | None = None,
        read_rate: Callable[[int, Mapping[str, str]], RateInfo] = lambda _status, _headers: RateInfo(),
    ) -> None:
        self.timeouts, self.retry, self._limiter = timeouts, retry, limiter
        self._origin = _origin(base_url)
        self._headers = dict(headers or {})
        self._authorize = authorize or (lambda request: request)
        self._identifies = bool(headers or authorize)
        self._read_rate = read_rate
        self._adapter = DeadlineAdapter(pool_connections=4, pool_maxsize=_MAX_LINES)
        self._under_way: set[Deadline] = set()
        environment = requests.Session().merge_environment_settings(base_url, {}, None, None, None)
        self._proxies, self._verify = environment["proxies"], environment["verify"] or True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def cut(self) -> None:
        """End the calls under way whose answers are being read."""
        for deadline in tuple(self._under_way):
            deadline.expire()

    def wake(self) -> None:
        """Have the threads that wait for their turn check whether they are cancelled."""
        self._limiter.wake()

    def send(self, request: Request, decipher: Callable[[Answer], T], cancelled: Event | None = None) -> T:
        """Return what `decipher` makes of the answer; where it raises a transient error, the call is made again.

        Raises:
            Transient: The last failure, after the last attempt.
            CdpSyncError: An error that another attempt would not change.
            Cancelled: `cancelled` was set.
        """
        seconds = self.timeouts.transfer if request.file else self.timeouts.whole

        def attempt() -> T:
            with self.stream(request, seconds=seconds, cancelled=cancelled) as stream:
                if HTTPStatus(300) <= stream.status < HTTPStatus(400):
                    raise ServerRefused(
                        f"{network_errors.address(request.url)} redirects calls (status {stream.status}).",
                        needed="Needed is the address of the API itself: credentials go nowhere else.",
                        remedy="Correct base_url.",
                    )
                answer = Answer(stream.status, stream.headers, stream.read())
            return decipher(answer)

        return self.retry.call(attempt, cancelled=cancelled)

    @contextmanager
    def stream(
        self, request: Request, *, seconds: float | None = None, cancelled: Event | None = None
    ) -> Generator[Stream, None, None]:
        """Make a call once, and yield its answer as soon as its headers are there. Redirects are not followed.

        It may take so many seconds until the end of the body, those of a file by default.

        Raises:
            CdpSyncError: There is no answer.
            Cancelled: `cancelled` was set; that ends the wait for its turn.
        """
        permit = None
        if request.key is not None:
            permit = self._limiter.acquire(request.key, cancelled=cancelled, deadline=self.timeouts.turn)
        deadline = Deadline(self.timeouts.transfer if seconds is None else seconds)
        self._under_way.add(deadline)
        try:
            response = self._open(request, deadline)
        except BaseException:
            self._under_way.discard(deadline)
            if permit:
                permit.lost()
            raise
        try:
            with response:
                if permit:
                    permit.answered(self._read_rate(response.status_code, response.headers))
                yield Stream(response, deadline)
        finally:
            self._under_way.discard(deadline)

    def is_own(self, url: str) -> bool:
        """Return whether an address is at the platform's own scheme, host and port."""
        return _origin(url) == self._origin

    def _open(self, request: Request, deadline: Deadline) -> Response:
        if self._identifies and self.is_own(request.url) and not request.anonymous:
            request = self._authorize(replace(request, headers={**self._headers, **request.headers}))
        try:
            with deadline, request.file.open("rb") if request.file else nullcontext() as file:
                return self._adapter.send(
                    _prepared(request, file, deadline),
                    stream=True,
                    timeout=(self.timeouts.connect, self.timeouts.read),
                    verify=self._verify,
                    proxies=self._proxies,
                )
        except network_errors.PROBLEMS as cause:
            problem = network_errors.describe(cause, request.url, deadline)
        raise problem  # outside: the cause's text would be kept with it


def _prepared(request: Request, file: BinaryIO | None, deadline: Deadline) -> PreparedRequest:
    headers, body = {**_HEADERS, **request.headers}, cast("Any", request.form)
    if request.file is not None:
        from requests_toolbelt.multipart.encoder import MultipartEncoder, MultipartEncoderMonitor

        fields = {**(request.form or {}), "file": (request.file.name, file, "application/octet-stream")}
        encoder = MultipartEncoder(fields)
        body = MultipartEncoderMonitor(encoder, lambda _sent: deadline.left())
        headers["Content-Type"] = encoder.content_type
    elif request.json is not None:
        body = request.json if isinstance(request.json, bytes) else as_json(request.json).encode()
        headers["Content-Type"] = "application/json"
    prepared = PreparedRequest()
    prepared.prepare(request.method, request.url, headers, data=body, params=request.query)
    return prepared


def as_json(value: object, what: str = "A call") -> str:
    """Return a value as JSON.

    Raises:
        RequestRefused: JSON cannot represent it. The cause, whose text may show the value, is not kept.
    """
    with suppress(TypeError, ValueError):
        return json.dumps(value, allow_nan=False)
    raise RequestRefused(f"{what} holds a value that JSON cannot represent, such as an infinite number.")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return "", None, None  # no address; sending to it fails
