"""The sandbox's servers together: SFTP and vendors' APIs as processes, a mail server in a thread; and the UI on top."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cdp_sync.connectors.disk import while_writing
from cdp_sync.errors import SettingUnusable, Terminal
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.printing import say
from cdp_sync.private import private_file, private_folder
from cdp_sync.sandbox.demo.campaigns import Campaigns
from cdp_sync.sandbox.demo.contacts import make_folders
from cdp_sync.sandbox.demo.files import write_demo_files
from cdp_sync.sandbox.demo.messages import write_messages
from cdp_sync.sandbox.demo.newsletter import Newsletter
from cdp_sync.sandbox.demo.served_api import ServedApi, kept_secret
from cdp_sync.sandbox.ports import ITERABLE, MAIL, SAILTHRU, SFTP
from cdp_sync.sandbox.server_process import ServerProcess, refuse_taken

ACCOUNTS = ("webshop", "filiale", "mailing", "spotler")
_LONGEST_END = 130.0
"""Seconds for `dagster dev` to end: it waits 60 for each of its two processes before it kills them itself."""
_LONGEST_END_OF_CHILDREN = 10.0
"""Seconds for the processes that `dagster dev` leaves, such as a code server that is about to end."""
_INTERVAL = 0.2
"""Seconds between two checks whether the UI has ended, or a signal came."""
_SUPERSEDED = "ignore:Function `dev_command` is superseded"
"""Python's option for it: `dagster dev` recommends `dg dev`, which not every installation has."""
_QUIET = ("--log-level", "warning")
"""Otherwise Dagster reports a temporary history although dagster.yaml names another one, and every tick of every
sensor, which hides arriving mail."""
_SERVERS = (SFTP, MAIL, SAILTHRU, ITERABLE)
_OPTIONS = tuple(server.option for server in _SERVERS)
_VARIABLES = tuple(server.variable for server in _SERVERS)


class SandboxServers:
    """Servers on loopback: SFTP with files, mail, Sailthru, Iterable. A context manager: they serve inside the block.

    Their secrets, the host key and the known_hosts file lie in the data folder, where the demonstration's connections
    look for them.

    Args:
        port: Of SFTP; 0 picks a free one.
        mail_port: Of mail; 0 picks a free one, None starts no mail server.
        sailthru_port: Of Sailthru; 0 picks a free one, None starts no Sailthru.
        iterable_port: Of Iterable; 0 picks a free one, None starts no Iterable.
        folder: Where its files lie.
        settings: What chooses the ports, for messages.
    """

    def __init__(
        self, *, port: int = 0, mail_port: int | None = None, sailthru_port: int | None = None,
        iterable_port: int | None = None, folder: Path | None = None, settings: tuple[str, ...] = _OPTIONS,
    ) -> None:  # fmt: skip
        self.folder = folder or data_folder().path / "sandbox"
        self.port = port
        self.mail_port = mail_port
        self.newsletter = None if sailthru_port is None else Newsletter(self.folder, sailthru_port)
        self.campaigns = None if iterable_port is None else Campaigns(self.folder, iterable_port)
        self._settings = settings
        self._servers = ExitStack()
        self._sftp: ServerProcess | None = None

    @property
    def root(self) -> Path:
        """The folder that the server shows as `/`."""
        return self.folder / "sftp"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to find the servers; settings of another mail server stay."""
        found = {**os.environ, **self._ports}
        if self.mail_port is None or os.environ.get("CDP_SYNC_SMTP_HOST"):
            return found
        return {**found, **self._mail_settings}

    @property
    def _ports(self) -> Mapping[str, str]:
        apis = {name: value for api in self._apis for name, value in api.environment.items()}
        return {"CDP_SYNC_SANDBOX_PORT": str(self.port), **apis}

    @property
    def _apis(self) -> list[ServedApi]:
        return [api for api in (self.newsletter, self.campaigns) if api is not None]

    @property
    def _mail_settings(self) -> Mapping[str, str]:
        settings = {"HOST": "127.0.0.1", "PORT": str(self.mail_port), "TLS": "none", "SENDER": "cdp-sync@example.com"}
        return {f"CDP_SYNC_SMTP_{name}": value for name, value in settings.items()}

    @property
    def summary(self) -> str:
        """Where the servers are, and what other terminals need, one line each."""
        lines = [
            f"SFTP on 127.0.0.1:{self.port}, accounts {', '.join(ACCOUNTS)}, password in {self.folder / 'password'}.",
            f"It shows {self.root}.",
        ]
        if self.port != SFTP.usual:
            lines.append(f"In another terminal its connections need this first: export {SFTP.variable}={self.port}")
        if self.mail_port is not None:
            lines.append(f"Mail on 127.0.0.1:{self.mail_port}, kept in {self._mail_folder}.")
        lines += [api.summary for api in self._apis]
        return "\n".join([*lines, "Ctrl-C ends it."])

    @property
    def _mail_folder(self) -> Path:
        return self.folder / "mail"

    def __enter__(self) -> Self:
        """Write the files where there are none, and start the servers."""
        self._refuse_taken_ports()
        with while_writing(self.folder):
            for file in private_folder(self.folder).glob("*"):
                if file.is_file():
                    private_file(file)
            self.root.mkdir(exist_ok=True)
            if not any(self.root.iterdir()):
                write_demo_files(self.root)
            write_messages(self.root)
            make_folders(self.root)
        with ExitStack() as starting:
            self._start(starting)
            self._servers = starting.pop_all()
        os.environ.update(self._ports)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the servers."""
        self._servers.close()

    def wait(self) -> None:
        """Wait until the SFTP server ends or Ctrl-C is pressed."""
        if self._sftp is not None:
            with suppress(KeyboardInterrupt):
                self._sftp.wait()

    def _refuse_taken_ports(self) -> None:
        apis = (api.port if api else 0 for api in (self.newsletter, self.campaigns))
        ports = (self.port, self.mail_port, *apis)
        for server, port, setting in zip(("SFTP", "mail", "Sailthru", "Iterable"), ports, self._settings, strict=True):
            refuse_taken(f"the sandbox's {server} server", port or 0, setting)

    def _start(self, servers: ExitStack) -> None:
        """Start all servers; the processes start at the same time."""
        self._sftp = servers.enter_context(self._start_sftp())
        starting = [(api, servers.enter_context(api.start())) for api in self._apis]
        self._open_mail(servers)
        self.port = self._sftp.ready("SFTP")["port"]
        for api, process in starting:
            api.serves_at(process.ready(api.vendor)["url"])

    def _start_sftp(self) -> ServerProcess:
        options = ["--root", str(self.root), "--port", str(self.port)]
        options += [option for account in ACCOUNTS for option in ("--account", f"{account}=CDP_SYNC_SANDBOX_PASSWORD")]
        options += ["--known-hosts", str(self.folder / "known_hosts"), "--host-key-file", str(self.folder / "host_key")]
        secrets = {"CDP_SYNC_SANDBOX_PASSWORD": kept_secret(self.folder / "password")}
        return ServerProcess("cdp_sync.sandbox.sftp", options, secrets)

    def _open_mail(self, servers: ExitStack) -> None:
        if self.mail_port is None:
            return
        from cdp_sync.sandbox.smtp import SmtpSandbox

        server = SmtpSandbox(self._mail_folder, port=self.mail_port, arrived=say)
        self.mail_port = servers.enter_context(server).port


def open_ui(port: int, *, host: str = "127.0.0.1", with_sandbox: bool) -> int:
    """Run `dagster dev` on the project, with the sandbox beside it; return its exit status."""
    from cdp_sync.orchestration.runs.recovery import recover_project

    if not Path("workspace.yaml").exists():
        raise Terminal("There is no workspace.yaml in this folder.", remedy="Change into the project's folder.")
    refuse_taken("the UI", port, "--port")
    ports = tuple(_port_of(each.variable, each.usual) for each in _SERVERS) if with_sandbox else ()
    recover_project()
    dev = ["dagster", "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port), *_QUIET]
    command = [sys.executable, "-W", _SUPERSEDED, "-m", *dev]
    link = f"The UI: http://127.0.0.1:{port} (it takes up to a minute to start)"
    links = {"CDP_SYNC_UI_URL": f"http://127.0.0.1:{port}"}
    if not ports:
        say(link, lines=True)
        return _in_foreground(command, {**links, **os.environ})
    port_of_sftp, mail_port, sailthru_port, iterable_port = ports
    with SandboxServers(
        port=port_of_sftp, mail_port=mail_port, sailthru_port=sailthru_port, iterable_port=iterable_port,
        settings=_VARIABLES,
    ) as servers:  # fmt: skip
        say(f"{servers.summary}\n{link}", lines=True)
        return _in_foreground(command, {**links, **servers.environment})


def _port_of(variable: str, usual: int) -> int:
    """Return the port that a variable names.

    Raises:
        SettingUnusable: It names none.
    """
    text = os.environ.get(variable) or str(usual)
    if text.isascii() and text.isdecimal() and int(text) < 65_536:
        return int(text)
    raise SettingUnusable(
        f"{variable} is {text!r}.", needed="It must be the number of a port, 0 to 65535.", remedy="Correct or unset it."
    )


def _in_foreground(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command until it ends or this process receives a signal; return its exit status.

    The command has a process group of its own. So Ctrl-C, which a terminal sends to the whole group, and a signal to
    this process alone reach it in the same way: once, from here.
    """
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, lambda number, _frame: received.append(number))
    process = subprocess.Popen(command, env=environment, process_group=0)  # noqa: S603 - our own interpreter
    while process.poll() is None and not received:
        time.sleep(_INTERVAL)
    return _end(process)


def _end(process: "subprocess.Popen[bytes]") -> int:
    """Terminate a process and its group, kill what does not end in time, and return the exit status."""
    process.terminate()  # does nothing where it has ended
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LONGEST_END)
    until = time.monotonic() + _LONGEST_END_OF_CHILDREN
    with suppress(ProcessLookupError, PermissionError):  # no process is left, or on macOS none that could be ended
        while process.poll() is not None and time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(_INTERVAL)
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
