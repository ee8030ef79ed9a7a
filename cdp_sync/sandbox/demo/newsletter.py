"""The demonstration's Sailthru: the server, its key, and who is on its lists."""

from collections.abc import Mapping

from cdp_sync.sandbox.demo.served_api import ServedApi
from cdp_sync.sandbox.demo.users import TIME_ZONE, write_demo_users
from cdp_sync.sandbox.server_process import ServerProcess

_URL, _KEY, _SECRET = (f"CDP_SYNC_SANDBOX_SAILTHRU{part}" for part in ("", "_KEY", "_SECRET"))
"""The variables that the demonstration's connection names."""


class Newsletter(ServedApi):
    """Sailthru's API."""

    vendor = "Sailthru"
    secret_variable = _SECRET
    secret_name = "secret"  # noqa: S105 - the name of a file

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to call it."""
        return {_URL: self.url, _KEY: "sandbox", _SECRET: self.secret()}

    def start(self) -> ServerProcess:
        """Start it, with the demonstration's users where there are none yet."""
        if not self.users.exists():
            write_demo_users(self.users)
        options = ["--port", str(self.port), "--api-key", "sandbox", "--api-secret-env", _SECRET]
        options += ["--time-zone", TIME_ZONE, "--users", str(self.users), "--keep-users"]
        return ServerProcess("cdp_sync.sandbox.sailthru", options, {_SECRET: self.secret()})
