"""The API on loopback, in a thread of this process."""

import asyncio
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import uvicorn

from cdp_sync.sandbox.sailthru.application import Application
from cdp_sync.sandbox.sailthru.limits import Limits
from cdp_sync.sandbox.sailthru.state import Scene
from cdp_sync.sandbox.sailthru.times import Clock

_HOST = "127.0.0.1"
_PATIENCE = 20.0


class SailthruSandbox(Scene):
    """Sailthru's API in a thread of this process. A context manager: it serves inside the block.

    As a process of its own, which is what measuring wants (server and client in one process share an interpreter
    lock), it is `python -m cdp_sync.sandbox.sailthru`.

    Args:
        api_key: The only key.
        api_secret: What calls are signed with.
        time_zone: The account's.
        limits: Calls allowed in a minute; None allows all.
        port: 0 picks a free one.
        clock: Of jobs, minutes and visibility; a clock that stands still may be moved by hand.
    """

    def __init__(
        self, *, api_key: str, api_secret: str, time_zone: str = "America/New_York", limits: Limits | None = None,
        port: int = 0, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(api_key=api_key, api_secret=api_secret, time_zone=time_zone, limits=limits, clock=clock)
        self.host = _HOST
        self.port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        """Name the address, never a key."""
        return f"SailthruSandbox({self.url})"

    def __enter__(self) -> Self:
        """Start to listen; who calls before it serves waits in line."""
        listener = socket.create_server((self.host, self.port))
        self.port = listener.getsockname()[1]
        self.url = f"http://{self.host}:{self.port}"
        self._server = _Server(_config(Application(self)))
        self._thread = threading.Thread(
            target=self._server.run, args=[[listener]], name="sailthru-sandbox", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and hang up on everyone."""
        if self._server is not None and self._thread is not None:
            self._server.end()
            self._thread.join(_PATIENCE)


def _config(application: Application) -> uvicorn.Config:
    # Faults leave answers unfinished, of which uvicorn would complain.
    return uvicorn.Config(
        application, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none",
        server_header=False, timeout_keep_alive=60,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """Ends at once when it is told to, where uvicorn would look ten times a second, and wait."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._serving = threading.Event()
        self._ended: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Serve until the end, and keep the header `Date` right."""
        self._ended, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._serving.set()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout=1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up on everyone."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)

    def end(self) -> None:
        """End, from another thread, without waiting for calls that are not answered yet."""
        self._serving.wait(_PATIENCE)
        self.should_exit = True
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
