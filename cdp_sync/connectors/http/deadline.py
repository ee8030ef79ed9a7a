"""Cuts the line of a call that takes too long as a whole: a server that sends a byte now and then is never silent."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_TICK = 0.25
"""Seconds between two looks at the calls under way."""


class OverTime(OSError):
    """A call was cut."""


class Calls:
    """The calls under way, each with the instant at which it is over."""

    def __init__(self) -> None:
        self._running: set[_Call] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the line of the call that this thread makes inside the block when the time is over.

        Raises:
            OverTime: It was.
        """
        self._watch()
        call = _current.call = _Call(time.monotonic() + seconds)
        self._running.add(call)
        try:
            yield
        except Exception:
            if not call.cut:
                raise
        finally:
            self._running.discard(call)
            _current.call = None
        if call.cut:
            raise OverTime

    def cut(self) -> None:
        """Cut all."""
        for call in tuple(self._running):
            call.hang_up()

    def close(self) -> None:
        """End the watch."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._look, name="http-watch", daemon=True)
                    self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            for call in tuple(self._running):
                if now > call.until:
                    call.hang_up()


class _Call:
    def __init__(self, until: float) -> None:
        self.until = until
        self.cut = False
        self.line: http.client.HTTPConnection | None = None
        self.socket: socket.socket | None = None

    def hang_up(self) -> None:
        line = self.line
        sock = self.socket or (line.sock if line else None)
        if isinstance(sock, socket.socket):
            self.cut = True
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes up whoever waits; TLS has no say in it


class _Current(threading.local):
    call: _Call | None = None


_current = _Current()


class _Noted(HTTPConnection):
    """A connection that tells the call it serves."""

    def connect(self) -> None:
        if _current.call:
            _current.call.line = self
        super().connect()

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as urllib3 has them
        if _current.call:
            _current.call.line = self
        super().request(*args, **options)
        if _current.call:  # kept: of an answer that ends with the line the connection lets go at once
            _current.call.socket = self.sock


class _NotedPlain(HTTPConnectionPool):
    ConnectionCls = _Noted


class _NotedTlsConnection(_Noted, HTTPSConnection):
    pass


class _NotedTls(HTTPSConnectionPool):
    ConnectionCls = _NotedTlsConnection


class WatchedAdapter(HTTPAdapter):
    """requests' adapter, with lines that can be cut."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as requests has them
        """Use connections that tell the call they serve."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401
        """Do so through a proxy as well."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def __enter__(self) -> Self:
        """Return the adapter."""
        return self

    def __exit__(self, *_unused: object) -> None:
        """Hang up."""
        self.close()


_POOLS = {"http": _NotedPlain, "https": _NotedTls}
