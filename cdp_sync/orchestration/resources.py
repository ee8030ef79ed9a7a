"""Resources: settings that the UI may show; each makes a plain object that knows no Dagster."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from cdp_sync.errors import CdpSyncError, Transient
from cdp_sync.model import ConnectionKind, Declared
from cdp_sync.model.kind import kinds
from cdp_sync.orchestration.dagster_internals import shorten_log
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.runs.admission import Admission
from cdp_sync.orchestration.runs.heartbeat import Heartbeat
from cdp_sync.orchestration.runs.process import note_process
from cdp_sync.orchestration.runs.recovery import remove_leftovers
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.backend import named_warehouse, names_lake, warehouse_setting

WAREHOUSE_POOL = "warehouse"
"""The pool of all steps that open the warehouse: one slot."""


def reading_pool() -> str | None:
    """Return the pool of the steps that only read the warehouse: none for a lake, whose readers wait for nobody."""
    return None if names_lake(warehouse_setting(data_folder().path)) else WAREHOUSE_POOL


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The warehouse that holds the profiles, opened late and closed early.

    Args:
        path: The DuckDB file, or the lake: `ducklake:postgres:dbname=… host=…`.
        lock_timeout: Seconds to wait for another process that holds it.
        memory_limit: What DuckDB may keep in memory, e.g. `700MB`; empty: what fits the machine of the run.
    """

    path: str
    lock_timeout: float = 120.0
    memory_limit: str = ""

    _guard: Admission | None = PrivateAttr(None)
    _heartbeat: Heartbeat | None = PrivateAttr(None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Note which process does the run's work, quiet its log, and tidy the data folder: every run needs this."""
        if context.log:
            shorten_log(context.log)
        if context.run and context.instance:
            note_process(context.instance, context.run)
            self._heartbeat = Heartbeat(context.instance, context.run.run_id)
            self._heartbeat.start()
            self._guard = Admission(context.instance, context.run)
            data_folder().close_to_others()
            remove_leftovers(context.instance, data_folder())

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """End what shows that this process works on the run."""
        if self._heartbeat:
            self._heartbeat.stop()

    def warehouse(self) -> Warehouse:
        """Return the warehouse, which only a run that may use it can open."""
        named = named_warehouse(self.path, data_folder().workspace, self.lock_timeout).within(self.memory_limit)
        return replace(named, guard=self._guard)


class PlatformResource(dg.ConfigurableResource[Any]):
    """What a connection reaches. Shows where that is and which variables hold its secrets, never a secret.

    Args:
        kind: The component type of the connection.
        settings: How to reach the platform, as JSON.
    """

    kind: str
    settings: str

    _ahead: Future[Any] | None = PrivateAttr(None)

    @classmethod
    def of(cls, kind: ConnectionKind, server: Declared) -> "PlatformResource":
        """Return the resource of a connection's `server_value`."""
        return cls(kind=kind.type, settings=server.model_dump_json())

    def warm_up(self) -> None:
        """Import what the client needs, so that the time of a run's steps is their own."""
        kind = self._kind
        kind.part("client")
        for module in kind.preloaded:
            import_module(module)

    def client(self, **options: Any) -> Any:  # noqa: ANN401 - that of the kind
        """Return a client; it connects when it is used, unless `connect_ahead` has connected one.

        Raises:
            Terminal: The one that connected ahead was refused.
        """
        ahead, self._ahead = self._ahead, None
        if ahead:
            return ahead.result()
        kind = self._kind
        return kind.part("client")(kind.part("server").model_validate_json(self.settings), **options)

    def connect_ahead(self) -> None:
        """Connect in a thread, for the next call of `client`.

        On a high-latency link, connecting takes longer than sending a small file.
        """
        if self._ahead is None:
            thread, client = ThreadPoolExecutor(1), self.client()

            def connected() -> Any:  # noqa: ANN401 - of any kind that can connect before it is used
                with suppress(Transient):  # its first use retries
                    client.connect()
                return client

            self._ahead = thread.submit(connected)
            thread.shutdown(wait=False)

    def hang_up(self) -> None:
        """Close the connection that nothing has used, if there is one."""
        with suppress(CdpSyncError):
            self.client().close()

    @property
    def _kind(self) -> ConnectionKind:
        return kinds()[self.kind]
