"""The ports of the sandbox's servers, and the settings that choose others."""

from typing import NamedTuple


class Served(NamedTuple):
    """The port of a server."""

    option: str
    """The option of `cdp-sync sandbox`."""
    variable: str
    """The environment variable; read where the option is not given, and by the declarations."""
    usual: int


SFTP = Served("--port", "CDP_SYNC_SANDBOX_PORT", 2222)
MAIL = Served("--mail-port", "CDP_SYNC_SANDBOX_MAIL_PORT", 2525)
SAILTHRU = Served("--sailthru-port", "CDP_SYNC_SANDBOX_SAILTHRU_PORT", 8025)
ITERABLE = Served("--iterable-port", "CDP_SYNC_SANDBOX_ITERABLE_PORT", 8026)
