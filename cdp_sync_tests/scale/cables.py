"""Cables between a machine without a network and the servers of this one: TCP on its loopback, by Unix sockets.

A network namespace has a loopback of its own and nothing else; paths of the file system are the same in it. So servers
listen on loopback only, and a cable can be cut.
"""

import asyncio
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

_BLOCK = 1 << 16


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    writer.close()


@dataclass
class Cables:
    """The ends of the cables on this machine, each a Unix socket that leads to a port of loopback."""

    folder: Path
    ports: tuple[int, ...]
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _cut: set[str] = field(default_factory=set)
    _open: dict[str, set[asyncio.StreamWriter]] = field(default_factory=dict)

    def start(self) -> None:
        """Let what is plugged in be served, in a thread."""
        threading.Thread(target=self._loop.run_forever, name="cables", daemon=True).start()

    def stop(self) -> None:
        """End all of them."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def plug(self, machine: str) -> None:
        """Make the sockets of a machine."""
        for port in self.ports:
            served = asyncio.start_unix_server(partial(self._serve, machine, port), self.path(machine, port))
            asyncio.run_coroutine_threadsafe(served, self._loop).result(10)

    def path(self, machine: str, port: int) -> Path:
        """Return the socket of a machine that leads to a port."""
        return self.folder / f"{machine}_{port}.socket"

    def cut(self, machine: str, port: int, seconds: float) -> None:
        """End all connections of a machine to a port, and refuse others for some time."""
        self._loop.call_soon_threadsafe(self._cut_now, f"{machine}_{port}", seconds)

    def _cut_now(self, cable: str, seconds: float) -> None:
        self._cut.add(cable)
        for writer in self._open.pop(cable, set()):
            writer.transport.abort()
        self._loop.call_later(seconds, self._cut.discard, cable)

    async def _serve(self, machine: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cable = f"{machine}_{port}"
        if cable in self._cut:
            writer.transport.abort()
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        self._open.setdefault(cable, set()).update((writer, server))
        await asyncio.gather(_pour(reader, server), _pour(answers, writer))
        self._open.get(cable, set()).difference_update((writer, server))


async def _lead(port: int, path: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_unix_connection(path)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pour(reader, server), _pour(answers, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", port) as served:
        await served.serve_forever()


async def _main(arguments: list[str]) -> None:
    """Lead the ports of loopback to sockets: `port=path`, as many as there are."""
    ends = [each.partition("=") for each in arguments]
    await asyncio.gather(*(_lead(int(port), path) for port, _, path in ends))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
