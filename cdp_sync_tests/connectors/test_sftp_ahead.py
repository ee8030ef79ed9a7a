"""Connecting in advance."""

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
    """Set the variable of the declared server's password."""
    monkeypatch.setenv("PASSWORD", PASSWORD)


def test_the_next_request_gets_the_open_connection(sandbox: SftpSandbox, declare: Declare) -> None:
    """The next request gets the open connection, and only that one."""
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    server.connect_ahead()
    for connections in (1, 2):
        with server.client() as client:
            assert client.exists("/inbox")
        assert sandbox.connections == connections


def test_a_hang_up_closes_the_connection(sandbox: SftpSandbox, declare: Declare) -> None:
    """After a hang-up the next request opens a new connection."""
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    server.hang_up()
    with server.client() as client:
        assert client.exists("/inbox")
    assert sandbox.connections == 2


def test_a_refusal_is_raised_once_at_the_next_request(
    sandbox: SftpSandbox, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused login is raised at the next request. A wrong password is sent once, as servers lock accounts."""
    monkeypatch.setenv("PASSWORD", "wrong")
    server = PlatformResource.of(KIND, declare(sandbox))
    server.connect_ahead()
    with pytest.raises(ServerRefused, match="webshop"):
        server.client()
    assert sandbox.refused_logins == 1


def test_an_unreachable_server_is_tried_again(root: Path, declare: Declare) -> None:
    """An unreachable server is no error in advance: the client connects at its first use."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    away = SftpSandbox(root, accounts={"webshop": PASSWORD}, port=port)
    server = PlatformResource.of(KIND, declare(away))
    server.connect_ahead()
    with server.client() as client, away:
        assert client.exists("/inbox")
