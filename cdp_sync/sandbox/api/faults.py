"""Refusals, and faults to order."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Send


class Refused(Exception):
    """A call is answered with an error.

    Args:
        status: Of HTTP.
        message: Its text.
        code: The vendor's own code; None where the status decides it.
        details: What else the vendor's error carries.
    """

    def __init__(self, status: int, message: str, code: Any = None, **details: Any) -> None:  # noqa: ANN401 - the vendor's
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.details = details


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a call.

    Attributes:
        status: The call does nothing and is answered with this.
        delay: The call is done, and answered after this many real seconds.
        cut: The call is done, and the connection is closed in the middle of its answer.
        headers: The answer carries these too, such as `Retry-After`.
    """

    status: int | None = None
    delay: float = 0.0
    cut: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def sender(self, send: Send) -> Send:
        """Return what sends the answer: all of it, or the first half."""
        return _first_half(send) if self.cut else send


NONE = Fault()


class Faults:
    """Faults of the next calls, by endpoint and method, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: defaultdict[tuple[str, str], deque[Fault]] = defaultdict(deque)

    def add(self, endpoint: str, method: str, fault: Fault, times: int) -> None:
        """Order a fault for the next calls of a kind."""
        self._waiting[endpoint, method].extend([fault] * times)

    def take(self, endpoint: str, method: str) -> Fault:
        """Return the fault of this call."""
        waiting = self._waiting.get((endpoint, method))
        return waiting.popleft() if waiting else NONE


def _first_half(send: Send) -> Send:
    """Send half of the announced length, or half of a stream's first piece.

    The server closes the connection because the rest never comes.
    """
    left: int | None = None

    async def send_part(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            length = dict(message["headers"]).get(b"content-length")
            left = None if length is None else int(length) // 2
        else:
            left = len(message["body"]) // 2 if left is None else left
            message = {**message, "body": message["body"][:left], "more_body": True}
            left -= len(message["body"])
        await send(message)

    return send_part
