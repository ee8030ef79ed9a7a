"""What logs in: the secrets a declaration points at, fetched where they are.

Private keys may be OpenSSH, PEM (PKCS#1, SEC1) and PKCS#8, each with or without a passphrase. paramiko itself reads no
PKCS#8, which is what openssl writes by default; so the cryptography package reads all of them and paramiko gets the
result as OpenSSH text, in memory only.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cdp_sync.connectors.secret import secret_of
from cdp_sync.errors import KeyUnreadable, SecretMissing
from cdp_sync.model.server import SftpServer

_FEWEST_RSA_BITS = 2048
_NEEDED = "Needed is an ed25519, ecdsa or rsa private key in OpenSSH, PEM or PKCS#8 format."
_Usable = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True)
class Credentials:
    """A password, a private key or both. Neither shows in its `repr`."""

    password: str | None = field(repr=False)
    key: paramiko.PKey | None = field(repr=False)


def credentials(server: SftpServer, environ: Mapping[str, str]) -> Credentials:
    """Fetch what a server's declaration points at.

    Raises:
        SecretMissing: A variable or file is not there.
        KeyUnreadable: The private key cannot be used.
    """
    password = None
    if server.password_env:
        password = secret_of(environ, server.password_env, "password")
    elif server.password_file:
        password = _file(server.password_file, "password").partition("\n")[0].rstrip("\r")
    text = ""
    if server.private_key_file:
        text = _file(server.private_key_file, "private key")
    elif server.private_key_env:
        text = secret_of(environ, server.private_key_env, "private key")
    if not text:
        return Credentials(password, None)
    variable = server.private_key_passphrase_env
    passphrase = secret_of(environ, variable, "private key's passphrase") if variable else None
    origin = server.private_key_file or str(server.private_key_env)
    return Credentials(password, load_private_key(text, passphrase, origin))


def _file(name: str, what: str) -> str:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8-sig")
        if text.partition("\n")[0].strip():
            return text
        why = "its first line is empty"
    except (OSError, UnicodeDecodeError) as problem:
        why = str(getattr(problem, "strerror", "it is not text"))
    raise SecretMissing(
        f"The file {name} cannot be read: {why}.",
        needed=f"It should hold the {what}.",
        remedy="Put it there, readable for the account that runs cdp_sync, or name another file in defs.yaml.",
    )


def load_private_key(text: str, passphrase: str | None, origin: str) -> paramiko.PKey:
    """Read a private key; the passphrase is used only if the key is encrypted, `origin` is for messages.

    Raises:
        KeyUnreadable: It is no private key, of a kind that is not accepted, or its passphrase is missing or wrong.
    """
    if text.startswith("PuTTY-User-Key-File"):
        raise KeyUnreadable(
            f"{origin} is a PuTTY key (.ppk).",
            needed=_NEEDED,
            remedy="Convert it: puttygen key.ppk -O private-openssh-new -o key",
        )
    if text.startswith(("ssh-", "ecdsa-")) or "BEGIN PUBLIC KEY" in text or "BEGIN SSH2 PUBLIC KEY" in text:
        raise KeyUnreadable(
            f"{origin} is a public key.", needed=_NEEDED, remedy="Name the file without .pub, its other half."
        )
    key = _accepted(_read(text.strip().encode() + b"\n", passphrase, origin), origin)
    openssh = io.StringIO(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ).decode()
    )
    if isinstance(key, Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(openssh)
    if isinstance(key, RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(openssh)
    return paramiko.ECDSAKey.from_private_key(openssh)


def _read(data: bytes, passphrase: str | None, origin: str) -> object:
    load = (
        serialization.load_ssh_private_key
        if b"BEGIN OPENSSH PRIVATE KEY" in data
        else serialization.load_pem_private_key
    )
    try:
        return load(data, None)
    except TypeError:
        # cryptography's way to say that the key is encrypted
        if passphrase is None:
            raise KeyUnreadable(
                f"The private key {origin} needs a passphrase.",
                needed="Needed is private_key_passphrase_env, the variable that holds it.",
                remedy="Declare it, or take the passphrase off: ssh-keygen -p -f key",
            ) from None
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise KeyUnreadable(f"{origin} holds no private key that can be read.", needed=_NEEDED) from problem
    try:
        return load(data, passphrase.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnreadable(
            f"The passphrase of the private key {origin} is wrong.",
            remedy="Check what private_key_passphrase_env holds. `ssh-keygen -y -f key` tries a passphrase.",
        ) from None


def _accepted(key: object, origin: str) -> _Usable:
    if not isinstance(key, _Usable):
        raise KeyUnreadable(
            f"{origin} is a key of a kind that is not accepted: {type(key).__name__}.",
            needed=_NEEDED,
            remedy="Make a new one: ssh-keygen -t ed25519",
        )
    if isinstance(key, RSAPrivateKey) and key.key_size < _FEWEST_RSA_BITS:
        raise KeyUnreadable(
            f"{origin} is an rsa key of {key.key_size} bits.",
            needed=f"Needed are at least {_FEWEST_RSA_BITS}; shorter ones can be broken.",
            remedy="Make a new one: ssh-keygen -t ed25519",
        )
    return key
