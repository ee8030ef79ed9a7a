"""A mail server with scripted replies. It can also stall or drop the connection."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

GREETING = b"220 test ESMTP"
HELLO = b"250 test"
YES = b"250 2.0.0 yes"
GO_ON = b"354 go on"
STALL = b"(stall)"


class ScriptedMailServer:
    """A server that answers each command with the next reply and then closes. A context manager.

    Args:
        lines: The replies, greeting first. `STALL` sends nothing and waits until the client closes.
    """

    def __init__(self, *lines: bytes) -> None:
        self.lines = lines
        self.received = b""
        """Everything that the server received."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _play(self) -> None:
        with suppress(OSError):
            line, _ = self._listener.accept()
            with line:
                self._talk(line, self.lines)

    def _talk(self, line: socket.socket, lines: Sequence[bytes]) -> None:
        for said in lines:
            if said != STALL:
                line.sendall(said + b"\r\n")
            if not self._listen(line, b"\r\n.\r\n" if said == GO_ON else b"\r\n", forever=said == STALL):
                return

    def _listen(self, line: socket.socket, end: bytes, *, forever: bool) -> bool:
        """Receive a command or a mail; return whether the client is still connected."""
        received = b""
        while forever or not received.endswith(end):
            more = line.recv(65536)
            if not more:
                return False
            received += more
            self.received += more
        return True
