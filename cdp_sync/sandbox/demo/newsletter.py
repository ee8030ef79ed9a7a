"""The demonstration's Sailthru: the server, its key, and who is on its lists, kept from one start to the next."""

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp_sync.private import write_private
from cdp_sync.sandbox.demo.users import TIME_ZONE, write_demo_users
from cdp_sync.sandbox.server_process import ServerProcess

_URL, _KEY, _SECRET = (f"CDP_SYNC_SANDBOX_SAILTHRU{part}" for part in ("", "_KEY", "_SECRET"))
"""The variables that the demonstration's connection names."""


@dataclass
class Newsletter:
    """Sailthru's API on loopback, as a process of its own.

    Attributes:
        folder: Where its files lie: its secret, its users, and a file for shells.
        port: 0 picks a free one.
        url: Where it is; empty before it serves.
    """

    folder: Path
    port: int
    url: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to call it."""
        return {_URL: self.url, _KEY: "sandbox", _SECRET: self._secret()}

    @property
    def summary(self) -> str:
        """Its address, and what another terminal needs, in two lines."""
        return (
            f"Sailthru on {self.url}; look at it there: {self.url}/_sandbox\n"
            f"In another terminal its connection needs this first: . {shlex.quote(str(self._for_shells))}"
        )

    def start(self) -> ServerProcess:
        """Start it, with the demonstration's users where there are none yet."""
        users = self.folder / "sailthru_users.jsonl"
        if not users.exists():
            write_demo_users(users)
        options = ["--port", str(self.port), "--api-key", "sandbox", "--api-secret-env", _SECRET]
        options += ["--time-zone", TIME_ZONE, "--users", str(users), "--keep-users"]
        return ServerProcess("cdp_sync.sandbox.sailthru", options, {_SECRET: self._secret()})

    def serves_at(self, url: str) -> None:
        """Note where it is, for shells as well."""
        self.url = url
        given = {**self.environment, _SECRET: f"$(cat {shlex.quote(str(self._secret_file.absolute()))})"}
        lines = (f'export {name}="{value}"\n' for name, value in given.items())
        write_private(self._for_shells, "".join(lines))

    @property
    def _for_shells(self) -> Path:
        return self.folder / "sailthru.env"

    @property
    def _secret_file(self) -> Path:
        return self.folder / "sailthru_secret"

    def _secret(self) -> str:
        return kept_secret(self._secret_file)


def kept_secret(file: Path) -> str:
    """Return what is in a file; where there is none, make both."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(16) + "\n")
    return file.read_text(encoding="ascii").strip()
