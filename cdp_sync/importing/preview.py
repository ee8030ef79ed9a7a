"""What a goal would make of a file's first rows: its fields, and how cells read that may not convert."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.errors import FileRejected
from cdp_sync.importing.converting.conversion import convert, fit, has_value
from cdp_sync.importing.reading.normalize import NormalizedPart, ReaderName
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.reading.recognition import GZIP, HEAD, ZIP, recognize
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.archives import NothingSeen, Part, first_member, naming, unpack
from cdp_sync.importing.staging.columns import plan_columns
from cdp_sync.importing.staging.parsing import processed_fields, stage_files
from cdp_sync.importing.staging.plan import part_relation
from cdp_sync.model import FetchedFile, ImportGoal, Profiles, RemoteFile
from cdp_sync.processing import Moment, Relation, process
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.properties import type_problems

_SAMPLE = 5
_MOST = 4 << 20
"""Bytes that the beginning of an archive is unpacked to."""
_TYPES = ("number", "decimal", "date", "datetime", "boolean")


@dataclass(frozen=True)
class Reading:
    """How one cell reads."""

    field: str
    property: str
    cell: str
    value: str | None
    """The value as text; None where the cell does not convert."""
    reason: str = ""


@dataclass(frozen=True)
class ProcessedRows:
    """The first rows at a place in the chain of processors."""

    after: str
    """The processor's place and name; empty: before the first one."""
    fields: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    kept: tuple[bool, ...]
    """Whether each of them is still there."""


@dataclass(frozen=True)
class Preview:
    """A file's fields, how its first cells read, and whether an import would refuse it."""

    path: str
    fields: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    processing: tuple[ProcessedRows, ...] = ()
    """The first rows as they are read, and then after each processor."""
    message: str = ""
    refused: bool | None = None
    """None where its beginning shows no reason, and the rest of it was not read."""

    def to_json(self) -> dict[str, Any]:
        """Return the preview as `scan --json` shows it."""
        return asdict(self)


def preview(
    path: str,
    head: bytes,
    goal: ImportGoal,
    profiles: Profiles,
    warehouse: Warehouse,
    *,
    whole: bool = False,
    stored: Mapping[str, str] | None = None,
    reader: ReaderName = "csv",
) -> Preview:
    """Return the preview of a file at `path` of a server, given its first bytes. No warehouse is opened.

    `whole` says that these are all of its bytes: then it is parsed as an import would parse it. `stored` are the
    columns of the warehouse and their types, which new properties have to agree with. `reader` reads the file.
    """
    if goal.format.is_workbook and not whole:
        return Preview(path, message="A workbook can only be read as a whole; an import does that.")
    shown = _from_beginning(path, head, goal, profiles, warehouse, reader)
    reasons: list[str] = []
    if not shown.refused:
        records, added = (
            goal.records(profiles),
            (value.prop for value in plan_columns(goal, profiles, shown.fields).values),
        )
        new = [prop for prop in added if prop.name not in records.by_name]
        reasons = [str(problem) for problem in type_problems(records, stored or {}, new)]
        reasons += _refusal(path, head, goal, profiles, warehouse, reader) if whole else []
    if reasons:
        return replace(shown, refused=True, message=" ".join(filter(None, (*reasons, shown.message))))
    return replace(shown, refused=False) if whole and shown.refused is None else shown


def _from_beginning(
    path: str,
    head: bytes,
    goal: ImportGoal,
    profiles: Profiles,
    warehouse: Warehouse,
    reader: ReaderName,
) -> Preview:
    warnings: list[str] = []
    with tempfile.TemporaryDirectory() as folder, warehouse.open("none") as session:
        session.define_functions()
        session.set("TimeZone", goal.format.time_zone)
        fields: tuple[str, ...] = ()
        try:
            part = _beginning(path, head, goal, Path(folder), warnings)
            with naming(part.name, path):
                landed = READERS[reader].normalize(session, part, goal, Path(folder), ())
                if landed is None:
                    return Preview(path, message=" ".join(warnings or ["The file is empty."]))
                fields, missing = processed_fields(goal, landed)
                plan_columns(goal, profiles, fields)
            if not landed.survey.regular:
                with suppress(FileRejected):  # the trailer may not be in the beginning
                    READERS[reader].read(session, landed, goal.format)
            relation, processing = _process(session, landed, goal)
        except NothingSeen as error:
            return Preview(path, message=str(error))
        except FileRejected as error:
            return Preview(path, fields, message=str(error), refused=True)
        except zlib.error as error:
            return Preview(path, message=f"The archive is damaged: {error}.", refused=True)
        readings = tuple(_readings(session, relation, goal, profiles))
    unmapped = tuple(field for field in fields if field not in goal.row_fields)
    return Preview(path, fields, unmapped, readings, processing, " ".join((*warnings, *landed.warnings, *missing)))


def _process(session: Session, landed: NormalizedPart, goal: ImportGoal) -> tuple[Relation, tuple[ProcessedRows, ...]]:
    """Let processors change the rows; return them, and the first ones after each."""
    relation = part_relation(goal, landed, landed.head.columns, None)
    seen: list[ProcessedRows] = []

    def look(after: str, now: Relation) -> None:
        cells = ", ".join(now.cells.values())
        rows = session.rows(f"select {now.kept}, {cells} from {now.source} limit {_SAMPLE}", now.values)
        seen.append(ProcessedRows(after, now.fields, tuple(row[1:] for row in rows), tuple(row[0] for row in rows)))

    if goal.processors and relation.cells:
        look("", relation)
    done = process(
        session,
        relation,
        goal.processors,
        Moment(datetime.now(UTC)),
        watch=lambda place, processor, now: look(f"{place} {processor.name}", now),
    )
    return done, tuple(seen)


def _refusal(
    path: str,
    content: bytes,
    goal: ImportGoal,
    profiles: Profiles,
    warehouse: Warehouse,
    reader: ReaderName,
) -> list[str]:
    """Parse a file as an import does; return why that refuses it, if it does."""
    remote = RemoteFile(datetime.now(UTC), path, len(content))
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, "file")
        local.write_bytes(content)
        run = ImportRun(
            "scan", "scan", goal, profiles, warehouse, Path(folder, "staging.duckdb"), Path(folder, "parts")
        )
        reports = stage_files(run, [FetchedFile(remote, local, "", reader=reader)], {})
    return [report.message for report in reports if report.state == "failed"]


def _beginning(path: str, head: bytes, goal: ImportGoal, folder: Path, warnings: list[str]) -> Part:
    """Write the first lines of the text that an import would read first."""
    local = folder / "head"
    local.write_bytes(head)
    name, text = path, head
    if goal.format.is_workbook:
        return next(unpack(path, local, folder, goal, warnings.append))
    if head.startswith(ZIP) and zipfile.is_zipfile(local):  # the head is all of it
        part = next(unpack(path, local, folder, goal, warnings.append), None)
        name, text = (part.name, part.local.read_bytes()) if part else (path, b"")
    elif head.startswith(ZIP):
        member = first_member(head, goal)
        name, text = f"{path}!{member.name}", member.content(_MOST)
    elif head.startswith(GZIP):
        text = zlib.decompressobj(wbits=31).decompress(head, _MOST)
    with naming(name, path):
        if kind := recognize(text[:HEAD], goal.format.encoding):
            raise kind.refusal("The file" if text is head else "The content of the archive")
    local.write_bytes(_whole_lines(text, goal))
    return Part(name, local)


def _whole_lines(text: bytes, goal: ImportGoal) -> bytes:
    """Cut the text after its last whole line; a short file without a line break is whole."""
    if goal.format.encoding == "utf-8":
        return text[: text.rfind(b"\n") + 1] or text
    codec = goal.format.codec
    try:
        decoded = codec.incrementaldecoder().decode(text)  # of a letter that is cut, the first bytes are left out
    except UnicodeError:
        return text  # an import fails, and says why
    return codec.encode(decoded[: decoded.rfind("\n") + 1] or decoded)[0]


def _readings(session: Session, relation: Relation, goal: ImportGoal, profiles: Profiles) -> Iterator[Reading]:
    call = relation.source if relation.kept == "true" else f"{relation.source} where {relation.kept}"
    columns = plan_columns(goal, profiles)
    shown = [(value.prop.name, value) for value in columns.values]
    for event in columns.events:
        shown += [(f"{event.declared.name}.{value.prop.name}", value) for value in event.converted]
    for name, value in shown:
        for field in value.fields:
            cell = relation.cells.get(field)
            if cell is None or not (value.prop.type in _TYPES or value.prop.among):
                continue
            conversion = convert(value.prop, "fitted", goal.format)
            query = f"""
                select distinct on (cell) cell, ({conversion.sql})::varchar, {conversion.reason_sql}
                from (select {cell} as cell, {fit(value.prop, cell, goal.format)} as fitted from (select * from {call}))
                where {has_value(value.prop, "fitted", goal.format)} limit {_SAMPLE}"""
            for found, read, reason in session.rows(query, relation.values):
                yield Reading(field, name, found, read, "" if read is not None else reason)
