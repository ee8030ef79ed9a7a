"""The demonstration's Iterable: the server, its key, and its users."""

from collections.abc import Mapping

from cdp_sync.sandbox.demo.served_api import ServedApi
from cdp_sync.sandbox.demo.users import write_demo_card_holders
from cdp_sync.sandbox.server_process import ServerProcess

_URL, _KEY = (f"CDP_SYNC_SANDBOX_ITERABLE{part}" for part in ("", "_KEY"))
"""The variables that a connection to it names."""


class Campaigns(ServedApi):
    """Iterable's API: a project whose users are known by their addresses."""

    vendor = "Iterable"
    secret_variable = _KEY
    secret_name = "key"  # noqa: S105 - the name of a file

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to call it."""
        return {_URL: self.url, _KEY: self.secret()}

    def start(self) -> ServerProcess:
        """Start it, with the demonstration's users where there are none yet."""
        if not self.users.exists():
            write_demo_card_holders(self.users)
        options = ["--port", str(self.port), "--api-key-env", _KEY, "--users", str(self.users), "--keep-users"]
        return ServerProcess("cdp_sync.sandbox.iterable", options, {_KEY: self.secret()})
