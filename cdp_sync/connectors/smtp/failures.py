"""What goes wrong with a mail server, as our errors. Of its answers only the codes are told: the texts quote people."""

import re
import smtplib
import ssl
from collections.abc import Callable

from cdp_sync.connectors.smtp.server import PREFIX, SmtpServer
from cdp_sync.errors import (
    AuthenticationFailed,
    CdpSyncError,
    CertificateRejected,
    ConnectionLost,
    ServerRefused,
    ServerUnreachable,
)

_OUT_OF_SERVICE = 421


def expect(code: int, text: bytes, wanted: int, never: type[CdpSyncError], not_now: type[CdpSyncError]) -> None:
    """Raise an error unless the server answered what it should.

    Args:
        code: Its answer.
        text: The answer's text.
        wanted: The answer that is needed.
        never: The error where it says no for good.
        not_now: The error where it says no for now.
    """
    if code == wanted:
        return
    kind = ServerUnreachable if code == _OUT_OF_SERVICE else not_now if 400 <= code < 500 else never
    raise kind(f"The mail server answered {_code(code, text)}.", remedy="Its log says why.")


def _code(code: int, text: bytes | str) -> str:
    """Return the code, and the enhanced one of RFC 3463 if there is one."""
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text if isinstance(text, str) else text.decode("latin-1"))
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def told(problem: Exception, server: SmtpServer) -> CdpSyncError:
    """Return what went wrong as one of our errors; none of them is about one mail alone."""
    return next(tell(problem, server) for kind, tell in _TELLERS if isinstance(problem, kind))


def _login(problem: smtplib.SMTPAuthenticationError, server: SmtpServer) -> CdpSyncError:
    code = _code(problem.smtp_code, problem.smtp_error)
    if 400 <= problem.smtp_code < 500:
        return ServerUnreachable(f"The mail server {server.address} cannot check logins now: it answered {code}.")
    return AuthenticationFailed(
        f"The mail server {server.address} refuses the login: it answered {code}.",
        remedy=f"Correct {PREFIX}USER and {PREFIX}PASSWORD.",
    )


def _answer(problem: smtplib.SMTPResponseException, server: SmtpServer) -> CdpSyncError:
    code = _code(problem.smtp_code, problem.smtp_error)
    kind = ServerUnreachable if 400 <= problem.smtp_code < 500 else ServerRefused
    return kind(f"The mail server {server.address} answered {code}.", remedy="Its log says why.")


def _certificate(problem: ssl.SSLCertVerificationError, server: SmtpServer) -> CdpSyncError:
    return CertificateRejected(
        f"The certificate of the mail server {server.address} is not trusted: {problem.verify_message}.",
        needed=f"Needed is a certificate for {server.host} of an authority that this machine trusts.",
        remedy="Name the authority's file in SSL_CERT_FILE, or correct the host's name.",
    )


def _no_tls(_problem: Exception, server: SmtpServer) -> CdpSyncError:
    return ServerRefused(
        f"The mail server {server.address} and we find no common TLS.",
        remedy=f"Compare {PREFIX}TLS ({server.tls}) and {PREFIX}PORT with what it offers.",
    )


def _lacking(_problem: Exception, server: SmtpServer) -> CdpSyncError:
    return ServerRefused(
        f"The mail server {server.address} does not offer what is needed: TLS {server.tls}"
        f"{' and a login' if server.user else ''}.",
        remedy=f"Compare {PREFIX}TLS and {PREFIX}PORT with what it offers.",
    )


def _lost(_problem: Exception, server: SmtpServer) -> CdpSyncError:
    return ConnectionLost(f"The line to the mail server {server.address} was lost, or it was too slow.")


def _unreachable(problem: OSError, server: SmtpServer) -> CdpSyncError:
    said = "no answer" if isinstance(problem, TimeoutError) else problem.strerror or "an unknown error"
    return ServerUnreachable(f"The mail server {server.address} cannot be reached: {said}.")


def _misspelt(_problem: Exception, server: SmtpServer) -> CdpSyncError:
    return ServerUnreachable(f"{server.host!r} is not the name of a host.", remedy=f"Correct {PREFIX}HOST.")


_TELLERS: tuple[tuple[type[Exception], Callable[..., CdpSyncError]], ...] = (
    (smtplib.SMTPAuthenticationError, _login),
    (smtplib.SMTPResponseException, _answer),
    (smtplib.SMTPServerDisconnected, _lost),
    (smtplib.SMTPException, _lacking),
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLError, _no_tls),
    (OSError, _unreachable),
    (UnicodeError, _misspelt),
)
"""How each kind of problem is told; the first that fits."""
