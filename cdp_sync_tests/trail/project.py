"""A declared project with a server of its own, run by the `cdp-sync` command."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail import victim

REPOSITORY = Path(__file__).parents[2]
_COMMAND = Path(sys.executable).with_name("cdp-sync")
_PASSWORD = "correct horse"  # noqa: S105 - of a server that lives for one test
_LONG_AGO = 1_600_000_000

_PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name"},
    {"name": "order_total", "type": "decimal"},
]
_GOAL = {
    "name": "customers",
    "directory": "/inbox",
    "link": [{"field": "Email", "property": "email"}],
    "map": [
        {"field": "Name", "property": "first_name"},
        {"field": "Total", "property": "order_total", "mode": "sum"},
    ],
}


@dataclass(frozen=True)
class Project:
    """A project with the connection `shop`."""

    folder: Path
    sandbox: SftpSandbox

    @property
    def environ(self) -> dict[str, str]:
        """What its command finds in the environment, besides the usual."""
        places = {"CDP_SYNC_DEFS": self.folder / "defs", "CDP_SYNC_DATA": self.folder / "data"}
        return {"SHOP_PASSWORD": _PASSWORD, **{name: str(path) for name, path in places.items()}}

    @property
    def warehouse(self) -> Warehouse:
        """Where its profiles are."""
        return Warehouse(self.folder / "data" / "warehouse.duckdb")

    def put(self, name: str, content: str) -> None:
        """Deliver a file that has been at rest for long."""
        file = self.sandbox.root / "inbox" / name
        file.write_text(content, encoding="utf-8")
        os.utime(file, (_LONG_AGO, _LONG_AGO))

    def start(self, deadly: Mapping[str, Any] | None = None) -> BaseProcess:
        """Run the connection in a process that can be killed, or kills itself at a statement."""
        return victim.start(victim.command, ["run", "shop", "--json"], self.folder, self.environ, deadly)

    def run(self) -> dict[str, Any]:
        """Run the connection and return what it answers."""
        return dict(self._answer("run", "shop"))

    def runs(self) -> list[dict[str, Any]]:
        """Return the latest runs, newest first."""
        return list(self._answer("runs", "shop"))

    def totals(self) -> list[Decimal]:
        """Return the order totals of all profiles."""
        if not self.warehouse.path.exists():
            return []
        with self.warehouse.open("read") as session:
            known = "select count(*) from duckdb_columns() where column_name = 'order_total'"
            if not session.value(known):
                return []
            return [total for (total,) in session.rows("select order_total from warehouse.profile")]

    def _answer(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command answers
        done = subprocess.run(
            [_COMMAND, *arguments, "--json"],
            cwd=self.folder, env=os.environ | self.environ, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@contextmanager
def project_with_sandbox(folder: Path, kind: type[SftpSandbox] = SftpSandbox) -> Iterator[Project]:
    """Yield a project whose server runs in this process meanwhile."""
    (folder / "root" / "inbox").mkdir(parents=True)
    with kind(folder / "root", accounts={"shop": _PASSWORD}) as sandbox:
        project = Project(folder / "project", sandbox)
        project.folder.mkdir()
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(REPOSITORY / name, project.folder)
        _declare(project.folder, "profiles", "ProfileModel", {"properties": _PROPERTIES})
        server = {"host": sandbox.host, "port": sandbox.port, "username": "shop", "password_env": "SHOP_PASSWORD"}
        connection = {"name": "shop", "server": {**server, "host_key": sandbox.fingerprint}, "import_profiles": [_GOAL]}
        _declare(project.folder, "shop", "SftpConnection", connection)
        yield project


def _declare(folder: Path, name: str, kind: str, attributes: dict[str, Any]) -> None:
    file = folder / "defs" / name / "defs.yaml"
    file.parent.mkdir(parents=True)
    # JSON is YAML.
    file.write_text(json.dumps({"type": f"cdp_sync.components.{kind}", "attributes": attributes}), encoding="utf-8")
