"""Chooses the profiles to deliver and stages their rows as they will be written. Only reads the warehouse.

It also verifies that the delivery can be recorded, before anything is delivered: otherwise each run would deliver the
same profiles again, as long as the ledger cannot be written.
"""

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select.plan import segment_step, selected_step
from cdp_sync.model import EXPORT_COUNTERS, ExportCounters
from cdp_sync.warehouse.properties import check_types, profile_columns

_LEAST_ROOM = 2 << 20
_PROFILE_ROOM = 100
"""Bytes that the warehouse grows by for each profile whose entry in the ledger is replaced: 80 as measured."""


def select_segment(run: ExportRun) -> ExportCounters:
    """Stage the profiles to deliver, and count the endings of the segment's profiles.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
        DiskFull: The rows do not fit on the disk.
    """
    for leftover in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        leftover.unlink(missing_ok=True)
    with run.open("read") as session:
        # Rows stay here for seconds only.
        session.set("force_compression", "uncompressed")
        columns = profile_columns(session)
        check_types(run.profiles, columns)
        session.run([selected_step(run, run.rows(columns), columns), *run.more_steps(columns)])
        size = segment_step(run, columns)
        in_segment = session.value(size.sql, size.values)
        ends = dict(session.rows("select 'profiles_' || ending, count(*) from staging.selected group by ending"))
        ends["profiles_same"] = in_segment - sum(ends.values()) + ends.get("profiles_same", 0)
        return ExportCounters(in_segment, *(ends.get(name, 0) for name in EXPORT_COUNTERS[1:]))


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
