"""A server of the sandbox as a process of its own, which lives no longer than the one that started it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from cdp_sync.errors import ServerUnreachable

HOST = "127.0.0.1"
_PATIENCE = 30.0


class ServerProcess:
    """Runs a module that says in one line of JSON when it is ready, and ends when its standard input does.

    A context manager: leaving it ends the server.

    Args:
        module: What `python -m` runs.
        options: Of its command line.
        secrets: Environment variables that it has besides ours.
    """

    def __init__(self, module: str, options: Sequence[str], secrets: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", module, *options, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **secrets},
        )

    def __enter__(self) -> Self:
        """Return it; it starts meanwhile."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and wait until it has."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(_PATIENCE)

    def ready(self, server: str) -> dict[str, Any]:
        """Wait until it is ready, and return what it says of itself.

        Args:
            server: What people call it.

        Raises:
            ServerUnreachable: It ended.
        """
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise ServerUnreachable(
                f"The sandbox's {server} server did not start.", remedy="What it wrote says why; run again."
            )
        told: dict[str, Any] = json.loads(line)
        return told

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()


def refuse_taken(server: str, port: int, setting: str) -> None:
    """Make sure that a server can listen on its port of loopback, before anything is started.

    Args:
        server: What people call it, such as `the sandbox's SFTP server`.
        port: Its port; 0 is always free.
        setting: The option or variable that chooses another.

    Raises:
        ServerUnreachable: It cannot.
    """
    try:
        socket.create_server((HOST, port)).close()
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else "it has no such number"
        raise ServerUnreachable(
            f"Port {port}, which {server} needs, cannot be opened: {why}.",
            needed="The port must be free.",
            remedy=f"End what listens there, or choose another with {setting}.",
        ) from problem


def exit_unless_free(port: int) -> None:
    """End this process with one line where it cannot listen on a port: for servers that are started by hand."""
    try:
        refuse_taken("this server", port, "--port")
    except ServerUnreachable as error:
        sys.exit(str(error))
