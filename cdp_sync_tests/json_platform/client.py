"""Reads and writes JSON files. The client of an API would use `Sender` of `cdp_sync.connectors.http` here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from cdp_sync.errors import ServerUnreachable
from cdp_sync.model import Profiles
from cdp_sync_tests.json_platform.goals import JsonConnection, JsonFolder


class JsonClient:
    """The files of a folder.

    Args:
        server: The folder.
    """

    def __init__(self, server: JsonFolder) -> None:
        self._folder = Path(server.folder)

    def __enter__(self) -> Self:
        """Check that the folder exists.

        Raises:
            ServerUnreachable: The folder does not exist.
        """
        if not self._folder.is_dir():
            raise ServerUnreachable(f"There is no folder {self._folder}.", remedy="Make it, or correct `folder`.")
        return self

    def __exit__(self, *_unused: object) -> None:
        """Do nothing: there is no resource to close."""

    def read(self, name: str) -> Any:
        """Return the content of a file, or None without a file."""
        file = self._folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def write(self, name: str, content: object) -> None:
        """Replace a file."""
        (self._folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def check(connection: JsonConnection, _profiles: Profiles) -> Iterator[tuple[str, bool]]:
    """Check each imported file; yield a sentence and whether the file is valid."""
    with JsonClient(connection.server_value) as client:
        for goal in connection.import_profiles:
            people = client.read(goal.file)
            yield f"{goal.file}: {'missing' if people is None else f'{len(people)} people'}.", people is not None
