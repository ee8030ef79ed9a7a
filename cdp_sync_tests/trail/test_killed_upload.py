"""The command is killed while it uploads to an OpenSSH server, and the connection's next run removes the leftovers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.openssh import OpenSshServer, openssh_server
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import PROFILES
from cdp_sync_tests.trail.project import Project

ANOTHERS = ".people.csv.0123456789abcdef.part"
SENT = {"method": "fill", "number": 1, "after": True}
"""The whole file is uploaded under its temporary name."""
ASIDE = {"method": "rename", "number": 2, "after": True}
"""The former file is renamed aside, and the new one has no final name yet."""

ONE_SERVER = pytest.mark.parametrize("openssh", [True], indirect=True, ids=["posix-rename"])


@dataclass(frozen=True)
class Shop:
    """A project that imports from a server and exports to it."""

    project: Project
    root: Path
    server: Mapping[str, Any]

    def declare(self, *, export: Mapping[str, Any] | None, **attributes: object) -> None:
        """Declare the connection, with its import goal and, by default, an export goal."""
        goal = {
            "name": "customers",
            "directory": str(self.root / "inbox"),
            "complete": {"settle_seconds": 0},
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": "Name", "property": "first_name"}],
        }
        usual = {
            "name": "people",
            "segment": "everybody",
            "directory": str(self.root / "outbox"),
            "file": {"name": "people.csv"},
            "map": [{"field": "Email", "property": "email"}, {"field": "Name", "property": "first_name"}],
        }
        exports = [] if export is None else [usual | export]
        goals = {"import_profiles": [goal], "export_profiles": exports}
        connection = {"name": "shop", "server": self.server, **goals, **attributes}
        declared = {"type": "cdp_sync.components.SftpConnection", "attributes": connection}
        (self.project.folder / "defs" / "shop" / "defs.yaml").write_text(json.dumps(declared), encoding="utf-8")

    def kill(self, deadly: Mapping[str, Any]) -> None:
        """Run the connection in a process that kills itself."""
        assert victim.exit_code(self.project.start("run", "shop", deadly=deadly)) == victim.KILLED

    def run_removes_leftovers(self, *selection: str) -> None:
        """Run the selection, and assert that the upload has no leftovers on either side."""
        self.project.answer("run", *selection)
        assert self.names() == [ANOTHERS, "people.csv"]
        assert (self.root / "outbox/people.csv").read_text() == "former"
        assert self.local_leftovers() == []

    def names(self, folder: str = "outbox") -> list[str]:
        """Return the names in a folder of the server."""
        return sorted(path.name for path in (self.root / folder).iterdir())

    def local_leftovers(self) -> list[str]:
        """Return the leftovers of runs in the data folder."""
        folders = ("staging", "downloads", "spill", "uploads/shop")
        return [str(path) for folder in folders for path in (self.project.folder / "data" / folder).glob("*")]


@pytest.fixture(scope="module", params=[True, False], ids=["posix-rename", "without posix-rename"])
def openssh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """OpenSSH's server, with and without atomic replacement."""
    subsystem = "internal-sftp" if request.param else "internal-sftp -P posix-rename"
    with openssh_server(tmp_path_factory.mktemp("openssh") / "sshd", subsystem=subsystem) as server:
        yield server


@pytest.fixture
def shop(openssh: OpenSshServer, tmp_path: Path) -> Shop:
    """A shop with a file to import, whose former export is on the server."""
    for folder in ("inbox", "outbox", "elsewhere"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    (tmp_path / "root/inbox/a.csv").write_text("Email,Name\nada@example.com,Ada\nbob@example.com,Bob\n")
    (tmp_path / "root/outbox/people.csv").write_text("former")
    (tmp_path / "root/outbox" / ANOTHERS).write_text("another's")
    server = {
        "host": openssh.host,
        "port": openssh.port,
        "username": openssh.username,
        "private_key_file": str(openssh.client_key),
        "host_key": openssh.fingerprint(),
    }
    made = Shop(Project(tmp_path / "project"), tmp_path / "root", server)
    properties = [each.model_dump(mode="json", exclude_defaults=True) for each in PROFILES.properties]
    everybody = {"name": "everybody", "when": {"property": "email", "has_value": True}}
    made.project.declare(properties, {"name": "shop"}, segments=[everybody])
    made.declare(export={})
    return made


def test_the_next_manual_run_removes_the_leftovers(shop: Shop, request: pytest.FixtureRequest) -> None:
    """After two kills the next run delivers, and no leftovers remain on either side."""
    aside = "without" in request.node.name
    shop.kill(ASIDE if aside else SENT)
    (part,) = {name for name in shop.names() if name.endswith(".part")} - {ANOTHERS}
    assert "bob@example.com" in (shop.root / "outbox" / part).read_text()
    assert ("people.csv" in shop.names()) is not aside
    assert any("staging" in path for path in shop.local_leftovers())
    shop.kill(SENT)
    if aside:
        assert (shop.root / "outbox/people.csv").read_text() == "former"
    answer = shop.project.answer("run", "shop")
    assert [goal["profiles_written"] for goal in answer["goals"] if goal["goal"] == "people"] == [2]
    assert shop.names() == [ANOTHERS, "people.csv"]
    assert "bob@example.com" in (shop.root / "outbox/people.csv").read_text()
    assert shop.local_leftovers() == []


@ONE_SERVER
@pytest.mark.parametrize("before", ["an empty folder", "what others could read"])
def test_local_leftovers_are_readable_by_their_owner_only(before: str, shop: Shop) -> None:
    """After a kill, warehouse, staging, downloads and notes are readable by their owner only, for any umask."""
    data = shop.project.folder / "data"
    if before == "what others could read":
        shop.project.answer("run", "shop", "--goal", "customers")
        for path in (data, *data.glob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
    shop.kill(SENT)
    assert len(list(data.glob("*.duckdb*"))) == len(list(data.glob("staging/*.duckdb"))) == 1
    assert len(list(data.glob("downloads/*/complete"))) == len(list(data.glob("uploads/shop/*"))) == 1
    found = [path for path in data.rglob("*") if data / "dagster" not in path.parents]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (data, *found)}
    assert modes == {(True, 0o700), (False, 0o600)}


@ONE_SERVER
def test_a_goal_is_removed(shop: Shop) -> None:
    """The connection's next run removes the leftovers, even if it only imports."""
    shop.kill(SENT)
    shop.declare(export=None)
    shop.run_removes_leftovers("shop")


@ONE_SERVER
def test_a_goal_is_renamed_and_its_directory_changed(shop: Shop) -> None:
    """The leftovers are removed from the former directory."""
    shop.kill(SENT)
    shop.declare(export={"name": "everyone", "directory": str(shop.root / "elsewhere")})
    shop.run_removes_leftovers("shop", "--goal", "everyone")
    assert shop.names("elsewhere") == ["people.csv"]


@ONE_SERVER
def test_a_connection_is_renamed(shop: Shop) -> None:
    """The renamed connection removes the leftovers of its former name."""
    shop.kill(SENT)
    shop.declare(export=None, name="store", was="shop")
    shop.run_removes_leftovers("store")


@ONE_SERVER
def test_no_profile_is_left_to_deliver(shop: Shop) -> None:
    """A run without a delivery removes the leftovers as well."""
    shop.kill(SENT)
    with shop.project.warehouse.open("write") as session:
        session.execute("update warehouse.profile set email = null")
    shop.run_removes_leftovers("shop", "--goal", "people")
