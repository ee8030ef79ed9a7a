"""What logs in: the secrets a declaration points at, fetched where they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from cdp_sync.connectors.secret import secret_of
from cdp_sync.connectors.sftp.keys import load_private_key
from cdp_sync.errors import SecretMissing
from cdp_sync.model.server import SftpServer


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
    return Credentials(password, _key(server, environ))


def _key(server: SftpServer, environ: Mapping[str, str]) -> paramiko.PKey | None:
    if server.private_key_file:
        text, origin = _file(server.private_key_file, "private key"), server.private_key_file
    elif server.private_key_env:
        text, origin = secret_of(environ, server.private_key_env, "private key"), server.private_key_env
    else:
        return None
    variable = server.private_key_passphrase_env
    passphrase = secret_of(environ, variable, "private key's passphrase") if variable else None
    return load_private_key(text, passphrase, origin)


def _file(name: str, what: str) -> str:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise _unusable(name, what, str(getattr(problem, "strerror", "it is not text"))) from None
    if not text.partition("\n")[0].strip():
        raise _unusable(name, what, "its first line is empty")
    return text


def _unusable(name: str, what: str, why: str) -> SecretMissing:
    return SecretMissing(
        f"The file {name} cannot be read: {why}.",
        needed=f"It should hold the {what}.",
        remedy="Put it there, readable for the account that runs cdp_sync, or name another file in defs.yaml.",
    )
