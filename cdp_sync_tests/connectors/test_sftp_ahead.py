"""Connecting while there is other work to do."""

import socket
from pathlib import Path

import pytest

from cdp_sync.connectors.sftp.kind import KIND
from cdp_sync.errors import ServerRefused
from cdp_sync.orchestration.resources import PlatformResource
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.conftest import PASSWORD, Declare


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable that the declared server names."""
    monkeypatch.setenv("PASSWORD", PASSWORD)


def test_who_asks_next_gets_the_client_that_connected(sandbox: SftpSandbox, declare: Declare) -> None:
    """One connection serves the next to ask, and only that one; a goal that wants one meanwhile makes no other."""
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    server.connect_ahead()
    for connections in (1, 2):
        with server.client() as client:
            assert client.exists("/inbox")
        assert sandbox.connections == connections


def test_who_hangs_up_leaves_nothing_connected(sandbox: SftpSandbox, declare: Declare) -> None:
    """Who asks next connects anew."""
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    server.hang_up()
    with server.client() as client:
        assert client.exists("/inbox")
    assert sandbox.connections == 2


def test_a_refusal_is_reported_to_who_asks_and_not_provoked_twice(
    sandbox: SftpSandbox, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done all the same; a wrong password is sent once, for servers lock out who repeats it."""
    monkeypatch.setenv("PASSWORD", "wrong")
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    with pytest.raises(ServerRefused, match="webshop"):
        server.client()
    assert sandbox.refused_logins == 1


def test_a_server_that_was_away_is_tried_again(root: Path, declare: Declare) -> None:
    """That nobody answered yet is nobody's failure: the client connects when it is used."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    away = SftpSandbox(root, accounts={"webshop": PASSWORD}, port=port)
    server = PlatformResource.of(KIND, declare(away))
    server.connect_ahead()
    with server.client() as client, away:
        assert client.exists("/inbox")
