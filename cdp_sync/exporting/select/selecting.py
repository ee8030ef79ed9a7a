"""Chooses the profiles to deliver and stages their rows as they will be written. Only reads the warehouse."""

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select.plan import segment_step, selected_step
from cdp_sync.model import EXPORT_COUNTERS, ExportCounters
from cdp_sync.warehouse.properties import check_types, profile_columns


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
