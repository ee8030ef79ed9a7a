"""Iterable's official client, `@iterable/api` of npm, as a process that these tests call.

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
        kind: Its class.
        status: Of HTTP; None where there was no answer.
        code: Of the answer; None where it has none.
    """

    def __init__(self, kind: str, message: str, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.code = code


class OfficialClient:
    """The client in a process of Node. A context manager: leaving it ends the process."""

    def __init__(self, url: str, key: str) -> None:
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT), url],
            env={**os.environ, "KEY": key}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.communicate(timeout=20)

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what a method returns.

        Raises:
            ClientError: It raised an error.
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
    """Return why the client cannot run here; None where it can."""
    if shutil.which("node") is None:
        return "Node is not installed"
    folder = os.environ.get(_FOLDER)
    if not folder or not Path(folder, "node_modules", "@iterable", "api").is_dir():
        return f"{_FOLDER} names no folder with @iterable/api; `.ci/run` makes one"
    return None
