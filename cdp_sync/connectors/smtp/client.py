"""Hands a mail to a server, and says for certain whether it was taken: RFC 5321, with TLS as RFC 3207 and RFC 8314."""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from cdp_sync.connectors.smtp.failures import expect, told
from cdp_sync.connectors.smtp.server import SmtpServer
from cdp_sync.errors import MailPutOff, MailRefused, MailUnconfirmed, ServerRefused, ServerUnreachable

_START_OF_DATA = 354


@dataclass(frozen=True)
class Mail:
    """A mail: what it says and to whom."""

    subject: str
    text: str
    recipients: Sequence[str]
    identity: str
    """The same for the same mail, so that a reader's program can tell copies."""

    def message(self, sender: str) -> EmailMessage:
        """Return it as it goes over the wire. A line break in a header is an error."""
        message = EmailMessage(policy=SMTP)
        message["Subject"] = self.subject
        message["From"] = sender
        message["To"] = ", ".join(self.recipients)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{self.identity}.cdp-sync@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's program answers that its master is away
        message.set_content(self.text, cte="quoted-printable")
        return message


def send(server: SmtpServer, mail: Mail, *, seconds: float = 20.0) -> int:
    """Hand a mail to a server; return how many of its addresses the server refused while it took the others.

    Args:
        server: Where to.
        mail: What.
        seconds: After so many it is over, whatever the server does; half of them without a byte are enough.

    Raises:
        MailUnconfirmed: The server may have taken it. Every other error says that it has not.
        MailRefused: It never takes this mail.
        MailPutOff: It does not take this mail now.
        ServerRefused: It takes no mail from us: the login, the certificate, the sender.
        ServerUnreachable: It is not there, or out of service.
        ConnectionLost: The line was lost, or the server was too slow.
    """
    content = mail.message(server.sender).as_bytes()
    with _session(server, seconds) as session:
        refused = _address(session, server, mail.recipients)
        expect(*session.docmd("DATA"), _START_OF_DATA, MailRefused, MailPutOff)
        session.send(re.sub(rb"(?m)^\.", b"..", content))
        _finish(session)
        return refused


def _finish(session: smtplib.SMTP) -> None:
    """Send the line that ends the mail: from here on only an answer tells whether it was taken."""
    try:
        session.send(b".\r\n")
        code, text = session.getreply()
    except OSError as problem:
        raise _unconfirmed() from problem
    if not 200 <= code < 600:
        raise _unconfirmed()
    expect(code, text, 250, MailRefused, MailPutOff)


def _unconfirmed() -> MailUnconfirmed:
    return MailUnconfirmed(
        "The mail server had the whole mail and did not say whether it took it.",
        remedy="It may have been delivered, so it is not sent again.",
    )


def _address(session: smtplib.SMTP, server: SmtpServer, recipients: Sequence[str]) -> int:
    """Name sender and recipients; return how many recipients were refused."""
    expect(*session.mail(server.sender), 250, ServerRefused, MailPutOff)
    answers = [session.rcpt(recipient) for recipient in recipients]
    refused = [answer for answer in answers if answer[0] not in (250, 251)]
    if len(refused) == len(recipients):
        # Worth another attempt if one of them may be taken then.
        expect(*min(refused), 250, MailRefused, MailPutOff)
    return len(refused)


@contextmanager
def _session(server: SmtpServer, seconds: float) -> Iterator[smtplib.SMTP]:
    """Yield a session that mail can be sent in; it is cut off when its time is over."""
    session = _unconnected(server, seconds / 2)
    alarm = threading.Timer(seconds, _cut, [session])
    alarm.daemon = True
    try:
        alarm.start()
        _open(session, server)
        yield session
        with suppress(OSError):
            session.quit()
    except (OSError, UnicodeError) as problem:
        raise told(problem, server) from problem
    finally:
        alarm.cancel()
        session.close()


def _unconnected(server: SmtpServer, timeout: float) -> smtplib.SMTP:
    if server.tls == "tls":
        session: smtplib.SMTP = smtplib.SMTP_SSL(timeout=timeout, context=ssl.create_default_context())
    else:
        session = smtplib.SMTP(timeout=timeout)
    # Whose certificate it must be: connect() keeps no note of it.
    session._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001
    return session


def _cut(session: smtplib.SMTP) -> None:
    line = session.sock
    if line is not None:
        with suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # wakes up whoever waits; TLS has no say in it


def _open(session: smtplib.SMTP, server: SmtpServer) -> None:
    expect(*session.connect(server.host, server.port), 220, ServerRefused, ServerUnreachable)
    session.ehlo_or_helo_if_needed()
    if server.tls == "starttls":
        expect(*session.starttls(context=ssl.create_default_context()), 220, ServerRefused, ServerUnreachable)
        session.ehlo_or_helo_if_needed()
    if server.user:
        session.login(server.user, server.password)
