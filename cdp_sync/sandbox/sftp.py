"""An SFTP server on loopback that serves one folder.

It listens on 127.0.0.1 only and makes its own host key, so that clients pin it as they pin a real one. For big files it
runs as a process of its own, because server and client in one process share an interpreter lock::

    python -m cdp_sync.sandbox.sftp --root DIR --port 2222 --account webshop=WEBSHOP_SFTP_PASSWORD
"""

import argparse
import hmac
import io
import logging
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from paramiko import common

from cdp_sync.private import write_private
from cdp_sync.sandbox.server_process import exit_unless_free, server_options, wait_until_ended
from cdp_sync.sandbox.sftp_files import Files, Protocol, WithoutPosixRename

# paramiko would write a traceback to standard error when a client disconnects.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_HOST = "127.0.0.1"
_WINDOW = 16 << 20
_PACKET = 256 << 10


class Login(paramiko.ServerInterface):
    """Admits accounts by their passwords, to SFTP and nothing else."""

    def __init__(self, sandbox: "SftpSandbox") -> None:
        self.sandbox = sandbox

    def get_allowed_auths(self, username: str) -> str:
        """Return the ways to log in, separated by commas."""
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        """Compare in constant time."""
        known = self.sandbox.accounts.get(username)
        if known is not None and hmac.compare_digest(known.encode(), password.encode()):
            return common.AUTH_SUCCESSFUL
        self.sandbox.refused_logins += 1
        return common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open sessions; no forwarding of any kind."""
        if kind == "session":
            return common.OPEN_SUCCEEDED
        return common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class SftpSandbox:
    """An SFTP server in threads of this process, one per connection. A context manager: it serves inside the block.

    Args:
        root: The folder that all accounts see as `/`; it must exist.
        accounts: Passwords by user name.
        port: 0 picks a free one.
        host_key_file: Keeps the host key from one start to the next; without it each start makes a new one.
        posix_rename: Whether a file can be replaced in one step, which not all servers can.
    """

    login = Login
    """Decides on logins; a subclass may take another."""
    files: type[Files] = Files
    """Serves the folder; a subclass may take another."""

    def __init__(
        self, root: Path, *, accounts: Mapping[str, str], port: int = 0, host_key_file: Path | None = None,
        posix_rename: bool = True,
    ) -> None:  # fmt: skip
        self.root = root
        self.accounts = dict(accounts)
        self.host = _HOST
        self.port = port
        self.refused_logins = 0
        """How many passwords were wrong."""
        self.connections = 0
        """How many connections were accepted."""
        self.protocol = Protocol if posix_rename else WithoutPosixRename
        """The protocol's server."""
        self._key = _host_key(host_key_file)
        self._listener: socket.socket | None = None
        self._transports: list[paramiko.Transport] = []

    def __repr__(self) -> str:
        """Name the address, never a password."""
        return f"SftpSandbox({self.host}:{self.port})"

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, `SHA256:…`."""
        return self._key.fingerprint

    def known_hosts(self, path: Path) -> Path:
        """Write a known_hosts file with the host key and return its path."""
        line = f"[{self.host}]:{self.port} {self._key.get_name()} {self._key.get_base64()}\n"
        path.write_text(line, encoding="utf-8")
        return path

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], name="sftp-sandbox", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close all connections."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake the thread that accepts
            self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Drop all connections; new ones are accepted."""
        while self._transports:
            self._transports.pop().close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError, EOFError, paramiko.SSHException):
                self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(line, default_window_size=_WINDOW, default_max_packet_size=_PACKET)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", self.protocol, self.files, self.root)
        self._transports = [other for other in self._transports if other.is_active()]
        self._transports.append(transport)
        transport.start_server(event=threading.Event(), server=self.login(self))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal comes, or until standard input ends; one line of JSON says when it is ready."""
    parser = server_options("cdp_sync.sandbox.sftp", main.__doc__)
    parser.add_argument("--root", type=_folder, required=True, help="folder to serve")
    parser.add_argument(
        "--account", type=_account, action="append", required=True, metavar="USER=ENVVAR",
        help="account, and the environment variable that holds its password",
    )  # fmt: skip
    parser.add_argument("--known-hosts", type=Path, help="file to write the host key to")
    parser.add_argument("--host-key-file", type=Path, help="file that keeps the host key")
    parser.add_argument(
        "--without-posix-rename", action="store_true", help="replace no file in one step, as not all servers do"
    )
    options = parser.parse_args(arguments)
    exit_unless_free(options.port)
    with SftpSandbox(
        options.root, accounts=dict(options.account), port=options.port, host_key_file=options.host_key_file,
        posix_rename=not options.without_posix_rename,
    ) as sandbox:  # fmt: skip
        if options.known_hosts:
            sandbox.known_hosts(options.known_hosts)
        ready = {"host": sandbox.host, "port": sandbox.port, "fingerprint": sandbox.fingerprint}
        wait_until_ended(ready, options)


def _folder(name: str) -> Path:
    if not Path(name).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {name}")
    return Path(name)


def _account(declared: str) -> tuple[str, str]:
    user, _, variable = declared.partition("=")
    if not user or not os.environ.get(variable):
        raise argparse.ArgumentTypeError(f"{declared!r} is not USER=ENVVAR with a variable that holds a password")
    return user, os.environ[variable]


def _host_key(file: Path | None) -> paramiko.PKey:
    if file is None or not file.exists():
        text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        if file is None:
            return _parsed(text)
        write_private(file, text)
    return _parsed(file.read_text(encoding="ascii"))


def _parsed(text: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))


if __name__ == "__main__":
    main()
