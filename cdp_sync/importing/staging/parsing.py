"""Parses the files that arrived into the run's staging table."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import NAMESPACE_URL, UUID, uuid5

from cdp_sync.errors import DiskFull, FileRejected
from cdp_sync.importing.delta.watermarks import cut_unfinished_line, highest_time_step, note_watermarks
from cdp_sync.importing.reading.csv_header import check_columns
from cdp_sync.importing.reading.normalize import NormalizedPart, ReaderName
from cdp_sync.importing.reading.readers import READERS, stage_rows
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.archives import NO_ROOM, Part, naming, printable, unpack
from cdp_sync.importing.staging.columns import Columns, detected_properties, detected_warnings, plan_columns
from cdp_sync.importing.staging.detected_types import note_types
from cdp_sync.importing.staging.plan import (
    Cells,
    deferred_step,
    digest,
    hashed_fields,
    named_before,
    part_relation,
    processed_step,
    read_part,
    stage_step,
)
from cdp_sync.importing.staging.tables import create_tables
from cdp_sync.model import FetchedFile, FileReport, FileState, Format, ImportGoal
from cdp_sync.model.delta import Append, Delta, Window
from cdp_sync.model.processor import fields_after, fields_before, sources_of
from cdp_sync.private import private_folder
from cdp_sync.processing import Moment, Relation, drop_tables, process
from cdp_sync.warehouse import Session, Step, fixed
from cdp_sync.warehouse.ledger import KnownFile, known_files

Arrival = FetchedFile | FileReport
"""A file that arrived, or the report of one that did not."""


def stage_files(
    run: ImportRun, arrivals: Iterable[Arrival], known: Mapping[str, KnownFile] | None = None
) -> list[FileReport]:
    """Parse files into the staging table, in order; a file that cannot be parsed is reported as failed and left out.

    Each file is taken only when it is parsed, so that fetching may be lazy. `known` is what the ledger knows of their
    paths; it is looked up where it is not given.
    """
    private_folder(run.folder)
    for former in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        former.unlink(missing_ok=True)
    if known is None:
        with run.open("read") as session:
            known = known_files(session, run.connection, run.goal.name)
    with run.open("none") as session:
        # Rows stay here for seconds only: compressing them costs a seventh of parsing.
        session.set("force_compression", "uncompressed")
        create_tables(session, plan_columns(run.goal, run.profiles))
        session.set("TimeZone", run.goal.format.time_zone)
        return [_stage(session, run, arrival, known) for arrival in arrivals]


def _stage(session: Session, run: ImportRun, arrival: Arrival, known: Mapping[str, KnownFile]) -> FileReport:
    number = session.value("select count(*) from staging.file")
    before: KnownFile | None = None
    fields: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    arrived: tuple[object, ...] = (None, None, None)
    if isinstance(arrival, FileReport):
        report = arrival
    else:
        path, arrived = arrival.remote.path, (arrival.remote.size, arrival.remote.modified_at, arrival.sha256)
        before = known.get(path)
        if before and before.fingerprint == run.unchanged_under and before.sha256 == arrival.sha256:
            report = FileReport(path, FileState.UNCHANGED)
        else:
            report, fields, sources = _parse(session, run, arrival, before, number)
        note_watermarks(session, number, arrival)
    own = uuid5(NAMESPACE_URL, f"{run.connection}/{run.goal.name}/{report.path}")
    source = UUID(before.source) if before and before.source else own
    outcome = (report.state, report.message, list(report.warnings))
    session.execute(
        "insert into staging.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, false, false, ?)",
        [number, report.path, *arrived, source, list(fields), *outcome, list(sources) if run.goal.processors else None],
    )
    return report


def _parse(
    session: Session, run: ImportRun, fetched: FetchedFile, before: KnownFile | None, number: int
) -> tuple[FileReport, tuple[str, ...], tuple[str, ...]]:
    """Stage a file; return its report, the fields whose cells identify its rows, and those that they are made of."""
    try:
        warnings, fields, sources = _stage_parts(session, run, fetched, before, number)
        report = FileReport(fetched.remote.path, FileState.STAGED, warnings=tuple(dict.fromkeys(warnings)))
        return report, fields, sources
    except FileRejected as error:
        return FileReport(fetched.remote.path, FileState.FAILED, message=str(error)), (), ()
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull(
            "There is no room left on the disk for unpacked files.",
            remedy="Free some space and run again; nothing has landed.",
        ) from error


def _stage_parts(
    session: Session, run: ImportRun, fetched: FetchedFile, known: KnownFile | None, number: int
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    warnings: list[str] = []
    fields: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    for part, landed in _normalized(session, run, fetched, warnings.append):
        if landed is None:
            if fetched.without_keys and fetched.members:
                raise FileRejected(fetched.without_keys)
            member = printable(part.name.removeprefix(f"{fetched.remote.path}!"))
            warnings.append(f"{'The file' if part.name == fetched.remote.path else f'Its member {member}'} is empty.")
            continue
        with naming(part.name, fetched.remote.path):
            after, missing = processed_fields(run.goal, landed)
            note_types(session, run, landed, after, fetched.types)
            columns = plan_columns(run.goal, run.profiles, after, detected_properties(session))
            fields = hashed_fields(run.goal, columns)
            sources = sources_of(run.goal.processors, fields, (*landed.head.columns, *landed.constants))
            _stage_part(session, run, landed, columns, sources, known, file=number, delta=fetched.delta)
        read_as_before(session, run, part, fetched.reader, known, fields=sources, file=number)
        warnings += [*landed.warnings, *missing, *detected_warnings(run.goal, run.profiles, after)]
    _check_keys(session, run, fetched, number)
    rejected, staged = session.row(
        """select (select count(*) from staging.rejected where file = $file),
            (select count(*) from staging.staged where file = $file)""",
        {"file": number},
    )
    read, allowed = rejected + staged, run.goal.max_rejected_percent
    if rejected * 100 > allowed * read:
        raise FileRejected(
            f"More than {allowed:g} % of the rows were rejected: {rejected:,} of {read:,}.",
            needed="The file must be within the goal's error budget, max_rejected_percent.",
            remedy="Look at the quarantine, and have the file corrected.",
        )
    return warnings, fields, sources


def _check_keys(session: Session, run: ImportRun, fetched: FetchedFile, number: int) -> None:
    """Make sure that most rows have a key, where the source says that all should."""
    if not (fetched.without_keys and run.goal.row_key):
        return
    without, rows = session.row(
        "select count(*) filter (row_key is null), count(*) from staging.staged where file = ?", [number]
    )
    if without * 2 > rows:
        raise FileRejected(fetched.without_keys)


def processed_fields(goal: ImportGoal, landed: NormalizedPart) -> tuple[tuple[str, ...], list[str]]:
    """Return the fields of a part's rows after processors, and warnings about them."""
    if not goal.processors:
        return landed.head.columns, []
    before = tuple(name for name in landed.head.columns if name)
    constants = [name for name in fields_before(goal.processors) if name in landed.constants]
    after = fields_after(goal.processors, (*before, *constants))
    cells = dict.fromkeys((*before, *constants), "")
    for place, processor in enumerate(goal.processors, 1):
        Relation("", cells, 0).require(place, processor)
        cells |= dict.fromkeys(processor.settings.writes, "")
    return after, check_columns(replace(landed.head, columns=(*after, *landed.constants)), goal, "", processed=True)


def _normalized(
    session: Session, run: ImportRun, fetched: FetchedFile, warn: Callable[[str], None]
) -> Iterator[tuple[Part, NormalizedPart | None]]:
    folder = run.folder / "unpacked"
    private_folder(folder)
    try:
        further = (fetched.delta.time_field,) if isinstance(fetched.delta, Window) else ()
        if isinstance(fetched.delta, Append):
            cut_unfinished_line(fetched.local)
        whole = Part(fetched.remote.path, fetched.local, fetched.fields, fetched.members)
        packed = run.goal.may_be_packed
        for part in unpack(whole.name, whole.local, folder, run.goal, warn) if packed else [whole]:
            with naming(part.name, whole.name):
                landed = READERS[fetched.reader].normalize(session, part, run.goal, folder, further)
            yield part, replace(landed, constants=fetched.constants) if landed else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage_part(
    session: Session,
    run: ImportRun,
    landed: NormalizedPart,
    columns: Columns,
    sources: Sequence[str],
    known: KnownFile | None,
    *,
    file: int,
    delta: Delta,
) -> None:
    """Stage one part; `sources` are the fields of the part that identify its rows."""
    if run.goal.map_detected:
        create_tables(session, columns)
    part, first_row = session.row("select (select count(*) from staging.part), (select count(*) from staging.staged)")
    numbers = {"file": file, "part": part}

    def stage(landed: NormalizedPart) -> None:
        if run.goal.processors:
            step = _processed_step(session, run, columns, landed, sources, known)
        else:
            step = _stage_step(run, columns, landed, known)
        session.run([replace(step, values={**step.values, **numbers})])
        if run.goal.processors:
            drop_tables(session)
        if isinstance(delta, Window):
            session.run([highest_time_step(delta, landed, run.goal, file)])

    stage_rows(session, landed, run.goal.format, stage, file=file, number=part, first_row=first_row)


def _processed_step(
    session: Session,
    run: ImportRun,
    columns: Columns,
    landed: NormalizedPart,
    sources: Sequence[str],
    known: KnownFile | None,
) -> Step:
    """Process the rows of a part as far as that takes statements, and return the step that stages them."""
    relation = part_relation(run.goal, landed, sources, known.read_fields if known else None)
    relation = process(session, relation, run.goal.processors, Moment(run.moment))
    return processed_step(run.goal, columns, landed, relation)


def _stage_step(run: ImportRun, columns: Columns, landed: NormalizedPart, known: KnownFile | None) -> Step:
    goal = run.goal
    if (
        known
        and known.fingerprint == run.unchanged_under
        and known.fields == goal.row_fields == hashed_fields(goal, columns)
        and not goal.from_elsewhere  # the values of an enricher are merged into converted rows
        and set(goal.row_fields) <= set(landed.head.columns)
        and not (landed.survey.nuls or landed.survey.divided)
    ):
        return deferred_step(goal, landed)
    return stage_step(goal, columns, landed, known.read_fields if known else None)


def read_as_before(
    session: Session,
    run: ImportRun,
    part: Part,
    reader: ReaderName,
    known: KnownFile | None,
    *,
    fields: Sequence[str],
    file: int,
) -> None:
    """Read a part just staged once more as its previous import read it, where the declared format has changed since.

    Rows are remembered by digests of their cells. Read in another way the cells differ, but the lines are the same:
    each row finds its former digest by its line, in `staging.read_before`, and nothing is summed twice. The rows read
    as before go under a negative number of their file, which no step imports. `fields` are those that identify rows.
    """
    form = Format.model_validate_json(known.format) if known and known.format is not None else None
    if form is None or known is None or form.reading == run.goal.format.reading:
        return
    links = [{"field": name, "property": "_"} for name in known.read_fields]
    try:
        goal = ImportGoal(name="before", format=form, link=links)
        before_part = READERS[reader].normalize(session, part, goal, None, ())
    except FileRejected:
        return  # so it cannot have been imported
    if before_part is None:
        return
    number, first_row = session.row(
        "select (select max(part) from staging.part where file = $file), (select count(*) from staging.staged)",
        {"file": file},
    )
    before, again = -1 - file, number + 1

    def stage(read: NormalizedPart) -> None:
        call, values = read_part(read, form)
        cells = Cells(read.head.columns)
        row_hash = digest(named_before(known.read_fields, fields, cells.names), cells)
        sql = f"""insert into staging.staged by name
select $file as file, $part as part, {row_hash} as row_hash from {call}"""
        session.run([Step("staging.staged", sql, {**values, "file": before, "part": again})])

    try:
        stage_rows(session, before_part, form, stage, file=before, number=again, first_row=first_row)
    except FileRejected:
        return
    parts = {"part": number, "again": again}
    session.run([fixed("staging.read_before", "importing/delta/read_before", parts)])
    session.execute("delete from staging.rejected where file = ?", [before])
