"""A server of the sandbox as a process of its own, which lives no longer than the one that started it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from cdp_sync.errors import ServerUnreachable

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

    def ready(self, server: str, option: str) -> dict[str, Any]:
        """Wait until it is ready, and return what it says of itself.

        Args:
            server: What people call it.
            option: With which its port can be chosen.

        Raises:
            ServerUnreachable: It ended, as it does on a port that is taken.
        """
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise did_not_start(server, option)
        told: dict[str, Any] = json.loads(line)
        return told

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()


def did_not_start(server: str, option: str) -> ServerUnreachable:
    """Return the error of a server that cannot listen."""
    return ServerUnreachable(
        f"The sandbox's {server} server did not start on its port.",
        needed="The port must be free.",
        remedy=f"End whatever listens there, or choose another with {option}.",
    )
