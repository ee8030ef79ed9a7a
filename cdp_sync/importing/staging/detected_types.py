"""The types of detected properties, where the source knows those of their fields.

A property keeps the type of its column in the warehouse; a new one takes the type that its field has in the first file
of the run. A field of arrays becomes a `multiple` property; one with arrays and other values stays text, as does a
field that a processor writes.
"""

from collections.abc import Iterable, Mapping

from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import detected_mappings
from cdp_sync.model import Property
from cdp_sync.model.declared import PropertyType
from cdp_sync.model.processed_fields import written_by
from cdp_sync.warehouse import Session, stored_columns

_PRECISION, _SCALE = 38, 18
"""Of a detected decimal: a platform's doubles may have 17 digits, all of them after the point."""


def note_types(
    session: Session, run: ImportRun, landed: NormalizedPart, fields: Iterable[str], types: Mapping[str, PropertyType]
) -> None:
    """Note the type of each detected property that has none yet, given the fields of a part after processors."""
    known = {*run.records.by_name, *(name for (name,) in session.rows("select property from staging.detected_type"))}
    found = {
        each.property: each.field
        for each in detected_mappings(run.goal, run.records, fields)
        if each.property not in known
    }
    if not types or not found:
        return
    with run.warehouse.open("read") as stored:
        columns = stored_columns(stored, run.records.table)
    written = written_by(run.goal.processors, landed.head.columns)
    for name, field in found.items():
        new = Property(name=name) if field in written else _property(name, types.get(field), landed.arrays.get(field))
        session.execute("insert into staging.detected_type values (?, ?)", [name, columns.get(name, new.sql_type)])


def _property(name: str, kind: PropertyType | None, is_array: bool | None) -> Property:
    """Return the property of a field of this type; `is_array` says whether all its values are arrays, if some are."""
    if kind is None or is_array is False:
        return Property(name=name)
    return Property(name=name, type=kind, multiple=bool(is_array), precision=_PRECISION, scale=_SCALE)
