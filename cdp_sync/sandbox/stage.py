"""The sandbox as a stage: the SFTP server as a process of its own, its files, a mail server, and the UI in front."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cdp_sync.errors import ServerUnreachable, Terminal
from cdp_sync.orchestration.places import data_folder
from cdp_sync.sandbox.demo import write_demo_files

ACCOUNTS = ("webshop", "filiale", "mailing")
_PATIENCE = 30.0
_PORTS = {"sftp": ("CDP_SYNC_SANDBOX_PORT", "2222"), "mail": ("CDP_SYNC_SANDBOX_MAIL_PORT", "2525")}
"""What `up` serves on: the variable, and the port without it."""


class Stage:
    """Servers on loopback: SFTP with demonstration files, and mail. A context manager: they serve inside the block.

    Its password, host key and known_hosts file lie in the data folder, where the demonstration's connections look for
    them.

    Args:
        port: Of SFTP; 0 picks a free one.
        mail_port: Of mail; 0 picks a free one, none is for no mail server.
        folder: Where its files lie.
    """

    def __init__(self, *, port: int = 0, mail_port: int | None = None, folder: Path | None = None) -> None:
        self.folder = folder or data_folder().path / "sandbox"
        self.port = port
        self.mail_port = mail_port
        self._mail = ExitStack()
        self._process: subprocess.Popen[str] | None = None

    @property
    def root(self) -> Path:
        """The folder that the server shows as `/`."""
        return self.folder / "sftp"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to find the servers; mail goes elsewhere where the environment says so."""
        found = {**os.environ, "CDP_SYNC_SANDBOX_PORT": str(self.port)}
        if self.mail_port is None or os.environ.get("CDP_SYNC_SMTP_HOST"):
            return found
        return {**found, **self._mail_settings}

    @property
    def _mail_settings(self) -> Mapping[str, str]:
        settings = {"HOST": "127.0.0.1", "PORT": str(self.mail_port), "TLS": "none", "SENDER": "cdp-sync@example.com"}
        return {f"CDP_SYNC_SMTP_{name}": value for name, value in settings.items()}

    @property
    def told(self) -> str:
        """One paragraph for people."""
        return (
            f"SFTP on 127.0.0.1:{self.port}, accounts {', '.join(ACCOUNTS)}, password in {self.folder / 'password'}.\n"
            f"It shows {self.root}. Ctrl-C ends it.{self._told_of_mail}"
        )

    @property
    def _told_of_mail(self) -> str:
        if self.mail_port is None:
            return ""
        return f"\nMail on 127.0.0.1:{self.mail_port}, kept in {self._mail_folder}."

    @property
    def _mail_folder(self) -> Path:
        return self.folder / "mail"

    def __enter__(self) -> Self:
        """Write the files where there are none, and start the servers."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not any(self.root.iterdir()):
            write_demo_files(self.root)
        password = self._password()
        command = [sys.executable, "-m", "cdp_sync.sandbox.sftp", "--root", str(self.root), "--port", str(self.port)]
        command += [option for account in ACCOUNTS for option in ("--account", f"{account}=CDP_SYNC_SANDBOX_PASSWORD")]
        command += ["--known-hosts", str(self.folder / "known_hosts"), "--host-key-file", str(self.folder / "host_key")]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CDP_SYNC_SANDBOX_PASSWORD": password},
        )
        self.port = self._ready()
        self._open_mail()
        os.environ["CDP_SYNC_SANDBOX_PORT"] = str(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the servers."""
        self._mail.close()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(_PATIENCE)

    def wait(self) -> None:
        """Wait until somebody ends the server or presses Ctrl-C."""
        if self._process is not None:
            with suppress(KeyboardInterrupt):
                self._process.wait()

    def _open_mail(self) -> None:
        if self.mail_port is None:
            return
        from cdp_sync.sandbox.smtp import SmtpSandbox

        server = SmtpSandbox(self._mail_folder, port=self.mail_port, arrived=_show)
        try:
            self.mail_port = self._mail.enter_context(server).port
        except OSError as problem:
            self.__exit__(None, None, None)
            raise _port_taken("mail", self.mail_port, "--mail-port") from problem

    def _password(self) -> str:
        file = self.folder / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(16) + "\n", encoding="ascii")
        return file.read_text(encoding="ascii").strip()

    def _ready(self) -> int:
        started = self._process
        line = started.stdout.readline() if started and started.stdout else ""
        if not line:
            raise _port_taken("SFTP", self.port, "--port")
        return int(json.loads(line)["port"])


def _port_taken(kind: str, port: int, option: str) -> ServerUnreachable:
    return ServerUnreachable(
        f"The sandbox's {kind} server did not start on port {port}.",
        needed="A free port.",
        remedy=f"End whatever listens there, or choose another with {option}.",
    )


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def open_ui(port: int, *, with_sandbox: bool) -> int:
    """Run `dagster dev` on the project, with the sandbox beside it; return its exit status."""
    from cdp_sync.orchestration.recovery import recover_project

    if not Path("workspace.yaml").exists():
        raise Terminal("There is no workspace.yaml in this folder.", remedy="Change into the project's folder.")
    recover_project()
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(port)]
    links = {"CDP_SYNC_UI_URL": f"http://127.0.0.1:{port}"}
    if not with_sandbox:
        return _in_foreground(command, {**links, **os.environ})
    port_of = {server: int(os.environ.get(variable, usual)) for server, (variable, usual) in _PORTS.items()}
    with Stage(port=port_of["sftp"], mail_port=port_of["mail"]) as stage:
        _show(f"{stage.told}\nThe UI: http://127.0.0.1:{port}")
        return _in_foreground(command, {**links, **stage.environment})


def _in_foreground(command: list[str], environment: Mapping[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter
    # Ctrl-C reaches the child by itself; a request to end reaches us alone.
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait(_PATIENCE)
