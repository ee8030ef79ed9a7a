"""What goes wrong on purpose."""

from collections import defaultdict, deque
from dataclasses import dataclass

from cdp_sync.sandbox.sailthru.refusal import Refused

_MESSAGES = {429: (43, "Too many requests this minute"), 500: (9, "Internal error")}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call.

    Attributes:
        status: The call does nothing and is answered with this.
        delay: The call is done, and answered after this many real seconds.
        cut: The call is done, and the connection is closed in the middle of its answer.
    """

    status: int | None = None
    delay: float = 0.0
    cut: bool = False

    def refuse(self) -> None:
        """Raise what stands in for doing the call."""
        if self.status is not None:
            code, message = _MESSAGES.get(self.status, (99, "This fault was asked for"))
            raise Refused(self.status, code, message)


NONE = Fault()


class Faults:
    """The faults of the next calls, by endpoint and method, first come first served."""

    def __init__(self) -> None:
        self._waiting: defaultdict[tuple[str, str], deque[Fault]] = defaultdict(deque)

    def add(self, endpoint: str, method: str, fault: Fault, times: int) -> None:
        """Let a fault happen so many times."""
        self._waiting[endpoint, method].extend([fault] * times)

    def take(self, endpoint: str, method: str) -> Fault:
        """Return what happens to this call."""
        waiting = self._waiting.get((endpoint, method))
        return waiting.popleft() if waiting else NONE
