"""Which mail server to use, and as whom: from the environment."""

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
    """A mail server, and as whom mail is sent through it."""

    host: str
    sender: str
    tls: str = "starttls"
    """none, starttls or tls: never, after a greeting, from the first byte."""
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "SmtpServer":
        """Return the server that the variables CDP_SYNC_SMTP_… tell of.

        Raises:
            SettingUnusable: A variable is missing, or says something impossible.
        """
        given = {name: environment.get(f"{PREFIX}{name}", "") for name in ("HOST", "SENDER", "USER", "PASSWORD")}
        tls = environment.get(f"{PREFIX}TLS") or "starttls"
        _check(given, tls)
        port = _port(environment.get(f"{PREFIX}PORT") or str(_PORTS[tls]))
        return cls(given["HOST"], given["SENDER"], tls, port, given["USER"], given["PASSWORD"])

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


def _check(given: Mapping[str, str], tls: str) -> None:
    if not given["HOST"]:
        raise SettingUnusable(
            f"{PREFIX}HOST is not set.",
            needed="It should hold the mail server's name.",
            remedy="Set it where Dagster is started.",
        )
    if not is_address(given["SENDER"]):
        raise SettingUnusable(
            f"{PREFIX}SENDER is not set, or is not an e-mail address.", needed="It should hold the mails' sender."
        )
    if tls not in _PORTS:
        raise SettingUnusable(f"{PREFIX}TLS is {tls!r}.", needed=one_of(tls, _PORTS))
    _check_login(given, tls)


def _check_login(given: Mapping[str, str], tls: str) -> None:
    if bool(given["USER"]) != bool(given["PASSWORD"]):
        raise SettingUnusable(f"Of {PREFIX}USER and {PREFIX}PASSWORD one is not set.", needed="Set both, or neither.")
    if not (given["USER"] + given["PASSWORD"]).isascii():
        raise SettingUnusable(f"{PREFIX}USER or {PREFIX}PASSWORD is not ASCII.", needed="SMTP transmits ASCII only.")
    if given["USER"] and tls == "none":
        raise SettingUnusable(
            f"{PREFIX}TLS is none, and there is a login.",
            needed="starttls or tls is needed: a password is never sent unencrypted.",
        )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise SettingUnusable(f"{PREFIX}PORT is {text!r}.", needed="It should be a number from 1 to 65535.")
    return int(text)
