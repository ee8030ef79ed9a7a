"""The mail server and its login, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdp_sync.errors import SettingUnusable
from cdp_sync.model.mail_address import is_address
from cdp_sync.model.suggestion import one_of

PREFIX = "CDP_SYNC_SMTP_"
"""Of the variables' names."""

_PORTS = {"none": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True)
class SmtpServer:
    """A mail server, and the login and sender of mail through it."""

    host: str
    sender: str
    tls: str = "starttls"
    """none, starttls or tls: never, after a greeting, from the first byte."""
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
        if not host:
            raise SettingUnusable(
                f"{PREFIX}HOST is not set.",
                needed="It should hold the mail server's name.",
                remedy="Set it where Dagster is started.",
            )
        if not is_address(sender):
            raise SettingUnusable(
                f"{PREFIX}SENDER is not set, or is not an e-mail address.", needed="It should hold the mails' sender."
            )
        if tls not in _PORTS:
            raise SettingUnusable(f"{PREFIX}TLS is {tls!r}.", needed=one_of(tls, _PORTS))
        port = port or str(_PORTS[tls])
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise SettingUnusable(f"{PREFIX}PORT is {port!r}.", needed="It should be a number from 1 to 65535.")
        _check_login(user, password, tls)
        return cls(host, sender, tls, int(port), user, password)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


def _check_login(user: str, password: str, tls: str) -> None:
    if bool(user) != bool(password):
        raise SettingUnusable(f"Of {PREFIX}USER and {PREFIX}PASSWORD one is not set.", needed="Set both, or neither.")
    if not (user + password).isascii():
        raise SettingUnusable(f"{PREFIX}USER or {PREFIX}PASSWORD is not ASCII.", needed="SMTP transmits ASCII only.")
    if user and tls == "none":
        raise SettingUnusable(
            f"{PREFIX}TLS is none, and there is a login.",
            needed="starttls or tls is needed: a password is never sent unencrypted.",
        )
