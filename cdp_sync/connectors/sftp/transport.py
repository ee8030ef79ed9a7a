"""The way in: socket, handshake, the server's key, login."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import paramiko

from cdp_sync.connectors.sftp import server_errors
from cdp_sync.connectors.sftp.credentials import Credentials
from cdp_sync.connectors.sftp.host_keys import KnownKeys, negotiated_as
from cdp_sync.connectors.sftp.paramiko_internals import OfferTransport, usual_key_types
from cdp_sync.connectors.sftp.server_errors import LINE_PROBLEMS, words
from cdp_sync.errors import AuthenticationFailed, NoCommonAlgorithm, ServerUnreachable
from cdp_sync.model.server import SftpServer

_WINDOW = 16 << 20
"""Bytes the server may send before we acknowledge: more than is ever asked for at once."""
_PACKET = 256 << 10
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_LEGACY_CIPHERS = ("aes128-cbc", "aes192-cbc", "aes256-cbc")
_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
_LEGACY_MACS = ("hmac-sha1",)
_ANY = ["algorithms", "", ""]
_ALGORITHMS = (
    ("kex", "key exchanges", "kex_algo_list", "kex"),
    ("host key", "host key types", "server_key_algo_list", "key_types"),
    ("ciphers", "ciphers", "server_encrypt_algo_list", "ciphers"),
    ("macs", "message authentication codes", "server_mac_algo_list", "digests"),
)
"""The word in paramiko's message, ours, where the server's offer stands, and where our own."""
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""Seconds, seconds, probes and milliseconds; without the last a line that swallows packets lives for 15 minutes."""

# paramiko logs whole tracebacks of all errors that it also raises.
_paramiko_logger = logging.getLogger("paramiko")
if _paramiko_logger.level == logging.NOTSET:
    _paramiko_logger.setLevel(logging.CRITICAL)


def open_transport(
    server: SftpServer, known: KnownKeys, secrets: Credentials, log: Callable[[str], None]
) -> paramiko.Transport:
    """Connect, make sure that it is the right server, and log in.

    Raises:
        ServerUnreachable: No connection could be made.
        HostKeyRejected: It is not the declared server; nothing was sent that identifies us.
        NoCommonAlgorithm: The server offers nothing that we accept.
        AuthenticationFailed: The server does not accept what was declared.
    """
    if server.legacy_algorithms:
        log(f"{server_errors.address(server)}: weak algorithms are accepted, as legacy_algorithms declares.")
    transport = _verified(server, known)
    try:
        _log_in(transport, server, secrets)
        return transport
    except LINE_PROBLEMS as problem:
        # Many servers hang up on a wrong password, and repeating one locks accounts: only silence is no refusal.
        transport.close()
        where = server_errors.address(server)
        if isinstance(problem, TimeoutError) or "timeout" in str(problem):
            raise ServerUnreachable(
                f"{where} did not answer the login within {server.connect_timeout:g} s."
            ) from problem
        raise AuthenticationFailed(
            f"{where} refused the login of {server.username!r}: {words(problem)}.",
            needed="Needed are a user name and the password, the private key or both, as the server asks for them.",
            remedy="Check username and what password_env, password_file and private_key_file hold. It is not tried "
            "again.",
        ) from problem
    except BaseException:
        transport.close()
        raise


def _verified(server: SftpServer, known: KnownKeys) -> paramiko.Transport:
    """Return a connection to a server that showed a declared key; of several keys it may show any."""
    shown: list[paramiko.PKey] = []
    usual = usual_key_types()
    declared = [name for kind in known.kinds for name in negotiated_as(kind) if name in usual]
    kinds = tuple(dict.fromkeys([*declared, *usual]))  # those first that are declared
    while kinds:
        try:
            transport = _shaken_hands(server, kinds)
        except NoCommonAlgorithm:
            if not shown:
                raise
            break
        key = transport.get_remote_server_key()
        if known.accepts(key):
            return transport
        transport.close()
        shown.append(key)
        if key.asbytes() in known.revoked:
            break
        kinds = tuple(kind for kind in kinds if kind not in negotiated_as(key.get_name()))
    raise known.rejection(shown, server_errors.address(server))


def _shaken_hands(server: SftpServer, key_kinds: tuple[str, ...]) -> OfferTransport:
    transport = None
    try:
        line = socket.create_connection((server.host, server.port), server.connect_timeout)
        # Without it every window adjustment waits for a delayed acknowledgement, 40 ms each; paramiko never sets it.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            with suppress(AttributeError, OSError):  # not on every platform
                line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        transport = _transport(line, server, key_kinds)
        transport.start_client(timeout=server.connect_timeout)
        if not transport.initial_kex_done:
            raise TimeoutError("it does not finish the SSH handshake")
        return transport
    except BaseException as problem:
        if transport:
            transport.close()
        if transport and isinstance(problem, paramiko.ssh_exception.IncompatiblePeer):
            raise _no_common_algorithm(server, problem, transport) from problem
        if isinstance(problem, (*LINE_PROBLEMS, UnicodeError)):  # a host such as "a..b" cannot be asked for
            raise ServerUnreachable(
                f"{server_errors.address(server)} could not be reached: {words(problem)}.",
                needed=f"Needed is an SSH server that answers within {server.connect_timeout:g} s.",
                remedy="Check host and port, and that no firewall is in between.",
            ) from problem
        raise


def _no_common_algorithm(server: SftpServer, problem: Exception, transport: OfferTransport) -> NoCommonAlgorithm:
    """Return the error with the algorithms the server offers and those that are accepted."""
    what, offered, accepted = next((row for kind, *row in _ALGORITHMS if f"acceptable {kind}" in str(problem)), _ANY)
    found = ", ".join(transport.offered.get(offered, ())) or "(none stated)"
    needed = ", ".join(getattr(transport.get_security_options(), accepted, ())) or "(none stated)"
    return NoCommonAlgorithm(
        f"{server_errors.address(server)} offers only {what} that are not accepted here: {found}.",
        needed=f"Needed is one of {needed}.",
        remedy="Ask the server's operator to offer one; `legacy_algorithms: true` adds aes-cbc and hmac-sha1.",
    )


def _transport(line: socket.socket, server: SftpServer, key_kinds: tuple[str, ...]) -> OfferTransport:
    transport = OfferTransport(line, default_window_size=_WINDOW, default_max_packet_size=_PACKET)
    transport.offered = {}
    transport.daemon = True
    options = transport.get_security_options()
    options.ciphers = _CIPHERS + (_LEGACY_CIPHERS if server.legacy_algorithms else ())
    options.digests = _MACS + (_LEGACY_MACS if server.legacy_algorithms else ())
    options.key_types = key_kinds
    options.compression = ("zlib@openssh.com", "none") if server.compression else ("none",)
    for phase in ("banner", "handshake", "auth", "channel"):
        setattr(transport, f"{phase}_timeout", server.connect_timeout)
    return transport


def _log_in(transport: paramiko.Transport, server: SftpServer, secrets: Credentials) -> None:
    """Offer what is declared: with both, the key first, unless the server wants the password first."""
    factors: list[Callable[[], list[str]]] = []
    if secrets.key is not None:
        factors.append(partial(transport.auth_publickey, server.username, secrets.key))
    if secrets.password is not None:
        # paramiko answers a keyboard-interactive prompt with it where the server takes no plain password.
        factors.append(partial(transport.auth_password, server.username, secrets.password))
    try:
        wanted = factors[0]()
    except paramiko.BadAuthenticationType:
        if len(factors) == 1:
            raise
        factors.reverse()
        wanted = factors[0]()
    if not transport.is_authenticated() and len(factors) > 1:
        wanted = factors[1]()
    if not transport.is_authenticated():
        raise paramiko.SSHException(f"it also wants {' or '.join(wanted) or 'another factor'}")
