"""Servers and clients for the tests of the connectors."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.model.server import SftpServer
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.files import written
from cdp_sync_tests.connectors.outbox import Outbox
from cdp_sync_tests.openssh import OpenSshServer, openssh_server

PASSWORD = "correct horse"  # of a server that lives for one test

OUTBOXES = {
    "sandbox": ("sandbox", True),
    "sandbox without posix-rename": ("sandbox", False),
    "openssh": ("openssh", True),
    "openssh without posix-rename": ("openssh", False),
}

StartSandbox = Callable[..., SftpSandbox]
StartOpenSsh = Callable[..., OpenSshServer]
Declare = Callable[..., SftpServer]
Connect = Callable[..., SftpClient]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that a sandbox serves, with an empty inbox."""
    (tmp_path / "root" / "inbox").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """The target of a download, in an otherwise empty folder."""
    return tmp_path / "fetched" / "a.csv"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A local file to be published."""
    written(tmp_path / "local.csv", 1_000_000)
    return tmp_path / "local.csv"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """An exit stack that is closed at the end of the test."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def start_sandbox(root: Path, stack: ExitStack) -> StartSandbox:
    """Starts a sandbox of a given class over `root`, with the account `webshop`."""
    return lambda kind=SftpSandbox, **options: stack.enter_context(
        kind(root, accounts={"webshop": PASSWORD}, **options)
    )


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SftpSandbox:
    """A sandbox with default behavior."""
    return start_sandbox()


@pytest.fixture
def start_openssh(tmp_path: Path, stack: ExitStack) -> StartOpenSsh:
    """Starts an OpenSSH server with given options."""
    return lambda **options: stack.enter_context(openssh_server(tmp_path / "sshd", **options))


@pytest.fixture(scope="session")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """An OpenSSH server with default options, shared by all tests. It keeps no state between connections."""
    with openssh_server(tmp_path_factory.mktemp("openssh") / "sshd") as server:
        yield server


@pytest.fixture(scope="session")
def plain_openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """An OpenSSH server without `posix-rename@openssh.com`, shared by all tests."""
    folder = tmp_path_factory.mktemp("plain_openssh") / "sshd"
    with openssh_server(folder, subsystem="internal-sftp -P posix-rename") as server:
        yield server


@pytest.fixture
def sftp_server() -> str:
    """The path of OpenSSH's `sftp-server`, for tests that start it themselves."""
    known = (Path(folder, "sftp-server") for folder in ("/usr/lib/openssh", "/usr/lib/ssh", "/usr/libexec/openssh"))
    return str(next(filter(Path.exists, known), None) or pytest.skip("OpenSSH's sftp-server is not installed"))


@pytest.fixture(params=OUTBOXES)
def outbox(request: pytest.FixtureRequest, root: Path, start_sandbox: StartSandbox) -> Outbox:
    """An empty folder to publish in, on each kind of server in turn."""
    program, replaces = OUTBOXES[request.param]
    if program == "sandbox":
        return Outbox(start_sandbox(posix_rename=replaces), root / "inbox", replaces)
    running = request.getfixturevalue("openssh" if replaces else "plain_openssh")
    return Outbox(running, root / "inbox", replaces)


@pytest.fixture
def declare() -> Declare:
    """Declares a sandbox with a pinned host key and a password, or an OpenSSH server with a private key."""

    def declared(running: SftpSandbox | OpenSshServer, **fields: Any) -> SftpServer:  # of the model
        usual: dict[str, Any] = {"host": running.host, "port": running.port, "read_timeout": 10, "connect_timeout": 10}
        if isinstance(running, SftpSandbox):
            usual |= {"username": "webshop", "password_env": "PASSWORD", "host_key": running.fingerprint}
        else:
            usual |= {"username": running.username, "private_key_file": str(running.client_key)}
            usual |= {"host_key": running.fingerprint()}
        return SftpServer(**usual | fields)

    return declared


@pytest.fixture
def connect(declare: Declare, stack: ExitStack) -> Connect:
    """Creates a client for a running server. Keywords that the client does not accept go to the declaration."""

    def connected(running: SftpSandbox | OpenSshServer, **fields: Any) -> SftpClient:  # of both
        environ = fields.pop("environ", {"PASSWORD": PASSWORD})
        options = {name: fields.pop(name) for name in ("attempts", "log") if name in fields}
        client = SftpClient(declare(running, **fields), environ=environ, first_pause=0.01, **options)
        return stack.enter_context(client)

    return connected
