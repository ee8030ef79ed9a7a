"""A server of the sandbox as a process of its own, which ends with the process that started it."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from cdp_sync.errors import ServerUnreachable

HOST = "127.0.0.1"
_LONGEST_END = 30.0


class ServerProcess:
    """Runs a module that writes one line of JSON when it is ready, and ends when its standard input does.

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
        """Return it; it is still starting."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and wait until it has ended."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(_LONGEST_END)

    def ready(self, server: str) -> dict[str, Any]:
        """Wait until it is ready, and return its line.

        Args:
            server: Its name in messages.

        Raises:
            ServerUnreachable: It ended.
        """
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise ServerUnreachable(
                f"The sandbox's {server} server did not start.", remedy="What it wrote says why; run again."
            )
        summary: dict[str, Any] = json.loads(line)
        return summary

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()


def refuse_taken(server: str, port: int, setting: str) -> None:
    """Make sure that a server can listen on its port of loopback, before anything is started.

    Args:
        server: Its name in messages, such as `the sandbox's SFTP server`.
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


# Inside the process


def server_options(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return the options that every server has; each adds its own."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    return parser


def exit_unless_free(port: int) -> None:
    """End this process with one line where it cannot listen on a port."""
    try:
        refuse_taken("this server", port, "--port")
    except ServerUnreachable as error:
        sys.exit(str(error))


def wait_until_ended(ready: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Write the line that says that the server is ready; wait for a signal or, if asked for, the end of the input."""
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if options.until_stdin_closes:
        threading.Thread(target=_set_at_end_of_input, args=[done], daemon=True).start()
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    done.wait()


def _set_at_end_of_input(done: threading.Event) -> None:
    # Not sys.stdin: a thread that waits in it would keep the interpreter from ending on a signal.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    done.set()
