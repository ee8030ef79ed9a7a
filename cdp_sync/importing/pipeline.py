"""The whole of an import: `scan_directory`, `parse_files` or `fetch_profiles`, `link_identifiers`, `upsert_profiles`.

Each op of a goal calls one of these functions; `import_files` and `import_people` call them in a row. What one leaves
to the next stands in the run's staging file, see `staging.tables`.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from cdp_sync.errors import WarehouseChanged
from cdp_sync.importing.delta.replace import compare_rows, select_fresh_rows
from cdp_sync.importing.linking.linking import is_linked, link_rows, put_off
from cdp_sync.importing.linking.waiting import count_due, stage_waiting
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.port import Progress, Source
from cdp_sync.importing.sources.profiles import fetch_profiles
from cdp_sync.importing.staging.columns import staged_columns, with_merges
from cdp_sync.importing.staging.parsing import Arrival, stage_files
from cdp_sync.importing.upserting.upsert import declare_properties, upsert_rows
from cdp_sync.model import FileReport, ImportReport
from cdp_sync.warehouse import KnownFile, Session, stored_columns

_TRIES = 5
"""How often an import is linked and written where others write first each time."""


def import_files(
    run: ImportRun, arrivals: Iterable[Arrival], known: Mapping[str, KnownFile] | None = None
) -> ImportReport:
    """Import files in order as they arrive, and the rows of earlier runs that would find a profile now."""
    retry = False
    if run.goal.keeps_unmatched:
        with run.warehouse.open("read") as session:
            retry = count_due(session, run) > 0
    parse_files(run, arrivals, known, retry=retry)
    link_identifiers(run)
    return upsert_profiles(run)


def import_people(run: ImportRun, source: Source, progress: Progress = lambda _name, _size: None) -> ImportReport:
    """Import the people of a platform; `progress` is called while a part arrives."""
    fetch_profiles(run, source, progress)
    link_identifiers(run)
    return upsert_profiles(run)


def parse_files(
    run: ImportRun, arrivals: Iterable[Arrival], known: Mapping[str, KnownFile] | None = None, *, retry: bool = False
) -> list[FileReport]:
    """Parse files as `stage_files` does; with `retry`, also stage earlier rows that would find a profile now."""
    reports = stage_files(run, arrivals, known)
    return reports + (stage_waiting(run) if retry else [])


def link_identifiers(run: ImportRun) -> None:
    """Give the rows that differ from the previous imports a profile each. Reads the warehouse only.

    Where that has no table yet, of a new type of groups, `upsert_profiles` makes it and links the rows then.
    """
    with run.open("read") as session:
        session.set("force_compression", "uncompressed")  # as parsing does: what is written here is soon gone
        if stored_columns(session, run.records.table):
            _link(session, run)
        else:
            put_off(session)


def upsert_profiles(run: ImportRun) -> ImportReport:
    """Apply the linked rows to profiles in one transaction, and report.

    If another process wrote to the warehouse since the rows were linked, they are linked again first, so that two runs
    that meet the same new person end with one profile. So they are where a commit finds that another one was quicker.

    Raises:
        WarehouseChanged: Others were quicker several times in a row.
    """
    for _ in range(_TRIES - 1):
        with suppress(WarehouseChanged):
            return _upsert(run)
    return _upsert(run)


def _upsert(run: ImportRun) -> ImportReport:
    with run.open("write") as session:
        declare_properties(session, run)
        if not is_linked(session):
            _link(session, run)
        return upsert_rows(session, run)


def _link(session: Session, run: ImportRun) -> None:
    columns = with_merges(session, staged_columns(session, run))
    compare_rows(session, run)
    select_fresh_rows(session, run, columns)
    link_rows(session, run, columns)
