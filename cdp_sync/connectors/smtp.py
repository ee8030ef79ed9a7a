"""SMTP: hands a mail to the server that the environment names, by `smtplib`, and names what went wrong.

Of a server's answers only the codes are shown: their texts quote people's addresses. For the same reason errors are
raised without their cause.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from cdp_sync import errors
from cdp_sync.model.mail_address import is_address
from cdp_sync.model.suggestion import one_of

PREFIX = "CDP_SYNC_SMTP_"
_LOG = "Its log says why."
_PORTS = {"none": 25, "starttls": 587, "tls": 465}
"""By when TLS begins: never, after a greeting, from the first byte."""
_REFUSALS: Mapping[type[smtplib.SMTPResponseException], tuple[type[errors.CdpSyncError], type[errors.CdpSyncError]]] = {
    smtplib.SMTPDataError: (errors.MailRefused, errors.MailPutOff),
    smtplib.SMTPSenderRefused: (errors.ServerRefused, errors.MailPutOff),
    smtplib.SMTPAuthenticationError: (errors.AuthenticationFailed, errors.ServerUnreachable),
}
"""The errors for a lasting and for a temporary refusal, by what was refused."""


@dataclass(frozen=True)
class SmtpServer:
    """A mail server, and the login and sender of mail through it."""

    host: str
    sender: str
    tls: str = "starttls"
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "SmtpServer":
        """Return the server that the variables CDP_SYNC_SMTP_… name.

        Raises:
            SettingUnusable: A variable is missing, or says something impossible.
        """
        host, sender, tls, port, user, password = (
            environment.get(f"{PREFIX}{name}", "") for name in ("HOST", "SENDER", "TLS", "PORT", "USER", "PASSWORD")
        )
        tls = tls or "starttls"
        port = port or str(_PORTS.get(tls))
        encrypted = "starttls or tls is needed: a password is never sent unencrypted."
        rules = (
            (host, "HOST is not set.", "It should hold the mail server's name."),
            (is_address(sender), "SENDER is not set, or no e-mail address.", "It should hold the mails' sender."),
            (tls in _PORTS, f"TLS is {tls!r}.", one_of(tls, _PORTS)),
            (port.isdecimal() and 0 < int(port) < 65536, f"PORT is {port!r}.", "It should be from 1 to 65535."),
            (bool(user) == bool(password), f"USER and {PREFIX}PASSWORD: one is not set.", "Set both, or neither."),
            ((user + password).isascii(), f"USER or {PREFIX}PASSWORD is not ASCII.", "SMTP transmits ASCII only."),
            (not user or tls != "none", "TLS is none, and there is a login.", encrypted),
        )
        for holds, found, needed in rules:
            if not holds:
                remedy = "" if host else "Set it where Dagster is started."
                raise errors.SettingUnusable(f"{PREFIX}{found}", needed=needed, remedy=remedy)
        return cls(host, sender, tls, int(port), user, password)


@dataclass(frozen=True)
class Mail:
    """A mail: its text and its recipients."""

    subject: str
    text: str
    recipients: Sequence[str]
    identity: str
    """The same for copies of the same mail, so that a reader's program can recognize them."""


def send(server: SmtpServer, mail: Mail, *, seconds: float = 20.0) -> int:
    """Hand a mail to a server; return how many of its addresses the server refused while it took the others.

    `seconds` is the deadline of all of it; without a byte, half of them. After an error the server may have taken the
    mail all the same, where the line was lost before its answer.

    Raises:
        MailRefused: It never takes this mail.
        MailPutOff: It does not take this mail now.
        ServerRefused: It takes no mail from us: the login, the certificate, the sender.
        ServerUnreachable: It is not there, or out of service.
        ConnectionLost: The line was lost, or the server was too slow.
        ValueError: A header would hold a line break.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = mail.subject
    message["From"] = server.sender
    message["To"] = ", ".join(mail.recipients)
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{mail.identity}.cdp-sync@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply
    message.set_content(mail.text, cte="quoted-printable")
    context, quiet = ssl.create_default_context(), seconds / 2
    session = smtplib.SMTP_SSL(timeout=quiet, context=context) if server.tls == "tls" else smtplib.SMTP(timeout=quiet)
    session._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001 - the certificate's; connect() sets none
    alarm = threading.Timer(seconds, _cut, [session])
    alarm.daemon = True
    try:
        alarm.start()
        code, text = session.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        if server.tls == "starttls":
            session.starttls(context=context)
        if server.user:
            session.login(server.user, server.password)
        refused = len(session.send_message(message, server.sender, mail.recipients))
        with suppress(OSError):
            session.quit()
        return refused
    except smtplib.SMTPRecipientsRefused as problem:
        raise _refusal(smtplib.SMTPDataError(*min(problem.recipients.values()))) from None  # one may be taken later
    except smtplib.SMTPResponseException as problem:
        raise _refusal(problem) from None
    except (OSError, UnicodeError) as problem:  # smtplib's other errors are OSErrors
        raise _line_error(problem, server) from None
    finally:
        alarm.cancel()
        session.close()


def _cut(session: smtplib.SMTP) -> None:
    with suppress(OSError, TypeError):  # it may have no socket
        socket.socket.shutdown(session.sock, socket.SHUT_RDWR)  # type: ignore[arg-type]  # wakes up the reader


def _refusal(problem: smtplib.SMTPResponseException) -> errors.CdpSyncError:
    code, text = problem.smtp_code, problem.smtp_error
    if not 200 <= code < 600:
        return errors.ConnectionLost("The mail server gave no answer that can be understood.", remedy=_LOG)
    lasting, temporary = _REFUSALS.get(type(problem), (errors.ServerRefused, errors.ServerUnreachable))
    # 421: it is out of service.
    kind = errors.ServerUnreachable if code == 421 else temporary if 400 <= code < 500 else lasting
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text if isinstance(text, str) else text.decode("latin-1"))
    answer = f"answered {code} {enhanced[0]}." if enhanced else f"answered {code}."  # RFC 3463
    if kind is errors.AuthenticationFailed:
        remedy = f"Correct {PREFIX}USER and {PREFIX}PASSWORD."
        return kind(f"The mail server refuses the login: it {answer}", remedy=remedy)
    return kind(f"The mail server {answer}", remedy=_LOG)


def _line_error(problem: Exception, server: SmtpServer) -> errors.CdpSyncError:
    where = f"mail server {server.host}:{server.port}"
    compare = f"Compare {PREFIX}TLS ({server.tls}) and {PREFIX}PORT with what it offers."
    match problem:
        case smtplib.SMTPServerDisconnected():
            return errors.ConnectionLost(f"The line to the {where} was lost, or it was too slow.")
        case smtplib.SMTPException():
            login = " and a login" if server.user else ""
            return errors.ServerRefused(f"The {where} does not offer TLS {server.tls}{login}.", remedy=compare)
        case ssl.SSLCertVerificationError():
            return errors.CertificateRejected(
                f"The certificate of the {where} is not trusted: {problem.verify_message}.",
                needed=f"Needed is a certificate for {server.host} of an authority that this machine trusts.",
                remedy="Name the authority's file in SSL_CERT_FILE, or correct the host's name.",
            )
        case ssl.SSLError():
            return errors.ServerRefused(f"The {where} and cdp_sync have no common TLS version.", remedy=compare)
        case UnicodeError():
            return errors.ServerUnreachable(
                f"{server.host!r} is not the name of a host.", remedy=f"Correct {PREFIX}HOST."
            )
    text = "no answer" if isinstance(problem, TimeoutError) else getattr(problem, "strerror", "") or "an unknown error"
    return errors.ServerUnreachable(f"The {where} cannot be reached: {text}.")
