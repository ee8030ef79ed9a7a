"""Knowing that the server is the right one: by a pinned fingerprint or by a known_hosts file."""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko

from cdp_sync.errors import HostKeyRejected
from cdp_sync.model.counting import counted
from cdp_sync.model.server import SftpServer

_SSH_PORT = 22
_RSA = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True)
class KnownKeys:
    """The keys a server may show, and those it must not.

    A pinned fingerprint names no kind of key, so every kind the server has may have to be looked at.
    """

    source: str
    """Where they are declared, for messages."""
    pin: str | None = None
    trusted: frozenset[bytes] = frozenset()
    """Keys as they go over the wire."""
    revoked: frozenset[bytes] = frozenset()
    kinds: tuple[str, ...] = ()
    """Kinds of the trusted keys, to be asked for first."""

    def accepts(self, key: paramiko.PKey) -> bool:
        """Whether this is the server's declared key, and not one that was declared as stolen or retired."""
        if key.asbytes() in self.revoked:
            return False
        return key.asbytes() in self.trusted or key.fingerprint.rstrip("=") == self.pin

    def rejection(self, shown: list[paramiko.PKey], where: str) -> HostKeyRejected:
        """Return the error that none of the keys a server shows is the declared one, or that the last is revoked."""
        described = [f"{key.get_name()} {key.fingerprint}" for key in shown]
        if shown[-1].asbytes() in self.revoked:
            return HostKeyRejected(
                f"{where} shows the key {described[-1]}, which {self.source} marks as @revoked.",
                needed="Needed is the server's present key.",
                remedy="Do not connect. Ask the server's operator.",
            )
        return HostKeyRejected(
            f"{where} shows {' and '.join(described)}, which is not declared.",
            needed=f"{self.source}.",
            remedy=f'If the server\'s operator confirms it, put host_key: "{shown[0].fingerprint}" under server.',
        )


def known_keys(server: SftpServer, log: Callable[[str], None]) -> KnownKeys:
    """Return what is declared about a server's key.

    Raises:
        HostKeyRejected: The known_hosts file cannot be read.
    """
    if server.host_key:
        return KnownKeys(f"Declared is host_key {server.host_key}", pin=server.host_key.rstrip("="))
    if server.known_hosts_file:
        return _from_known_hosts(server, server.known_hosts_file, log)
    return KnownKeys("Neither host_key nor known_hosts_file is declared, and nothing is trusted by default")


def negotiated_as(kind: str) -> tuple[str, ...]:
    """Return the algorithms under which a kind of key is negotiated: RFC 8332 gives rsa two of them."""
    return _RSA if kind == "ssh-rsa" else (kind,)


def _from_known_hosts(server: SftpServer, name: str, log: Callable[[str], None]) -> KnownKeys:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as problem:
        raise HostKeyRejected(
            f"The known_hosts_file {name} cannot be read: {problem.strerror}.",
            needed="Needed is a file in OpenSSH's known_hosts format.",
            remedy="Make it with ssh-keyscan and compare the fingerprint with the operator's, or declare host_key.",
        ) from problem
    lines = list(_lines_about(server, text, log))
    trusted = [(kind, key) for marker, kind, key in lines if not marker]
    return KnownKeys(
        f"Declared is known_hosts_file {name}, with {counted(len(trusted), 'key')} for this server",
        trusted=frozenset(key for _, key in trusted),
        revoked=frozenset(key for marker, _, key in lines if marker == "@revoked"),
        kinds=tuple(dict.fromkeys(kind for kind, _ in trusted)),
    )


def _lines_about(server: SftpServer, text: str, log: Callable[[str], None]) -> Iterator[tuple[str, str, bytes]]:
    """Yield marker, kind and key of each line; paramiko's own reader gives up on the whole file at a marker."""
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or not _is_about(server, fields[0]):
            continue
        if marker == "@cert-authority":
            log(f"known_hosts line {number} is skipped: host certificates are not supported.")
            continue
        try:
            yield marker, fields[1], base64.b64decode(fields[2], validate=True)
        except binascii.Error:
            log(f"known_hosts line {number} is skipped: its key is damaged.")


def _is_about(server: SftpServer, patterns: str) -> bool:
    host = server.host.lower()
    names = [host] if server.port == _SSH_PORT else [f"[{host}]:{server.port}", host]
    if patterns.startswith("|"):
        return any(_is_hash_of(patterns, name) for name in names)
    # fnmatch reads [a] as a choice of letters, known_hosts as a bracket.
    listed = patterns.lower().replace("[", "[[]").split(",")
    matched = [pattern for pattern in listed if any(fnmatchcase(name, pattern.removeprefix("!")) for name in names)]
    return bool(matched) and not any(pattern.startswith("!") for pattern in matched)


def _is_hash_of(hashed: str, name: str) -> bool:
    """Compare with a hashed name, `|1|salt|HMAC-SHA1`: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT."""
    try:
        _, version, salt, digest = hashed.split("|")
        computed = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return version == "1" and hmac.compare_digest(computed, base64.b64decode(digest))
    except ValueError:
        return False
