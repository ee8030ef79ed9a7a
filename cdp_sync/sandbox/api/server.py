"""uvicorn on loopback, in a thread of this process."""

import asyncio
import socket
import threading
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
_LONGEST_START = 20.0


class Server(uvicorn.Server):
    """Serves an application in a thread, and ends at once: uvicorn itself looks ten times a second, and waits."""

    def __init__(self, application: ASGIApp, port: int) -> None:
        # Faults leave answers unfinished, which uvicorn would log as errors.
        super().__init__(
            uvicorn.Config(
                application, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none",
                server_header=False, timeout_keep_alive=60,
            )
        )  # fmt: skip
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
        self._serving = threading.Event()
        self._thread = threading.Thread(target=self.run, args=[[self._listener]], name="api-sandbox", daemon=True)
        self._thread.start()

    async def main_loop(self) -> None:
        """Serve until the end, and keep the header `Date` right."""
        self._ended, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._serving.set()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout=1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all connections, also those with a call that is not answered yet."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)

    def end(self) -> None:
        """Stop listening and close all connections, from another thread."""
        self._serving.wait(_LONGEST_START)
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_LONGEST_START)
