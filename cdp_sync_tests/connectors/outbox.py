"""Folders to publish files in."""

from dataclasses import dataclass
from pathlib import Path

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.files import names_in
from cdp_sync_tests.openssh import OpenSshServer


@dataclass(frozen=True)
class Outbox:
    """A folder to publish in, as a local path and as the client names it."""

    server: SftpSandbox | OpenSshServer
    folder: Path
    replaces: bool = True
    """Whether the server can replace a file atomically."""

    @property
    def directory(self) -> str:
        """The folder as a client names it."""
        if isinstance(self.server, SftpSandbox):
            return "/" + str(self.folder.relative_to(self.server.root))
        return str(self.folder)

    def path(self, name: str) -> str:
        """Return the path of a file as a client names it."""
        return f"{self.directory}/{name}"

    @property
    def names(self) -> list[str]:
        """The sorted names in the folder, including hidden files."""
        return names_in(self.folder)
