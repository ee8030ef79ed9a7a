"""Chooses the profiles to deliver and stages their rows as they will be written. Only reads the warehouse."""

from collections.abc import Collection

from cdp_sync.exporting.audiences.list_removals import leaver_step
from cdp_sync.exporting.audiences.rows import user_rows
from cdp_sync.exporting.files.rows import file_rows
from cdp_sync.exporting.run import ExportRun, FileRun, UserRun
from cdp_sync.exporting.select.plan import profile_end_step, segment_step
from cdp_sync.exporting.select.rows import Rows
from cdp_sync.model import EXPORT_COUNTERS, ExportCounters
from cdp_sync.warehouse import Session, Step
from cdp_sync.warehouse.properties import check_types, profile_columns


def select_segment(run: ExportRun) -> ExportCounters:
    """Stage what is to be delivered, and tell what became of the segment's profiles.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
        DiskFull: The rows do not fit on the disk.
    """
    for left_behind in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        left_behind.unlink(missing_ok=True)
    with run.open("read") as session:
        # Rows stay here for seconds only.
        session.set("force_compression", "uncompressed")
        columns = profile_columns(session)
        check_types(run.profiles, columns)
        session.run([profile_end_step(run, rows_of(run, columns), columns), *_more_steps(run, columns)])
        size = segment_step(run, columns)
        return _counters(session, session.value(size.sql, size.values))


def rows_of(run: ExportRun, columns: Collection[str]) -> Rows:
    """Return how profiles become lines in a run of this kind."""
    if isinstance(run, UserRun):
        return user_rows(run, columns)
    assert isinstance(run, FileRun)  # noqa: S101 - the kinds there are
    return file_rows(run, columns)


def _more_steps(run: ExportRun, columns: Collection[str]) -> list[Step]:
    return [leaver_step(run, columns)] if isinstance(run, UserRun) else []


def _counters(session: Session, in_segment: int) -> ExportCounters:
    """Count the ends; profiles that are not staged have the values that were delivered last."""
    ends = dict(session.rows("select 'profiles_' || ending, count(*) from staging.profile_end group by ending"))
    ends["profiles_same"] = in_segment - sum(ends.values()) + ends.get("profiles_same", 0)
    return ExportCounters(in_segment, *(ends.get(name, 0) for name in EXPORT_COUNTERS[1:]))
