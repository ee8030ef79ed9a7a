"""A vendor's API as a server of the sandbox: its process, its secret, and what shells need to call it."""

import secrets
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cdp_sync.private import write_private
from cdp_sync.sandbox.server_process import ServerProcess


@dataclass
class ServedApi(ABC):
    """An API on loopback, as a process of its own. Its secret and its users are kept from one start to the next.

    Attributes:
        folder: Where its files lie: its secret, its users, and a file for shells.
        port: 0 picks a free one.
        url: Where it is; empty before it serves.
    """

    vendor: ClassVar[str]
    """Its name in messages, and in lower case in names of files."""
    secret_variable: ClassVar[str]
    """The variable that holds its secret."""
    secret_name: ClassVar[str]
    """The last word of the name of the secret's file."""

    folder: Path
    port: int
    url: str = ""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """What a process needs to call it."""

    @property
    def summary(self) -> str:
        """Its address, and what another terminal needs, in two lines."""
        return (
            f"{self.vendor} on {self.url}; look at it there: {self.url}/_sandbox\n"
            f"In another terminal its connection needs this first: . {shlex.quote(str(self._for_shells))}"
        )

    @abstractmethod
    def start(self) -> ServerProcess:
        """Start it, with the demonstration's users where there are none yet."""

    def serves_at(self, url: str) -> None:
        """Note where it is, for shells as well."""
        self.url = url
        secret = f"$(cat {shlex.quote(str(self._secret_file.absolute()))})"
        given = {**self.environment, self.secret_variable: secret}
        write_private(self._for_shells, "".join(f'export {name}="{value}"\n' for name, value in given.items()))

    def secret(self) -> str:
        """Return its secret."""
        return kept_secret(self._secret_file)

    @property
    def users(self) -> Path:
        """The file of its users."""
        return self.folder / f"{self.vendor.lower()}_users.jsonl"

    @property
    def _for_shells(self) -> Path:
        return self.folder / f"{self.vendor.lower()}.env"

    @property
    def _secret_file(self) -> Path:
        return self.folder / f"{self.vendor.lower()}_{self.secret_name}"


def kept_secret(file: Path) -> str:
    """Return what is in a file; where there is none, make both."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(16) + "\n")
    return file.read_text(encoding="ascii").strip()
