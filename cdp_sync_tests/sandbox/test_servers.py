"""The sandbox's servers start together, are found by the demonstration's connections, and stop together."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from cdp_sync.connectors.iterable.goals import IterableConnection
from cdp_sync.connectors.sailthru.goals import SailthruConnection
from cdp_sync.errors import ServerUnreachable
from cdp_sync.model import kind_of
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.sandbox.demo.users import CARDS, LIST, write_demo_card_holders, write_demo_users
from cdp_sync.sandbox.servers import SandboxServers


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the environment, as the servers set variables."""
    for name in ("PORT", "SAILTHRU", "SAILTHRU_KEY", "SAILTHRU_SECRET", "ITERABLE", "ITERABLE_KEY"):
        monkeypatch.setenv(f"CDP_SYNC_SANDBOX_{name}", "")


def test_the_demonstrations_connections_find_them(tmp_path: Path) -> None:
    """The demonstration's connections to platforms find address, key, secret and users."""
    lists = {"Sailthru": [(LIST, 24)], "Iterable": [(CARDS, 22)]}
    with SandboxServers(sailthru_port=0, iterable_port=0, folder=tmp_path) as servers:
        apis = [api for api in (servers.newsletter, servers.campaigns) if api]
        assert [api.vendor for api in apis] == [*lists]
        for api in apis:
            assert f"{api.url}/_sandbox" in servers.summary
            declarations = load_declarations()
            declared = declarations.connection(api.vendor.lower())
            assert isinstance(declared, IterableConnection | SailthruConnection)
            assert declared.base_url == api.url
            assert all(fine for _, fine in kind_of(declared).part("check")(declared, declarations.profiles))
            shown = requests.get(f"{api.url}/_sandbox", timeout=20).json()["lists"]
            assert [(each["name"], each["count"]) for each in shown] == lists[api.vendor]
    for api in apis:
        with pytest.raises(requests.ConnectionError):
            requests.get(api.url, timeout=20)


def test_a_file_sets_the_variables_of_another_shell(tmp_path: Path) -> None:
    """A file sets the variables of another shell. It names the secret's file, which only its owner may read."""
    with SandboxServers(sailthru_port=0, folder=tmp_path) as servers:
        given = servers.environment
        script = f'. "{tmp_path}/sailthru.env"; env'
        clean = {name: value for name, value in os.environ.items() if "SAILTHRU" not in name}
        printed = subprocess.run(["sh", "-c", script], env=clean, capture_output=True, text=True, check=True).stdout
    secret = given["CDP_SYNC_SANDBOX_SAILTHRU_SECRET"]
    assert len(secret) > 15
    for part in ("", "_KEY", "_SECRET"):
        name = f"CDP_SYNC_SANDBOX_SAILTHRU{part}"
        assert f"{name}={given[name]}" in printed.splitlines()
    assert secret not in (tmp_path / "sailthru.env").read_text()
    assert (tmp_path / "sailthru_secret").stat().st_mode & 0o777 == 0o600


def test_another_shell_finds_iterable(tmp_path: Path) -> None:
    """The demonstration's Iterable connection finds key and users, which are stored between starts."""
    for _ in range(2):
        with SandboxServers(iterable_port=0, folder=tmp_path) as servers:
            script = (
                f'. "{tmp_path}/iterable.env"; echo "$CDP_SYNC_SANDBOX_ITERABLE"; echo "$CDP_SYNC_SANDBOX_ITERABLE_KEY"'
            )
            printed = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True).stdout
            url, key = printed.split()
            assert f"Iterable on {url}" in servers.summary
            lists = requests.get(f"{url}/api/lists", headers={"Api-Key": key}, timeout=20).json()["lists"]
            size = requests.get(f"{url}/api/lists/{lists[0]['id']}/size", headers={"Api-Key": key}, timeout=20).text
            assert ([each["name"] for each in lists], size) == ([CARDS], "22")
        assert key not in (tmp_path / "iterable.env").read_text()
        assert key == (tmp_path / "iterable_key").read_text().strip()


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Secrets, host key, users, mails and served files are readable by their owner only, for any umask."""
    folder = tmp_path / "data" / "sandbox"
    umask = os.umask(0)
    try:
        folder.mkdir(parents=True)
        (folder / "password").write_text("an-older-one\n")
        with SandboxServers(sailthru_port=0, iterable_port=0, mail_port=0, folder=folder):
            found = [folder, *folder.rglob("*")]
            modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in found}
    finally:
        os.umask(umask)
    assert {*FILES, "mail", "sftp"} <= {path.name for path in found}
    assert modes == {(True, 0o700), (False, 0o600)}


FILES = ("password", "host_key", "sailthru_secret", "sailthru.env", "iterable_key", "iterable.env")

SERVERS = {
    "port": ("SFTP", "--port"),
    "mail_port": ("mail", "--mail-port"),
    "sailthru_port": ("Sailthru", "--sailthru-port"),
    "iterable_port": ("Iterable", "--iterable-port"),
}


@pytest.mark.parametrize("server", SERVERS)
def test_a_port_in_use_is_an_error_before_anything_starts(server: str, tmp_path: Path) -> None:
    """A port in use is an error before any server starts; it names the server and the option to change it."""
    name, option = SERVERS[server]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = dict.fromkeys(SERVERS, 0) | {server: taken.getsockname()[1]}
        servers = SandboxServers(**ports, folder=tmp_path / "sandbox")
        with pytest.raises(ServerUnreachable) as refused, servers:
            pass
    message = str(refused.value)
    assert message.startswith(
        f"Port {ports[server]}, which the sandbox's {name} server needs, cannot be opened: Address"
    )
    assert message.endswith(f"choose another with {option}.")
    assert not (tmp_path / "sandbox").exists()


@pytest.mark.parametrize("module", ["sftp", "sailthru", "iterable"])
def test_a_single_server_reports_a_port_in_use(module: str, tmp_path: Path) -> None:
    """A server that is started alone reports a port in use in one line."""
    options = {
        "sftp": ["--root", str(tmp_path), "--account", "shop=SECRET"],
        "sailthru": ["--api-key", "key", "--api-secret-env", "SECRET"],
        "iterable": ["--api-key-env", "SECRET"],
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", f"cdp_sync.sandbox.{module}", *options[module], "--port", port]
        done = subprocess.run(
            command, env={**os.environ, "SECRET": "x"}, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"Port {port}, which this server needs, cannot be opened: Address already in use.")


@pytest.mark.parametrize(("write", "count"), [(write_demo_users, 24), (write_demo_card_holders, 22)])
def test_the_users_are_reproducible(tmp_path: Path, write: Callable[..., None], count: int) -> None:
    """The same seed yields the same users, with example addresses."""
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        write(tmp_path / name, seed=seed)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes() != (tmp_path / "three").read_bytes()
    emails = [json.loads(line)["email"] for line in (tmp_path / "one").read_text().splitlines()]
    assert {email.rpartition("@")[2] for email in emails} <= {"example.com", "example.org", "example.net"}
    assert len(set(emails)) == len(emails) == count
