"""A declared project, run by the `cdp-sync` command."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail import victim

REPOSITORY = Path(__file__).parents[2]

_COMMAND = Path(sys.executable).with_name("cdp-sync")


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own.

    Args:
        folder: The project's folder, created by `declare`.
        secrets: Environment variables of its command.
    """

    folder: Path
    secrets: Mapping[str, str] = field(default_factory=dict)

    def declare(
        self,
        properties: Sequence[Mapping[str, Any]],
        connection: Mapping[str, Any],
        *,
        kind: str = "SftpConnection",
        segments: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write the project: its profile model, one connection, and the repository's own Dagster settings."""
        self.folder.mkdir()
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(REPOSITORY / name, self.folder)
        self._write("profiles", "ProfileModel", {"properties": properties, "segments": list(segments)})
        self._write(connection["name"], kind, connection)

    @property
    def environ(self) -> dict[str, str]:
        """The additional environment of its command."""
        places = {"CDP_SYNC_DEFS": self.folder / "defs", "CDP_SYNC_DATA": self.folder / "data"}
        return {**self.secrets, **{name: str(path) for name, path in places.items()}}

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse."""
        return Warehouse(self.folder / "data" / "warehouse.duckdb")

    def command(self, *arguments: str) -> Any:
        """Run the command as an operator does, and return its JSON."""
        done = subprocess.run(
            [_COMMAND, *arguments, "--json"],
            cwd=self.folder, env=os.environ | self.environ, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str, deadly: Mapping[str, Any] | None = None) -> BaseProcess:
        """Start the command in a process that can be killed, or that kills itself at a statement or a request."""
        return victim.start(victim.command, [*arguments, "--json"], self.folder, self.environ, deadly)

    def answer(self, *arguments: str) -> Any:
        """Run the command in a forked process, which is faster than `command`, and return its JSON."""
        assert victim.exit_code(self.start(*arguments)) == 0
        return json.loads((self.folder / victim.ANSWER).read_text(encoding="utf-8"))

    def _write(self, name: str, kind: str, attributes: Mapping[str, Any]) -> None:
        file = self.folder / "defs" / name / "defs.yaml"
        file.parent.mkdir(parents=True)
        # JSON is YAML.
        declared = {"type": f"cdp_sync.components.{kind}", "attributes": attributes}
        file.write_text(json.dumps(declared), encoding="utf-8")
