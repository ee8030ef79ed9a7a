"""Verifies that a delivery can be recorded, before anything is delivered.

Otherwise each run would deliver the same profiles again, as long as the ledger cannot be written.
"""

from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import ExportCounters

_LEAST_ROOM = 2 << 20
_PROFILE_ROOM = 100
"""Bytes that the warehouse grows by for each profile whose entry in the ledger is replaced: 80 as measured."""


def verify_recordable(run: ExportRun, counters: ExportCounters) -> None:
    """Open the warehouse as recording does, and verify that it can grow. No-op where nothing is due.

    Raises:
        DiskFull: There is no room for the ledger.
        WarehouseLocked: Another process holds the warehouse.
        WarehouseUnusable: It cannot be written.
    """
    if counters.profiles_written or run.is_due_without_profiles():
        with run.open("write"):
            verify_room(run, counters.profiles_written)


def verify_room(run: ExportRun, profiles: int) -> None:
    """Verify that the warehouse can grow by the ledger rows of so many profiles; it is not opened.

    Raises:
        DiskFull: There is no room.
        WarehouseUnusable: Nothing can be written beside the warehouse.
    """
    run.warehouse.verify_room(_LEAST_ROOM + profiles * _PROFILE_ROOM * run.entries)
