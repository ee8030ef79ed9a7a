"""Servers that are unreachable, silent or no SSH servers."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import paramiko
import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import ConnectionLost, NoCommonAlgorithm, ServerRefused, ServerUnreachable
from cdp_sync.model.server import SftpServer
from cdp_sync.sandbox.sftp import Login, SftpSandbox
from cdp_sync_tests.connectors.conftest import PASSWORD, Connect, StartOpenSsh, StartSandbox
from cdp_sync_tests.openssh import OpenSshServer


@contextmanager
def listener(say: bytes, *, hang_up: bool) -> Iterator[int]:
    """Accept connections, send a text, and close or stay; yield the port."""
    held = ExitStack()

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = server.accept()
                line.sendall(say)
                line.close() if hang_up else held.enter_context(line)

    with held, socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def server_at(port: int) -> SftpServer:
    """Declare a server on loopback with a timeout of half a second."""
    login = {"username": "webshop", "password_env": "PASSWORD", "host_key": "SHA256:x"}
    return SftpServer.model_validate({"host": "127.0.0.1", "port": port, "connect_timeout": 0.5, **login})


def attempt(server: SftpServer, attempts: int = 1) -> list[str]:
    """Try to list a directory; return the log lines."""
    lines: list[str] = []
    with (
        SftpClient(
            server, environ={"PASSWORD": PASSWORD}, attempts=attempts, first_pause=0.01, log=lines.append
        ) as client,
        pytest.raises(ServerUnreachable, match=f"127.0.0.1:{server.port} could not be reached"),
    ):
        client.list_directory("/inbox")
    return lines


MUTE = {
    "says nothing": (b"", False),
    "hangs up": (b"", True),
    "speaks HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
    "greets and falls silent": (b"SSH-2.0-OpenSSH_9.2\r\n", False),
    "greets and hangs up": (b"SSH-2.0-OpenSSH_9.2\r\n", True),
    "sends noise": (b"SSH-2.0-x\r\n" + b"\xff" * 2000, False),
}


@pytest.mark.parametrize(("say", "hang_up"), MUTE.values(), ids=MUTE.keys())
def test_a_port_without_ssh_is_unreachable(say: bytes, hang_up: bool) -> None:
    """A port that does not speak SSH is ServerUnreachable within a few connect_timeouts."""
    started = time.monotonic()
    with listener(say, hang_up=hang_up) as port:
        attempt(server_at(port))
    assert time.monotonic() - started < 4


def test_a_closed_port_is_retried_with_backoff() -> None:
    """A closed port is ServerUnreachable after all attempts, each of which is logged."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = attempt(server_at(port), attempts=4)
    assert [line.partition("Attempt ")[2][:6] for line in lines] == ["2 of 4", "3 of 4", "4 of 4"]


def test_an_unresolvable_host_is_unreachable() -> None:
    """A host name that cannot be resolved is ServerUnreachable."""
    with pytest.raises(ServerUnreachable):
        SftpClient(
            server_at(1).model_copy(update={"host": "a..b"}), environ={"PASSWORD": PASSWORD}, attempts=1
        ).connect()


def test_a_broken_idle_connection_is_replaced(sandbox: SftpSandbox, connect: Connect) -> None:
    """A connection that broke while idle is replaced."""
    lines: list[str] = []
    client = connect(sandbox, log=lines.append)
    client.list_directory("/inbox")
    sandbox.hang_up()
    wait_until(lambda: not vars(client)["_session"].alive)
    client.list_directory("/inbox")
    assert (sandbox.connections, lines) == (2, [])


def wait_until(true: Callable[[], bool]) -> None:
    """Wait up to ten seconds for another thread."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.01)


def test_a_stalled_listing_times_out(openssh: OpenSshServer, connect: Connect) -> None:
    """Every request ends within about `read_timeout`, not only a download."""
    client = connect(openssh, read_timeout=0.5, attempts=1)
    client.list_directory("/")
    started = time.monotonic()
    with openssh.silent(), pytest.raises(ConnectionLost, match=r"silent: not a byte for 0\.5 s"):
        client.list_directory("/")
    assert time.monotonic() - started < 4


def test_no_common_cipher_names_both_sides(start_openssh: StartOpenSsh, connect: Connect) -> None:
    """Without a common cipher the message has the offered and the accepted ones."""
    server = start_openssh(options=["Ciphers chacha20-poly1305@openssh.com"])
    with pytest.raises(NoCommonAlgorithm) as raised:
        connect(server).exists("/")
    assert "chacha20-poly1305@openssh.com" in raised.value.found
    assert "aes128-gcm@openssh.com" in raised.value.needed


WEAK = {
    "ciphers": ["Ciphers aes128-cbc"],
    "message authentication codes": ["Ciphers aes128-ctr", "MACs hmac-sha1"],
}


@pytest.mark.parametrize("what", WEAK)
def test_weak_algorithms_need_a_declaration(start_openssh: StartOpenSsh, connect: Connect, what: str) -> None:
    """aes-cbc and hmac-sha1 need a declaration, and are then logged."""
    server = start_openssh(options=WEAK[what])
    with pytest.raises(NoCommonAlgorithm, match=what):
        connect(server).exists("/")
    lines: list[str] = []
    assert connect(server, legacy_algorithms=True, log=lines.append).exists("/")
    assert any("weak algorithms" in line for line in lines)


@pytest.mark.parametrize("option", ["KexAlgorithms sntrup761x25519-sha512@openssh.com", "MACs umac-64@openssh.com"])
def test_other_missing_common_algorithms_are_named(start_openssh: StartOpenSsh, connect: Connect, option: str) -> None:
    """Missing common key exchanges and MACs are named in the same way."""
    with pytest.raises(NoCommonAlgorithm, match=option.split()[1]):
        connect(start_openssh(options=[option])).exists("/")


@pytest.mark.parametrize("subsystem", ["/nowhere/sftp-server", "/bin/echo Welcome to our server"])
def test_an_account_without_sftp_is_refused(start_openssh: StartOpenSsh, connect: Connect, subsystem: str) -> None:
    """A missing SFTP subsystem, or a shell that prints a greeting, is ServerRefused."""
    with pytest.raises(ServerRefused, match="gives no SFTP"):
        connect(start_openssh(subsystem=subsystem), attempts=1).exists("/")


class NoSubsystem(Login):
    """Refuses the SFTP subsystem."""

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Refuse the request."""
        return False


class DeafSubsystem(Login):
    """Never answers the request for SFTP."""

    never = threading.Event()

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Wait until the test ends."""
        return self.never.wait(20)


class DyingSubsystem(Login):
    """Closes the connection at the request for SFTP."""

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Close the connection."""
        vars(channel.get_transport())["sock"].close()
        return True


@pytest.mark.parametrize(
    ("login", "error", "words"),
    [
        (NoSubsystem, ServerRefused, "gives no SFTP"),
        (DeafSubsystem, ConnectionLost, "dropped"),
        (DyingSubsystem, ConnectionLost, "dropped"),
    ],
)
def test_only_a_refused_subsystem_is_final(
    start_sandbox: StartSandbox, connect: Connect, login: type[Login], error: type[Exception], words: str
) -> None:
    """Only a refused SFTP subsystem is final; silence and a closed connection are retried."""
    server = start_sandbox(type("Sandbox", (SftpSandbox,), {"login": login}))
    with pytest.raises(error, match=words):
        connect(server, read_timeout=0.4, attempts=1).exists("/")


def test_compression_works(start_openssh: StartOpenSsh, connect: Connect) -> None:
    """A connection with compression works."""
    assert connect(start_openssh(), compression=True).exists("/")


def test_a_session_prefers_a_strong_cipher(openssh: OpenSshServer, connect: Connect) -> None:
    """A modern server and the client agree on AES-GCM, not on paramiko's first choice of aes128-ctr."""
    client = connect(openssh)
    client.exists("/")
    transport = vars(vars(client)["_session"])["_transport"]
    assert transport.remote_cipher == "aes128-gcm@openssh.com"


def test_importing_the_package_does_not_load_paramiko() -> None:
    """Declaring a connection does not import paramiko."""
    code = "import sys, cdp_sync.connectors.sftp; sys.exit('paramiko' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
