"""Resources: settings that the UI may show; each makes a plain object that knows no Dagster."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import CdpSyncError, Transient
from cdp_sync.model import SailthruAccount, SftpServer
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.runs.processes import note_process
from cdp_sync.orchestration.runs.run_log import shorten_log
from cdp_sync.warehouse import Warehouse

if TYPE_CHECKING:
    from cdp_sync.connectors.sailthru import SailthruAudience

WAREHOUSE_POOL = "warehouse"
"""The pool of all steps that open the warehouse: one slot."""


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The DuckDB file that holds the profiles, opened late and closed early.

    Args:
        path: The file.
        lock_timeout: Seconds to wait for another process that holds it.
        memory_limit: What DuckDB may keep in memory, e.g. `700MB`.
    """

    path: str
    lock_timeout: float = 120.0
    memory_limit: str = "700MB"

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Note which process does the run's work, quiet its log, and close the data folder: every run needs this."""
        if context.log:
            shorten_log(context.log)
        if context.run and context.instance:
            note_process(context.instance, context.run)
            data_folder().close_to_others()

    def warehouse(self) -> Warehouse:
        """Return the warehouse."""
        return Warehouse(Path(self.path), self.lock_timeout, self.memory_limit)


class SftpServerResource(dg.ConfigurableResource[SftpClient]):
    """An SFTP server. Shows where it is and which variables hold its secrets, never a secret.

    Args:
        host: Name or address.
        port: TCP port.
        username: Account.
        settings: The whole declaration, as JSON.
    """

    host: str
    port: int
    username: str
    settings: str

    _ahead: Future[SftpClient] | None = PrivateAttr(None)

    @classmethod
    def of(cls, server: SftpServer) -> "SftpServerResource":
        """Return the resource of a declared server."""
        return cls(host=server.host, port=server.port, username=server.username, settings=server.model_dump_json())

    def warm_up(self) -> None:
        """Import what a client needs when it connects."""
        import cdp_sync.connectors.sftp.session  # noqa: F401

    def client(self, **options: Any) -> SftpClient:  # noqa: ANN401 - those of the client
        """Return a client; it connects when it is used, unless it is one that connects already.

        Raises:
            Terminal: That one found that the server and we do not come together.
        """
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead else SftpClient(SftpServer.model_validate_json(self.settings), **options)

    def connect_ahead(self) -> None:
        """Connect beside other work, for who asks for a client next.

        With a server far away that takes as long as many a file.
        """
        if self._ahead is None:
            beside, client = ThreadPoolExecutor(1), self.client()
            self._ahead = beside.submit(_connected, client)
            beside.shutdown(wait=False)

    def hang_up(self) -> None:
        """Close the connection that nobody has asked for, if there is one."""
        with suppress(CdpSyncError):
            self.client().close()


def _connected(client: SftpClient) -> SftpClient:
    with suppress(Transient):  # its first use tries again, as often as is usual
        client.connect()
    return client


class SailthruAccountResource(dg.ConfigurableResource[Any]):
    """An account with Sailthru. Shows which variables hold its secrets, never a secret.

    Args:
        base_url: Where the API is.
        settings: The whole declaration, as JSON.
    """

    base_url: str
    settings: str

    @classmethod
    def of(cls, account: SailthruAccount) -> "SailthruAccountResource":
        """Return the resource of a declared account."""
        return cls(base_url=account.base_url, settings=account.model_dump_json())

    def warm_up(self) -> None:
        """Import what a client needs: requests, which takes as long as many a project's declarations."""
        import cdp_sync.connectors.sailthru  # noqa: F401

    def client(self, **options: Any) -> "SailthruAudience":  # noqa: ANN401 - those of the client
        """Return a client; it connects when it is used."""
        from cdp_sync.connectors.sailthru import SailthruAudience

        return SailthruAudience(SailthruAccount.model_validate_json(self.settings), **options)
