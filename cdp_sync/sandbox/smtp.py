"""A mail server on loopback that keeps mails as files and reports each."""

import re
import socket
import ssl
import threading
from asyncio import AbstractServer
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from cdp_sync.model.counting import counted

_HOST = "127.0.0.1"


class SmtpSandbox:
    """A mail server in a thread of this process. A context manager: it serves inside the block.

    Args:
        folder: Keeps the mails, one `.eml` file each, in order of arrival; it is made where there is none.
        port: 0 picks a free one.
        tls: Its certificate, if it offers TLS.
        from_the_start: Whether TLS begins with the first byte, or with STARTTLS.
        login: User and password, if it requires them.
        arrived: Receives one line for each mail.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, tls: ssl.SSLContext | None = None, from_the_start: bool = False,
        login: tuple[str, str] | None = None, arrived: Callable[[str], object] = lambda _line: None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.host = _HOST
        self.port = port
        self.arrived = arrived
        self._login = login
        self._options: dict[str, Any] = {"ssl_context": tls} if from_the_start else {"tls_context": tls}
        self._controller: _Controller | None = None
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        """Name the address, never a password."""
        return f"SmtpSandbox({self.host}:{self.port})"

    def __enter__(self) -> Self:
        """Start to listen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listener = socket.create_server((self.host, self.port))
        self.port = listener.getsockname()[1]
        options = self._options | self._login_options()
        self._controller = _Controller(listener, self, hostname=self.host, port=self.port, **options)
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close all connections."""
        if self._controller is not None:
            self._controller.stop()

    @property
    def files(self) -> list[Path]:
        """The mails that arrived, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails that arrived, parsed."""
        return [read(file) for file in self.files]

    # The name is aiosmtpd's.
    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, and report it."""
        content = envelope.original_content or b""
        with self._writing:
            file = self.folder / f"{self._next():06}.eml"
            file.write_bytes(content)
        subject = re.sub(r"\s+", " ", str(read(file)["Subject"]))
        count = len(envelope.rcpt_tos)
        self.arrived(f"Mail: {subject} ({counted(count, 'recipient')}, {file})")
        return "250 2.0.0 kept"

    def check(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, given: Any) -> AuthResult:  # noqa: ANN401
        """Compare a login with the only valid one."""
        if not isinstance(given, LoginPassword) or self._login is None:
            return AuthResult(success=False, handled=False)
        asked = (given.login.decode(), given.password.decode())
        return AuthResult(success=asked == self._login, handled=False)

    def _login_options(self) -> dict[str, Any]:
        if self._login is None:
            return {}
        # aiosmtpd counts a connection as TLS only if it began with STARTTLS.
        began_with_tls = "ssl_context" in self._options
        return {"auth_required": True, "authenticator": self.check, "auth_require_tls": not began_with_tls}

    def _next(self) -> int:
        return int(self.files[-1].stem) + 1 if self.files else 1


class _Controller(Controller):
    """aiosmtpd's thread, on a socket that listens already: aiosmtpd does not say which free port it picked."""

    def __init__(self, listener: socket.socket, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - its own
        super().__init__(*arguments, **options)
        self._listener = listener

    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)


def read(file: Path) -> EmailMessage:
    """Return the mail in a file."""
    return message_from_bytes(file.read_bytes(), policy=policy.default)
