"""Files that can be downloaded by their URL for a while, without a key."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

from starlette.responses import Response, StreamingResponse

from cdp_sync.sandbox.api.clock import Clock

FOLDER = "export"
"""Where they lie, and the endpoint's name."""

_CODES = {403: "AccessDenied", 404: "NoSuchKey"}
"""By status; `SlowDown` for all others."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file.

    Attributes:
        path: Below the server's URL.
        filename: The name that browsers save it by.
        content: In pieces.
        until: When it expires, in seconds since 1970.
        media_type: Of its content.
    """

    path: str
    filename: str
    content: Sequence[bytes]
    until: float
    media_type: str


class Downloads:
    """Files by path."""

    def __init__(self, clock: Clock) -> None:
        self.status_of_expired = 404
        """What a call for a file that has expired is answered with."""
        self._clock = clock
        self._files: dict[str, Download] = {}

    def offer(self, filename: str, content: Sequence[bytes], seconds: float, media_type: str) -> Download:
        """Offer a file for some seconds."""
        now = self._clock()
        path = f"{FOLDER}/{datetime.fromtimestamp(now, UTC):%Y/%m/%d}/{token_hex(16)}"
        self._files[path] = Download(path, filename, content, now + seconds, media_type)
        return self._files[path]

    def renew(self, file: Download, seconds: float) -> Download:
        """Offer the same file at one more path."""
        return self.offer(file.filename, file.content, seconds, file.media_type)

    def offers(self, file: Download) -> bool:
        """Return whether a file has not expired."""
        return self._clock() < file.until

    def answer(self, path: str, fault: int | None = None) -> Response:
        """Answer a call for a file, as a store of objects does.

        Args:
            path: Of the file.
            fault: The status that is answered instead.
        """
        file = self._files.get(path)
        if fault is None and file is not None and self.offers(file):
            headers = {
                "content-length": str(sum(map(len, file.content))),
                "content-disposition": f"attachment; filename={file.filename}",
            }
            return StreamingResponse(_pieces(file.content), headers=headers, media_type=file.media_type)
        status = fault or (self.status_of_expired if file else 404)
        code = _CODES.get(status, "SlowDown")
        return Response(f"<Error><Code>{code}</Code></Error>", status, media_type="application/xml")


async def _pieces(content: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece
