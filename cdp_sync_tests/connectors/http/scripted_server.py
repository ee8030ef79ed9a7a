"""A web server with scripted replies. It can also stall, send byte by byte or drop the connection."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class ReceivedCall:
    """A call that the server received."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    port: int
    """The client's port of the TCP connection."""


@dataclass(frozen=True)
class Reply:
    """A reply and the way it is sent."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Literal["whole", "silent", "drips", "drips headers", "cut", "without length"] = "whole"
    """`silent` and `drips` last until the client closes; `cut` drops the connection in the middle of the body."""


class ScriptedServer:
    """A server on a free port that sends scripted replies. A context manager.

    Args:
        replies: One reply per call, of which the last is repeated; or a function of the call.
    """

    def __init__(self, replies: Sequence[Reply] | Callable[[ReceivedCall], Reply]) -> None:
        self.calls: list[ReceivedCall] = []
        """Every call, in order."""
        self.keeps_bodies = True
        self._replies = replies
        self._lock = threading.Lock()
        self.over = threading.Event()
        scripted = self

        class Handler(_Handler):
            def reply(self, call: ReceivedCall) -> Reply:
                return scripted.answer(call)

            over = scripted.over

            def read_body(self, size: int) -> bytes:
                if scripted.keeps_bodies:
                    return self.rfile.read(size)
                while size > 0 and (chunk := self.rfile.read(min(size, 1 << 16))):
                    size -= len(chunk)
                return b""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, call: ReceivedCall) -> Reply:
        """Record a call and return its reply."""
        with self._lock:
            self.calls.append(call)
            place = len(self.calls) - 1
        return self._replies(call) if callable(self._replies) else self._replies[min(place, len(self._replies) - 1)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the error: the client may drop the connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    over: threading.Event

    def reply(self, call: ReceivedCall) -> Reply:
        raise NotImplementedError

    def read_body(self, size: int) -> bytes:
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.read_body(int(self.headers.get("Content-Length", "0")))
        call = ReceivedCall(
            self.command, parts.path, parts.query, dict(self.headers.items()), body, self.client_address[1]
        )
        reply = self.reply(call)
        getattr(self, f"_{reply.manner.replace(' ', '_')}")(reply)

    do_POST = do_DELETE = do_GET  # noqa: N815 - their names there

    def _head(self, reply: Reply, length: int | None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _whole(self, reply: Reply) -> None:
        self._head(reply, len(reply.body))
        self.wfile.write(reply.body)
        self.wfile.flush()

    def _without_length(self, reply: Reply) -> None:
        self._head(reply, None)
        self.wfile.write(reply.body)
        self._hang_up()

    def _silent(self, _reply: Reply) -> None:
        self.over.wait()
        self.close_connection = True

    def _cut(self, reply: Reply) -> None:
        self._head(reply, len(reply.body))
        self.wfile.write(reply.body[: len(reply.body) // 2])
        self._hang_up()

    def _drips(self, reply: Reply) -> None:
        self._head(reply, 1 << 20)
        self._drip(b" ")

    def _drips_headers(self, _reply: Reply) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self._drip(b"X")

    def _drip(self, byte: bytes) -> None:
        while not self.over.wait(0.02):
            self.wfile.write(byte)
            self.wfile.flush()
        self.close_connection = True

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
