"""A real OpenSSH server on loopback, with its own configuration and keys in its own folder."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

_HOST = "127.0.0.1"
_SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


class OpenSshServer:
    """`sshd` with `internal-sftp` for the current user, login by key. A context manager; serves inside the block.

    Args:
        folder: Where keys and configuration go.
        options: Lines for sshd_config, ahead of the usual ones; the first of a name counts.
        host_keys: Kinds of host keys, as `ssh-keygen -t` names them.
        subsystem: The command that is started for SFTP.
    """

    def __init__(
        self, folder: Path, *, options: Sequence[str] = (), host_keys: Sequence[str] = ("ed25519",),
        subsystem: str = "internal-sftp",
    ) -> None:  # fmt: skip
        self.host = _HOST
        self.port = 0
        self.username = getpass.getuser()
        self._folder = folder
        self._options = [*options, f"Subsystem sftp {subsystem}"]
        self._host_keys = [_made_key(folder / f"host_{kind}", kind) for kind in host_keys]
        self.client_key = _made_key(folder / "client", "ed25519")
        """A private key that the server accepts. `let_in` adds the public half of further keys."""
        self.let_in(self.client_key.with_suffix(".pub").read_text())

    def __enter__(self) -> Self:
        """Start the server and wait until it listens."""
        for _ in range(5):
            self.port = _free_port()
            self._process = subprocess.Popen(
                [str(_SSHD), "-D", "-e", "-f", self._configuration()], stderr=subprocess.PIPE, text=True
            )
            if self._listens():
                return self
            self._process.wait()
        raise RuntimeError("sshd does not start")

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and every process that it started."""
        self.kill_sessions()
        self._process.kill()
        self._process.communicate()

    def let_in(self, public_key: str) -> None:
        """Add a line to authorized_keys."""
        with (self._folder / "authorized_keys").open("a") as file:
            file.write(public_key.strip() + "\n")

    def fingerprint(self, kind: str = "ed25519") -> str:
        """Return a host key's fingerprint as `ssh-keygen -l` prints it."""
        printed = subprocess.check_output(["ssh-keygen", "-l", "-f", self._folder / f"host_{kind}.pub"], text=True)
        return printed.split()[1]

    def known_hosts_line(self, kind: str = "ed25519", name: str | None = None) -> str:
        """Return a line for known_hosts, under the server's own name by default."""
        key = (self._folder / f"host_{kind}.pub").read_text().split()
        return f"{name or f'[{self.host}]:{self.port}'} {key[0]} {key[1]}\n"

    def sessions(self) -> list[int]:
        """Return the processes that serve connections."""
        return _descendants(self._process.pid)

    def kill_sessions(self) -> None:
        """Kill the sessions; connected clients lose the connection."""
        _signal(self.sessions(), signal.SIGKILL)

    @contextmanager
    def silent(self, *, also_to_newcomers: bool = False) -> Iterator[None]:
        """Stop the processes that serve when the block begins: the connection stays open and no data arrives."""
        listener = [self._process.pid] if also_to_newcomers else []
        stopped = [*listener, *self.sessions()]
        _signal(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(set(stopped) & {*listener, *self.sessions()}, signal.SIGCONT)

    def _configuration(self) -> Path:
        file = self._folder / "sshd_config"
        lines = [
            *self._options,
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            *(f"HostKey {key}" for key in self._host_keys),
            f"AuthorizedKeysFile {self._folder / 'authorized_keys'}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 100",
        ]
        file.write_text("\n".join(lines) + "\n")
        return file

    def _listens(self) -> bool:
        assert self._process.stderr is not None
        return any("listening on" in line for line in iter(self._process.stderr.readline, ""))


@contextmanager
def openssh_server(folder: Path, **options: Any) -> Iterator[OpenSshServer]:  # the fields of OpenSshServer
    """Start a server in a new folder, or skip the test where there is no sshd."""
    if _SSHD is None:
        pytest.skip("OpenSSH's sshd is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd refuses to start as root without it
    folder.mkdir()
    with OpenSshServer(folder, **options) as server:
        yield server


def _made_key(file: Path, kind: str) -> Path:
    size = ["-b", "2048"] if kind == "rsa" else []  # key generation takes seconds
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", file], check=True)
    return file


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, look_at = [], [process]
    while look_at:
        of = children.get(look_at.pop(), [])
        found += of
        look_at += of
    return found


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # the process has already ended
            os.kill(process, number)
