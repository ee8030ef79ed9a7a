"""Servers that are not there, say nothing, or say the wrong thing."""

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
    """Accept connections, say something, and hang up or stay; yields the port."""
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
    """Declare a server on loopback that is given half a second."""
    login = {"username": "webshop", "password_env": "PASSWORD", "host_key": "SHA256:x"}
    return SftpServer.model_validate({"host": "127.0.0.1", "port": port, "connect_timeout": 0.5, **login})


def attempt(server: SftpServer, attempts: int = 1) -> list[str]:
    """Try to list a directory; return what was logged."""
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
def test_what_speaks_no_ssh_is_unreachable(say: bytes, hang_up: bool) -> None:
    """Whatever a port says that is no SSH, it is ServerUnreachable within a few connect_timeouts."""
    started = time.monotonic()
    with listener(say, hang_up=hang_up) as port:
        attempt(server_at(port))
    assert time.monotonic() - started < 4


def test_a_closed_port_is_tried_again_with_growing_pauses() -> None:
    """Nobody listening is ServerUnreachable after all attempts, each of them logged."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = attempt(server_at(port), attempts=4)
    assert [line.partition("Attempt ")[2][:6] for line in lines] == ["2 of 4", "3 of 4", "4 of 4"]


def test_a_host_that_is_no_name_is_unreachable() -> None:
    """A host that no resolver can be asked for is ServerUnreachable."""
    with pytest.raises(ServerUnreachable):
        SftpClient(
            server_at(1).model_copy(update={"host": "a..b"}), environ={"PASSWORD": PASSWORD}, attempts=1
        ).connect()


def test_a_server_that_comes_back_is_found(sandbox: SftpSandbox, connect: Connect) -> None:
    """A connection that died while nobody used it is replaced without anyone noticing."""
    lines: list[str] = []
    client = connect(sandbox, log=lines.append)
    client.list_directory("/inbox")
    sandbox.hang_up()
    wait_until(lambda: not vars(client)["_session"].alive)
    client.list_directory("/inbox")
    assert (sandbox.connections, lines) == (2, [])


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does, for at most ten seconds."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.01)


def test_a_server_that_falls_silent_in_a_listing_is_noticed(openssh: OpenSshServer, connect: Connect) -> None:
    """Every request, not only a download, ends within about `read_timeout`."""
    client = connect(openssh, read_timeout=0.5, attempts=1)
    client.list_directory("/")
    started = time.monotonic()
    with openssh.silent(), pytest.raises(ConnectionLost, match=r"silent: not a byte for 0\.5 s"):
        client.list_directory("/")
    assert time.monotonic() - started < 4


def test_no_common_cipher_names_both_sides(start_openssh: StartOpenSsh, connect: Connect) -> None:
    """Where ciphers do not meet, the message has what the server offers and what is accepted."""
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
    """aes-cbc and hmac-sha1 are refused by default and accepted, with a log line, where that is declared."""
    server = start_openssh(options=WEAK[what])
    with pytest.raises(NoCommonAlgorithm, match=what):
        connect(server).exists("/")
    lines: list[str] = []
    assert connect(server, legacy_algorithms=True, log=lines.append).exists("/")
    assert any("weak algorithms" in line for line in lines)


@pytest.mark.parametrize("option", ["KexAlgorithms sntrup761x25519-sha512@openssh.com", "MACs umac-64@openssh.com"])
def test_other_lists_that_do_not_meet_are_named(start_openssh: StartOpenSsh, connect: Connect, option: str) -> None:
    """Key exchanges and codes are named as ciphers are."""
    with pytest.raises(NoCommonAlgorithm, match=option.split()[1]):
        connect(start_openssh(options=[option])).exists("/")


@pytest.mark.parametrize("subsystem", ["/nowhere/sftp-server", "/bin/echo Welcome to our server"])
def test_an_account_without_sftp_is_refused(start_openssh: StartOpenSsh, connect: Connect, subsystem: str) -> None:
    """A subsystem that is missing, or a shell that prints a greeting in its place, is ServerRefused and says so."""
    with pytest.raises(ServerRefused, match="gives no SFTP"):
        connect(start_openssh(subsystem=subsystem), attempts=1).exists("/")


class NoSubsystem(Login):
    """Refuses SFTP."""

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Refuse."""
        return False


class DeafSubsystem(Login):
    """Never answers when asked for SFTP."""

    never = threading.Event()

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Wait until the test is over."""
        return self.never.wait(20)


class DyingSubsystem(Login):
    """Hangs up when asked for SFTP."""

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Hang up."""
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
def test_the_first_word_of_sftp_may_fail_in_many_ways(
    start_sandbox: StartSandbox, connect: Connect, login: type[Login], error: type[Exception], words: str
) -> None:
    """Refusing SFTP is distinguished from falling silent and from hanging up; only the first is final."""
    server = start_sandbox(type("Sandbox", (SftpSandbox,), {"login": login}))
    with pytest.raises(error, match=words):
        connect(server, read_timeout=0.4, attempts=1).exists("/")


def test_compression_works(start_openssh: StartOpenSsh, connect: Connect) -> None:
    """A connection with compression does what others do."""
    assert connect(start_openssh(), compression=True).exists("/")


def test_a_session_has_a_strong_cipher_first(openssh: OpenSshServer, connect: Connect) -> None:
    """AES-GCM is what a modern server and we agree on: paramiko's own order would end at aes128-ctr."""
    client = connect(openssh)
    client.exists("/")
    transport = vars(vars(client)["_session"])["_transport"]
    assert transport.remote_cipher == "aes128-gcm@openssh.com"


def test_importing_the_package_does_not_load_paramiko() -> None:
    """Declaring connections does not import paramiko."""
    code = "import sys, cdp_sync.connectors.sftp; sys.exit('paramiko' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
