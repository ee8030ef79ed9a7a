"""Iterable's official client, `@iterable/api` of npm, in a Node process.

The variable CDP_SYNC_ITERABLE_CLIENT names the folder that npm installed it into.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SCRIPT = Path(__file__).with_suffix(".mjs")
_FOLDER = "CDP_SYNC_ITERABLE_CLIENT"


class ClientError(Exception):
    """The client raised an error.

    Attributes:
        kind: The class of the error.
        status: The HTTP status; None without an answer.
        code: The answer's code; None without one.
    """

    def __init__(self, kind: str, message: str, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.code = code


class OfficialClient:
    """The client in a Node process. A context manager, which ends the process."""

    def __init__(self, url: str, key: str) -> None:
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT), url],
            env={**os.environ, "KEY": key}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.communicate(timeout=20)

    def call(self, method: str, **parameters: Any) -> Any:
        """Return the result of a method.

        Raises:
            ClientError: The client raised an error.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"method": method, "parameters": parameters}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ClientError(**answer["error"])
        return answer.get("result")


def why_absent() -> str | None:
    """Return why the client cannot run here, or None where it can."""
    if shutil.which("node") is None:
        return "Node is not installed"
    folder = os.environ.get(_FOLDER)
    if not folder or not Path(folder, "node_modules", "@iterable", "api").is_dir():
        return f"{_FOLDER} names no folder with @iterable/api; `.ci/run` makes one"
    return None
