"""Parses the files that arrived into the run's staging table."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import NAMESPACE_URL, UUID, uuid5

from cdp_sync.errors import NO_ROOM, DiskFull, FileRejected
from cdp_sync.importing.delta.watermarks import cut_unfinished_line, highest_time_step, note_watermarks
from cdp_sync.importing.reading.csv_header import check_columns
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.readers import RAW_LIMIT, READERS, WHOLE, stage_rows
from cdp_sync.importing.reading.slices import slices
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.archives import Part, naming, printable, unpack
from cdp_sync.importing.staging.cells import Cells, digest, named_before
from cdp_sync.importing.staging.columns import Columns, detected_properties, detected_warnings, plan_columns
from cdp_sync.importing.staging.detected_types import note_types
from cdp_sync.importing.staging.plan import (
    deferred_step,
    hashed_fields,
    part_relation,
    processed_step,
    read_part,
    stage_step,
)
from cdp_sync.importing.staging.tables import add_columns, create_tables
from cdp_sync.model import Append, FetchedFile, FileReport, FileState, Format, ImportGoal, Window
from cdp_sync.model.processed_fields import fields_after, fields_before, sources_of
from cdp_sync.private import private_folder
from cdp_sync.processing import Moment, Relation, drop_tables, process
from cdp_sync.warehouse import KnownFile, Session, Step, fixed, known_files

_ALL = 100.0
"""The error budget, in percent, that no file exceeds."""

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
    if isinstance(arrival, FetchedFile) and arrival.growing and arrival.remote.path in known:
        arrival = _complete(arrival)
    if isinstance(arrival, FileReport):
        report = arrival
    else:
        path = arrival.remote.path
        before = known.get(path)
        if before and before.fingerprint == run.unchanged_under and before.sha256 == arrival.sha256:
            report = FileReport(path, FileState.UNCHANGED)
        else:
            file = _File(session, run, arrival, before, number)
            report, fields, sources = file.parse(), file.fields, file.sources
        note_watermarks(session, number, arrival)
        if arrival.growing and report.state == FileState.STAGED:
            arrival = arrival.complete()
        if not arrival.growing:
            arrived = (arrival.remote.size, arrival.remote.modified_at, arrival.sha256)
    own = uuid5(NAMESPACE_URL, f"{run.connection}/{run.goal.name}/{report.path}")
    source = UUID(before.source) if before and before.source else own
    outcome = (report.state, report.message, list(report.warnings))
    session.execute(
        "insert into staging.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, false, false, ?)",
        [number, report.path, *arrived, source, list(fields), *outcome, list(sources) if run.goal.processors else None],
    )
    return report


def _complete(file: FetchedFile) -> Arrival:
    """Return a file when all of it is there: its checksum says whether it is known already."""
    try:
        return file.complete()
    except FileRejected as error:
        return FileReport(file.remote.path, FileState.FAILED, message=str(error))


@dataclass
class _File:
    """A file that is parsed into the staging table."""

    session: Session
    run: ImportRun
    fetched: FetchedFile
    known: KnownFile | None
    """Its previous import."""
    number: int
    warnings: list[str] = field(default_factory=list)
    fields: tuple[str, ...] = ()
    """Those whose cells identify its rows."""
    sources: tuple[str, ...] = ()
    """Those that these are made of."""

    def parse(self) -> FileReport:
        path = self.fetched.remote.path
        try:
            self._stage_parts()
            return FileReport(path, FileState.STAGED, warnings=tuple(dict.fromkeys(self.warnings)))
        except FileRejected as error:
            self.fields = self.sources = ()
            return FileReport(path, FileState.FAILED, message=str(error))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise DiskFull(
                "There is no room left on the disk for unpacked files.",
                remedy="Free some space and run again; nothing has landed.",
            ) from error

    def _stage_parts(self) -> None:
        path, goal, profiles = self.fetched.remote.path, self.run.goal, self.run.profiles
        for part, landed in self._normalized():
            if landed is None:
                if self.fetched.without_keys and self.fetched.members:
                    raise FileRejected(self.fetched.without_keys)
                member = printable(part.name.removeprefix(f"{path}!"))
                self.warnings.append(f"{'The file' if part.name == path else f'Its member {member}'} is empty.")
                continue
            with naming(part.name, path):
                if goal.expected:
                    goal.expected.check_part(part.name, landed.head.columns, goal.reading(path).format)
                after, missing = processed_fields(goal, landed)
                note_types(self.session, self.run, landed, after, self.fetched.types)
                columns = plan_columns(goal, profiles, after, detected_properties(self.session))
                self.fields = hashed_fields(goal, columns)
                self.sources = sources_of(goal.processors, self.fields, (*landed.head.columns, *landed.constants))
                self._stage_part(landed, columns)
            self._read_as_before(part)
            self.warnings += [*landed.warnings, *missing, *detected_warnings(goal, profiles, after)]
        self._check_keys()
        self._check_budget()

    def _check_budget(self) -> None:
        """Make sure that few rows are rejected: lines that are no rows, and rows that are for nothing."""
        allowed = self.run.goal.max_rejected_percent
        lines, rows, useless = self.session.row(
            f"""select (select count(*) from staging.rejected where file = $file), count(*), count({self._useless})
            from staging.staged
            where file = $file""",
            {"file": self.number},
        )
        read, rejected = lines + rows, lines + useless
        if rejected * 100 > allowed * read:
            useless_rows = fixed(
                "staging.rejected", "importing/staging/useless", {"file": self.number}, why=self._useless
            )
            self.session.run([useless_rows])
            raise FileRejected(
                f"More than {allowed:g} % of the rows were rejected: {rejected:,} of {read:,}.",
                needed="The file must be within the goal's error budget, max_rejected_percent.",
                remedy="Look at the quarantine, and have the file corrected.",
            )

    @cached_property
    def _useless(self) -> str:
        """The expression for why a staged row can be for nothing, as far as there is an error budget to judge that."""
        goal = self.run.goal
        if goal.max_rejected_percent >= _ALL:
            return "null"
        keyless = "when row_key is null then 'no value in the fields of row_key'" if goal.row_key else ""
        usable = plan_columns(goal, self.run.profiles).is_usable
        eventless = f"when not {usable} then 'it holds no usable event'" if usable else ""
        return f"case when filtered = 1 then null {keyless} {eventless} end" if keyless or eventless else "null"

    def _check_keys(self) -> None:
        """Make sure that most rows have a key, where the source says that all should."""
        if not (self.fetched.without_keys and self.run.goal.row_key):
            return
        query = "select count(*) filter (row_key is null), count(*) from staging.staged where file = ?"
        without, rows = self.session.row(query, [self.number])
        if without * 2 > rows:
            raise FileRejected(self.fetched.without_keys)

    def _normalized(self) -> Iterator[tuple[Part, NormalizedPart | None]]:
        fetched, folder = self.fetched, private_folder(self.run.folder / "unpacked")
        goal = self.run.goal.reading(fetched.remote.path)
        further = (fetched.delta.time_field,) if isinstance(fetched.delta, Window) else ()
        if isinstance(fetched.delta, Append):
            cut_unfinished_line(fetched.local)
        how = (fetched.fields, fetched.members, fetched.within, fetched.growing)
        whole = Part(fetched.remote.path, fetched.local, *how)
        reader = READERS[fetched.reader]
        parts: Iterable[Part] = [whole]
        if goal.may_be_packed:
            parts = unpack(whole.name, whole.local, folder, goal, self.warnings.append)
        elif reader.in_slices:
            parts = slices(whole, goal, folder)
        slices_with_rows: set[bool] = set()
        try:
            for part in parts:
                with naming(part.name, whole.name):
                    landed = reader.normalize(self.session, part, goal, folder, further)
                if landed or not part.is_slice:
                    yield part, replace(landed, constants=fetched.constants) if landed else None
                if part.is_slice:
                    slices_with_rows.add(landed is not None)
            if slices_with_rows == {False}:
                yield whole, None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _stage_part(self, landed: NormalizedPart, columns: Columns) -> None:
        session, run, delta = self.session, self.run, self.fetched.delta
        part, first_row = session.row(
            "select (select count(*) from staging.part), (select count(*) from staging.staged)"
        )

        def stage(landed: NormalizedPart) -> None:
            step = self._stage_step(columns, landed)
            session.run([replace(step, values={**step.values, "file": self.number, "part": part})])
            if run.goal.processors:
                drop_tables(session)
            if isinstance(delta, Window):
                session.run([highest_time_step(delta, landed, run.goal, self.number)])

        kept = WHOLE if run.goal.expected else RAW_LIMIT
        stage_rows(
            session, landed, run.goal.format, stage, file=self.number, number=part, first_row=first_row, kept=kept
        )

    def _stage_step(self, columns: Columns, landed: NormalizedPart) -> Step:
        """Return the step that stages a part, whose rows are processed by then as far as that takes statements."""
        goal, known = self.run.goal, self.known
        if goal.processors:
            add_columns(self.session, columns)
            relation = part_relation(goal, landed, self.sources, known.read_fields if known else None)
            relation = process(self.session, relation, goal.processors, Moment(self.run.moment))
            return processed_step(goal, columns, landed, relation)
        if (
            known
            and known.fingerprint == self.run.unchanged_under
            and known.fields == goal.row_fields == self.fields
            and not goal.from_elsewhere  # the values of an enricher are merged into converted rows
            and set(goal.row_fields) <= set(landed.head.columns)
            and not (landed.survey.nuls or landed.survey.divided)
            and not (columns.events_alone and goal.max_rejected_percent < _ALL)  # judged once they are converted
        ):
            return deferred_step(goal, landed)
        add_columns(self.session, columns)
        return stage_step(goal, columns, landed, known.read_fields if known else None)

    def _read_as_before(self, part: Part) -> None:
        """Read a part just staged once more as its previous import did, where the declared format has changed since.

        Rows are remembered by digests of their cells. Read in another way the cells differ, but the lines are the same:
        each row finds its former digest by its line, in `staging.read_before`, and nothing is summed twice. The rows
        read as before go under a negative number of their file, which no step imports.
        """
        session, known = self.session, self.known
        form = Format.model_validate_json(known.format) if known and known.format is not None else None
        if form is None or known is None or form.reading == self.run.goal.format.reading:
            return
        links = [{"field": name, "property": "_"} for name in known.read_fields]
        number, first_row = session.row(
            "select (select max(part) from staging.part where file = $file), (select count(*) from staging.staged)",
            {"file": self.number},
        )
        before, again = -1 - self.number, number + 1

        def stage(read: NormalizedPart) -> None:
            call, values = read_part(read, form)
            cells = Cells(read.head.columns)
            row_hash = digest(named_before(known.read_fields, self.sources, cells.names), cells)
            sql = f"""insert into staging.staged by name
select $file as file, $part as part, {row_hash} as row_hash from {call}"""
            session.run([Step("staging.staged", sql, {**values, "file": before, "part": again})])

        try:
            goal = ImportGoal(name="before", format=form, link=links)
            read = READERS[self.fetched.reader].normalize(session, part, goal, None, ())
            if read is None:
                return
            stage_rows(session, read, form, stage, file=before, number=again, first_row=first_row)
        except FileRejected:
            return  # so it cannot have been imported
        parts = {"part": number, "again": again}
        session.run([fixed("staging.read_before", "importing/delta/read_before", parts)])
        session.execute("delete from staging.rejected where file = ?", [before])


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
