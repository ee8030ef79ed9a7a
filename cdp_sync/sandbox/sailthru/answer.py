"""An answer on its way."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Send

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers, and content in pieces."""

    status: int
    kind: bytes
    pieces: list[bytes]
    headers: Headers

    async def send(self, send: Send, *, cut: bool = False) -> None:
        """Send it; cut, half of it, and whoever serves closes the connection as the rest does not come."""
        length = b"%d" % sum(map(len, self.pieces))
        headers = [
            (b"server", b"Sailthru"), (b"content-type", self.kind), (b"content-length", length), *self.headers
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for piece in self._half() if cut else self.pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not cut:
            await send({"type": "http.response.body", "body": self.pieces[-1]})

    def _half(self) -> Iterable[bytes]:
        most = len(self.pieces) // 2
        return self.pieces[:most] or [self.pieces[0][: len(self.pieces[0]) // 2]]
