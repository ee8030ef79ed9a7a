"""Answers that are not one JSON value: text, and streams that let other calls in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class JsonAnswer(JSONResponse):
    """JSON without blanks, in ASCII."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON
        """Encode it."""
        return _ENCODER.encode(content).encode()


def stream(pieces: Iterable[bytes], media_type: str) -> Response:
    """Return an answer of unknown length, sent piece by piece; between two pieces other calls are answered."""
    return StreamingResponse(_taking_turns(pieces), media_type=media_type)


def answer(content: Any) -> Response:  # noqa: ANN401 - what a handler returned
    """Return a handler's answer: a response as it is, `str` as text/plain, anything else as JSON."""
    if isinstance(content, Response):
        return content
    return PlainTextResponse(content) if isinstance(content, str) else JsonAnswer(content)


async def _taking_turns(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
