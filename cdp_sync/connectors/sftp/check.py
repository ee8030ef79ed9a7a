"""Whether a server can be used: each directory that a goal names. Nothing is changed."""

from collections.abc import Iterator

from cdp_sync.connectors.sftp.client import SftpClient
from cdp_sync.errors import RemoteListingTooLong, RemotePathMissing, RemotePermissionDenied
from cdp_sync.model import SftpConnection
from cdp_sync.model.counting import counted


def check(connection: SftpConnection) -> Iterator[tuple[str, bool]]:
    """List the directories; yield in sentences what was found, and whether that is as it should be.

    Raises:
        ServerRefused: The server does not let us in.
        Transient: It cannot be reached.
    """
    directories = [goal.directory for goal in connection.import_profiles]
    directories += [goal.directory for goal in connection.export_profiles]
    with SftpClient(connection.server) as server:
        for directory in dict.fromkeys(directories):
            try:
                yield f"{directory}: {counted(len(server.list_directory(directory)), 'file')}.", True
            except (RemotePathMissing, RemotePermissionDenied, RemoteListingTooLong) as error:
                yield f"{directory}: {error}", False
