"""The ledger: which files were imported before, and how far each stream of a source was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cdp_sync.model import COUNTERS, Counters, FileReport, FileState
from cdp_sync.warehouse.session import Session


@dataclass(frozen=True)
class KnownFile:
    """What the ledger knows of a path."""

    path: str
    size: int
    modified_at: datetime
    sha256: str
    fingerprint: str
    fields: tuple[str, ...]
    """The fields that its remembered rows are digests of."""
    format: str | None = None
    """How it was read, as JSON; None where that was not noted."""
    source_fields: tuple[str, ...] = ()
    """Where processors changed the rows: the fields before, of which the ledger has digests too."""
    source: str = ""
    """What its remembered rows are kept under."""

    @property
    def read_fields(self) -> tuple[str, ...]:
        """The fields of the file itself that identify its rows."""
        return self.source_fields or self.fields


def known_files(session: Session, connection: str, goal: str) -> dict[str, KnownFile]:
    """Return the latest import of every path that the goal has imported, by path."""
    query = """
        select path, size, modified_at, sha256, fingerprint, fields, source_fields, format, source::text as source
        from warehouse.imported_file
        where connection = ? and goal = ?
        qualify row_number() over (partition by path order by rowid desc) = 1"""
    records = session.records(query, [connection, goal])
    for each in records:
        each |= {name: tuple(each[name] or ()) for name in ("fields", "source_fields")}
    return {each["path"]: KnownFile(**each) for each in records}


def files_of_run(session: Session, run_id: str, connection: str, goal: str) -> tuple[FileReport, ...]:
    """Return the files that a run of a goal has imported, in order."""
    counters = ", ".join(f"coalesce({name}, 0) as {name}" for name in COUNTERS)
    query = f"""
        select path, {counters}
        from warehouse.imported_file
        where run_id = ? and connection = ? and goal = ?
        order by rowid"""
    records = session.records(query, [run_id, connection, goal])
    return tuple(FileReport(each.pop("path"), FileState.IMPORTED, Counters(**each)) for each in records)


def watermarks_of(session: Session, connection: str, goal: str) -> dict[str, str]:
    """Return how far the streams of a goal's source were read, by stream."""
    query = "select stream, value from warehouse.watermark where connection = ? and goal = ?"
    return dict(session.rows(query, [connection, goal]))


def write_watermarks(session: Session, run_id: str, connection: str, goal: str, marks: Mapping[str, str]) -> None:
    """Replace watermarks, given by stream, in the transaction that lands what was read from the streams."""
    if not marks:
        return
    names = {"connection": connection, "goal": goal, "streams": list(marks)}
    session.execute(
        """delete from warehouse.watermark
        where connection = $connection and goal = $goal and stream in (select unnest($streams))""",
        names,
    )
    session.execute(
        """insert into warehouse.watermark
        select $connection, $goal, unnest($streams::text[]), unnest($marks::text[]), $run_id""",
        {**names, "marks": list(marks.values()), "run_id": run_id},
    )
