"""Sends calls and receives answers: within time-outs, at the allowed rate, again when that may help."""

import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import requests
from requests import PreparedRequest, Response

from cdp_sync.connectors.http import failures
from cdp_sync.connectors.http.deadline import Calls, OverTime, WatchedAdapter
from cdp_sync.connectors.http.gate import RateGate, Told
from cdp_sync.connectors.http.retry import GivenUp, Persistence
from cdp_sync.errors import CdpSyncError, RemoteFailure, ServerRefused

T = TypeVar("T")
_MOST_LINES = 64
"""Lines that are kept open for the next call."""
_LARGEST_ANSWER = 64 << 20
"""Bytes; what is larger comes as a file."""
_HEADERS = {"User-Agent": "cdp-sync", "Accept": "*/*", "Connection": "keep-alive"}


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


class Upload(Protocol):
    """A body that is read as it is sent."""

    def __len__(self) -> int: ...
    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""

    def __iter__(self) -> object: ...


@dataclass(frozen=True)
class Request:
    """A call as it goes over the wire. Its `repr` tells neither query nor body."""

    kind: Hashable
    """What the platform counts by itself."""
    method: str
    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    upload: Callable[[], AbstractContextManager[Upload]] | None = field(default=None, repr=False)
    """Opens a body that is sent in place of `body`; anew for every attempt."""


@dataclass(frozen=True)
class Answer:
    """An answer in full."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Their names in any case."""
    body: bytes = field(repr=False)


class Sender:
    """Calls one platform, from any number of threads; keeps lines open between calls. A context manager.

    Proxies and authorities are those of the environment (HTTPS_PROXY, REQUESTS_CA_BUNDLE), read once.

    Args:
        base_url: Where the platform is.
        tell: What an answer tells about the rate.
        persistence: When a call is tried again.
        gate: Holds calls back.
        timeouts: When a call counts as failed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tell: Callable[[Answer], Told],
        persistence: Persistence,
        gate: RateGate,
        timeouts: Timeouts,
    ) -> None:
        self.timeouts = timeouts
        self._tell = tell
        self._persistence = persistence
        self._gate = gate
        self._adapter = WatchedAdapter(pool_connections=4, pool_maxsize=_MOST_LINES)
        self._calls = Calls()
        environment = requests.Session().merge_environment_settings(base_url, {}, None, None, None)
        self._proxies, self._verify = environment["proxies"], environment["verify"] or True

    def __enter__(self) -> Self:
        """Return the sender itself; nothing is opened yet."""
        return self

    def __exit__(self, *_unused: object) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up all lines."""
        self._calls.close()
        self._adapter.close()

    def cut(self) -> None:
        """Cut the calls under way."""
        self._calls.cut()

    def wake(self) -> None:
        """Have the threads that wait for their turn look whether it is given up."""
        self._gate.wake()

    def send(self, request: Request, decipher: Callable[[Answer], T], given_up: threading.Event | None = None) -> T:
        """Return what `decipher` makes of the answer; where it raises what may pass, the call is made again.

        Raises:
            Transient: The last failure, once the attempts are used up.
            CdpSyncError: Whatever trying again would not help.
            GivenUp: `given_up` was set.
        """
        return self._persistence.perform(lambda: decipher(self._attempt(request, given_up)), given_up)

    def persist(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; where it raises what may pass, it is done again."""
        return self._persistence.perform(work)

    def open(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        """Call an address without a body; the answer's body is still to come. Redirects are not followed.

        Raises:
            requests.RequestException: No answer came.
        """
        return self._dispatch(_prepared(method, url, None, headers))

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the line of the call that this thread makes inside the block when the time is over."""
        return self._calls.within(seconds)

    def _attempt(self, request: Request, given_up: threading.Event | None) -> Answer:
        passage = self._gate.enter(request.kind, given_up)
        if passage is None:
            raise GivenUp
        try:
            answer = self._exchange(request)
        except BaseException:
            passage.lost()
            raise
        passage.answered(self._tell(answer))
        if 300 <= answer.status < 400:
            raise ServerRefused(
                f"{failures.address(request.url)} sends calls elsewhere (status {answer.status}).",
                needed="Needed is the address of the API itself: what is signed goes nowhere else.",
                remedy="Correct base_url.",
            )
        return answer

    def _exchange(self, request: Request) -> Answer:
        seconds = self.timeouts.transfer if request.upload else self.timeouts.whole
        problem: CdpSyncError
        try:
            with self.within(seconds), request.upload() if request.upload else nullcontext(request.body) as body:
                headers = {"Content-Type": request.content_type} if request.content_type else {}
                return _received(self._dispatch(_prepared(request.method, request.url, body, headers)))
        except OverTime:
            problem = failures.too_slow(request.url, seconds)
        except failures.PROBLEMS as cause:
            problem = failures.told(cause, request.url)
        raise problem  # outside: the cause's text would be kept with it

    def _dispatch(self, prepared: PreparedRequest) -> Response:
        return self._adapter.send(
            prepared,
            stream=True,
            timeout=(self.timeouts.connect, self.timeouts.read),
            verify=self._verify,
            proxies=self._proxies,
        )


def _prepared(method: str, url: str, body: bytes | Upload | None, headers: Mapping[str, str]) -> PreparedRequest:
    prepared = PreparedRequest()
    prepared.prepare(method=method, url=url, headers={**_HEADERS, **headers}, data=body)
    return prepared


def _received(response: Response) -> Answer:
    with response:
        body = response.raw.read(_LARGEST_ANSWER + 1, decode_content=True)
        if len(body) > _LARGEST_ANSWER:
            raise RemoteFailure(f"{failures.address(response.url)} gave an answer larger than {_LARGEST_ANSWER} bytes.")
        return Answer(response.status_code, response.headers, body)
