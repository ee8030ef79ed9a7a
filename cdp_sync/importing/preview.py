"""What a goal would make of a file's first rows: its fields, and how cells read that may not convert."""

import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cdp_sync.errors import FileRejected
from cdp_sync.importing.columns import plan_columns
from cdp_sync.importing.conversion import convert, fit
from cdp_sync.importing.landing import Landed, land
from cdp_sync.importing.records import read_records
from cdp_sync.importing.staging_plan import Cells, read_part
from cdp_sync.importing.unpacking import Part
from cdp_sync.model import ImportGoal, Profiles
from cdp_sync.warehouse import Session, Warehouse

_SAMPLE = 5
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
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "head"
        try:
            local.write_bytes(_whole_lines(_unpacked(path, head), goal))
            landed = land(Part(path, local), goal)
        except FileRejected as error:
            return Preview(path, message=str(error))
        except zlib.error as error:
            return Preview(path, message=f"The archive is damaged: {error}.")
        if landed is None:
            return Preview(path, message="The file is empty.")
        with warehouse.open("none") as session:
            session.set("TimeZone", goal.format.time_zone)
            if not landed.survey.regular:
                read_records(session, landed, goal.format)
            readings = tuple(_readings(session, landed, goal, profiles))
    fields = landed.head.columns
    unmapped = tuple(field for field in fields if field not in goal.fields)
    return Preview(path, fields, unmapped, readings, " ".join(landed.warnings))


def _unpacked(path: str, head: bytes) -> bytes:
    if path.lower().endswith(".gz"):
        return zlib.decompressobj(wbits=31).decompress(head)
    if path.lower().endswith(".zip"):
        if not head.startswith(b"PK\3\4"):
            raise zlib.error("it does not begin as a zip archive does")
        packed = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little") + 30
        method = int.from_bytes(head[8:10], "little")
        return zlib.decompressobj(wbits=-15).decompress(head[packed:]) if method == 8 else head[packed:]
    return head


def _whole_lines(text: bytes, goal: ImportGoal) -> bytes:
    """Cut the text behind its last whole line; a short file without a line break is whole."""
    codec = goal.format.codec
    if goal.format.encoding == "utf-16":
        decoded = codec.incrementaldecoder(errors="replace").decode(text)
        return codec.encode(decoded[: decoded.rfind("\n") + 1] or decoded)[0]
    return text[: text.rfind(b"\n") + 1] or text


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
                select distinct on (cell) cell, ({conversion.sql})::varchar
                from (select {cell} as cell, {fit(value.prop, cell, goal.format)} as fitted from {call})
                where cell is not null limit {_SAMPLE}"""
            for found, read in session.rows(query, values):
                yield Reading(field, value.prop.name, found, read, "" if read is not None else conversion.reason)
