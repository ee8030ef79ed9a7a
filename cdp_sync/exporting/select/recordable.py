"""Makes sure that a delivery can be recorded, before anybody is delivered.

Otherwise everybody would be delivered again by each run, for as long as the ledger cannot be written.
"""

from cdp_sync.exporting.run import ExportRun, FileRun, UserRun
from cdp_sync.model import ExportCounters

_LEAST_ROOM = 2 << 20
_PROFILE_ROOM = 100
"""Bytes that the warehouse grows by for each profile whose entry in the ledger is replaced: 80 as measured."""


def verify_recordable(run: ExportRun, counters: ExportCounters) -> None:
    """Open the warehouse as recording will do, and make sure that it can grow; where nobody is due, do nothing.

    Args:
        run: The run; its rows are staged.
        counters: What `select_segment` counted.

    Raises:
        DiskFull: There is no room for the ledger.
        WarehouseLocked: Another process holds the warehouse.
        WarehouseUnusable: It cannot be written.
    """
    if counters.profiles_written or _others_are_due(run):
        with run.open("write"):
            verify_room(run, counters.profiles_written)


def verify_room(run: ExportRun, profiles: int) -> None:
    """Make sure that the warehouse can grow by what is recorded of so many profiles; it is not opened.

    Raises:
        DiskFull: There is no room.
        WarehouseUnusable: Nothing can be written beside the warehouse.
    """
    lists = len(run.goal.lists) if isinstance(run, UserRun) else 0
    run.warehouse.verify_room(_LEAST_ROOM + profiles * _PROFILE_ROOM * (1 + lists))


def _others_are_due(run: ExportRun) -> bool:
    """Return whether something is to be delivered although no profile is."""
    if isinstance(run, FileRun):
        return run.goal.write_empty
    with run.open("none") as session:
        return bool(session.value("select count(*) from staging.leaver"))
