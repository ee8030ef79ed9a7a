"""What a goal would make of a file's first rows: its fields, and how cells read that may not convert."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cdp_sync.errors import FileRejected
from cdp_sync.importing.columns import plan_columns
from cdp_sync.importing.conversion import convert, fit, has_value
from cdp_sync.importing.landing import Landed, land
from cdp_sync.importing.recognition import GZIP, HEAD, ZIP, recognize
from cdp_sync.importing.records import read_records
from cdp_sync.importing.staging_plan import Cells, read_part
from cdp_sync.importing.unpacking import Part, naming, unpack
from cdp_sync.importing.zip_head import first_member
from cdp_sync.model import ImportGoal, Profiles
from cdp_sync.warehouse import Session, Warehouse

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
class Preview:
    """A file's fields and how its first cells read."""

    path: str
    fields: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the preview as `scan --json` shows it."""
        return asdict(self)


def preview(path: str, head: bytes, goal: ImportGoal, profiles: Profiles, warehouse: Warehouse) -> Preview:
    """Return the preview of a file, given its first bytes."""
    warnings: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            part = _beginning(path, head, goal, Path(folder), warnings)
            with naming(part.name, path):
                landed = land(part, goal)
        except FileRejected as error:
            return Preview(path, message=str(error))
        except zlib.error as error:
            return Preview(path, message=f"The archive is damaged: {error}.")
        if landed is None:
            return Preview(path, message=" ".join(warnings or ["The file is empty."]))
        with warehouse.open("none") as session:
            session.define_functions()
            session.set("TimeZone", goal.format.time_zone)
            if not landed.survey.regular:
                read_records(session, landed, goal.format)
            readings = tuple(_readings(session, landed, goal, profiles))
    fields = landed.head.columns
    unmapped = tuple(field for field in fields if field not in goal.row_fields)
    return Preview(path, fields, unmapped, readings, " ".join((*warnings, *landed.warnings)))


def _beginning(path: str, head: bytes, goal: ImportGoal, folder: Path, warnings: list[str]) -> Part:
    """Write the first lines of the text that an import would read first."""
    local = folder / "head"
    local.write_bytes(head)
    name, text = path, head
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


def _readings(session: Session, landed: Landed, goal: ImportGoal, profiles: Profiles) -> Iterator[Reading]:
    cells = Cells(landed.head.columns)
    call, values = read_part(landed, goal.format)
    for value in plan_columns(goal, profiles).values:
        for field in value.fields:
            cell = cells.of(field)
            if cell is None or not (value.prop.type in _TYPES or value.prop.among):
                continue
            conversion = convert(value.prop, "fitted", goal.format)
            query = f"""
                select distinct on (cell) cell, ({conversion.sql})::varchar, {conversion.reason_sql}
                from (select {cell} as cell, {fit(value.prop, cell, goal.format)} as fitted from {call})
                where {has_value(value.prop, "fitted", goal.format)} limit {_SAMPLE}"""
            for found, read, reason in session.rows(query, values):
                yield Reading(field, value.prop.name, found, read, "" if read is not None else reason)
