"""Parses the files that arrived into the run's staging table."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from uuid import NAMESPACE_URL, uuid5

from cdp_sync.errors import FileRejected
from cdp_sync.importing.columns import plan_columns
from cdp_sync.importing.landing import Landed, land
from cdp_sync.importing.lines import account
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging import create_tables
from cdp_sync.importing.staging_plan import hashed_fields, stage_step
from cdp_sync.importing.unpacking import unpack
from cdp_sync.model import FetchedFile, FileReport
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.ledger import KnownFile, known_files


def stage_files(
    run: GoalRun, files: Iterable[FetchedFile], known: Mapping[str, KnownFile] | None = None
) -> list[FileReport]:
    """Parse files into the staging table, in order; a file that cannot be is told of and left out.

    Args:
        run: The run.
        files: The files, in order of import; each is read when its turn comes.
        known: What the ledger knows of their paths; looked up where it is not given.
    """
    if known is None:
        with run.warehouse.open("read") as session:
            known = known_files(session, run.connection, run.goal.name)
    with _opened(run) as session:
        create_tables(session, plan_columns(run.goal, run.profiles))
        session.execute("set TimeZone = $zone".replace("$zone", f"'{run.goal.format.time_zone}'"))
        return [_stage_file(session, run, file, known.get(file.remote.path)) for file in files]


def _opened(run: GoalRun):  # noqa: ANN202
    run.folder.mkdir(parents=True, exist_ok=True)
    return run.warehouse.open("none", staging=run.staging)


def _stage_file(session: Session, run: GoalRun, fetched: FetchedFile, known: KnownFile | None) -> FileReport:
    number = session.value("select count(*) from staging.file")
    same_fingerprint = known is not None and known.fingerprint == run.fingerprint
    if same_fingerprint and known is not None and known.sha256 == fetched.sha256:
        return _note(session, run, fetched, number, FileReport(fetched.remote.path, "unchanged"))
    try:
        report, fields = _stage_parts(session, run, fetched, known, number)
    except FileRejected as error:
        report, fields = FileReport(fetched.remote.path, "failed", message=str(error)), ()
    return _note(session, run, fetched, number, report, fields, same_fingerprint=same_fingerprint)


def _stage_parts(
    session: Session, run: GoalRun, fetched: FetchedFile, known: KnownFile | None, number: int
) -> tuple[FileReport, tuple[str, ...]]:
    warnings: list[str] = []
    fields: tuple[str, ...] = ()
    for landed in _land(run, fetched):
        fields = _stage_part(session, run, landed, known, number)
        warnings += landed.warnings
    report = FileReport(fetched.remote.path, "staged", warnings=tuple(dict.fromkeys(warnings)))
    _check_budget(session, run, number)
    return report, fields


def _land(run: GoalRun, fetched: FetchedFile) -> Iterator[Landed]:
    folder = run.folder / "unpacked"
    folder.mkdir(exist_ok=True)
    try:
        for part in unpack(fetched.remote.path, fetched.local, folder):
            yield land(part, run.goal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage_part(
    session: Session, run: GoalRun, landed: Landed, known: KnownFile | None, file: int
) -> tuple[str, ...]:
    """Stage one part; return the fields whose cells its rows are told apart by."""
    columns = plan_columns(run.goal, run.profiles, landed.head.columns)
    create_tables(session, columns)
    part, first_row = session.row("select (select count(*) from staging.part), (select count(*) from staging.staged)")
    step = stage_step(run.goal, columns, landed, known.fields if known else None)
    session.execute(step.sql, {**step.values, "file": file, "part": part})
    account(session, landed, run.goal.format, file=file, part=part, first_row=first_row)
    return hashed_fields(run.goal, columns)


def _check_budget(session: Session, run: GoalRun, file: int) -> None:
    """Fail the file where more rows were rejected than the goal's error budget allows."""
    rejected = session.value("select count(*) from staging.rejected where file = ?", [file])
    read = rejected + session.value("select count(*) from staging.staged where file = ?", [file])
    allowed = run.goal.max_rejected_percent
    if rejected * 100 > allowed * read:
        raise FileRejected(
            f"{rejected:,} of {read:,} rows were rejected, more than {allowed:g} %.",
            needed="A file within the goal's error budget, max_rejected_percent.",
            remedy="Look at the quarantine, and have the file corrected.",
        )


def _note(
    session: Session,
    run: GoalRun,
    fetched: FetchedFile,
    number: int,
    report: FileReport,
    fields: tuple[str, ...] = (),
    *,
    same_fingerprint: bool = False,
) -> FileReport:
    remote = fetched.remote
    source = uuid5(NAMESPACE_URL, f"{run.connection}/{run.goal.name}/{remote.path}")
    session.execute(
        "insert into staging.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            number, remote.path, remote.size, remote.modified_at, fetched.sha256, source, list(fields),
            report.state, report.message, list(report.warnings), same_fingerprint,
        ],
    )  # fmt: skip
    return report
