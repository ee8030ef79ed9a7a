"""What the UI shows of a goal's run: numbers it can plot, tables a person can read. Profiles by id, never by value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from cdp_sync.model import (
    COUNTERS,
    EXPORT_COUNTERS,
    Counters,
    ExportReport,
    FileReport,
    ImportReport,
    ProfileSample,
)

_FILE_COLUMNS = ("file", "state", "rows", "remarks")
"""Few and narrow: the UI cuts off a table that is wider than its page, and what stands below it at the same width."""


def metadata_of(report: ImportReport) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a materialization."""
    counters = {name: dg.MetadataValue.int(getattr(report.counters, name)) for name in COUNTERS}
    shown: dict[str, dg.MetadataValue] = {
        "summary": dg.MetadataValue.text(report.message),
        **failure_metadata_of(report),
        **({"last profiles": _profiles(report.samples)} if report.samples else {}),
        **counters,
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
    }
    totals = {"dagster/row_count": report.profiles_total, "profiles_ever_imported": report.profiles_ever_imported}
    return shown | _known(totals)


def failure_metadata_of(report: ImportReport) -> dict[str, dg.MetadataValue]:
    """Return what a goal that failed shows below its message: its files, and why rows did not land."""
    tables = {"files": _files(report.files), "quarantine": reasons_table(report.reasons)}
    return {name: table for name, table in tables.items() if table.records}


def idle_metadata_of(report: ImportReport | ExportReport) -> dict[str, dg.MetadataValue]:
    """Return the metadata of an observation: of a run that found nothing to do. Nothing in it is plotted."""
    files = failure_metadata_of(report) if isinstance(report, ImportReport) else {}
    return {
        "summary": dg.MetadataValue.text(report.message),
        **files,
        _COUNTERS: dg.MetadataValue.json({**asdict(report.counters), "seconds": round(report.seconds, 3)}),
    }


_COUNTERS = "counters"


def values_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of what `metadata_of`, `export_metadata_of` or `idle_metadata_of` returned."""
    values = {name: value.value for name, value in metadata.items()}
    return values | (values.get(_COUNTERS) or {})


def counters_in(metadata: Mapping[str, Any]) -> dict[str, int]:
    """Return the counters in it."""
    known = {*COUNTERS, *EXPORT_COUNTERS}
    return {name: int(value) for name, value in values_in(metadata).items() if name in known}


def export_metadata_of(report: ExportReport) -> dict[str, dg.MetadataValue]:
    """Return the metadata of an export's materialization."""
    counters = {name: dg.MetadataValue.int(getattr(report.counters, name)) for name in EXPORT_COUNTERS}
    delivered: dict[str, dg.MetadataValue] = {}
    if report.path is not None:
        delivered = {"file": dg.MetadataValue.text(report.path), "bytes": dg.MetadataValue.int(report.size)}
    return {
        "summary": dg.MetadataValue.text(report.message),
        **delivered,
        **({"not deliverable": reasons_table(report.reasons)} if report.reasons else {}),
        "eligible": dg.MetadataValue.int(report.counters.eligible),
        **counters,
        "dagster/row_count": dg.MetadataValue.int(report.counters.profiles_written),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        **_known(
            {"profiles_taken_off": report.profiles_taken_off, "profiles_ever_exported": report.profiles_ever_exported}
        ),
    }


def _known(totals: dict[str, int | None]) -> dict[str, dg.MetadataValue]:
    return {name: dg.MetadataValue.int(total) for name, total in totals.items() if total is not None}


def _files(files: tuple[FileReport, ...]) -> dg.TableMetadataValue:
    records = []
    for file in files:
        remarks = " ".join(part for part in (file.message, *file.warnings) if part)
        rows = _rows(file.counters)
        records.append({"file": file.name, "state": str(file.state), "rows": rows, "remarks": remarks})
    names = [name for name in _FILE_COLUMNS if name == "file" or any(record[name] for record in records)]
    schema = dg.TableSchema([dg.TableColumn(name) for name in names])
    shown = [dg.TableRecord({name: record[name] for name in names}) for record in records]
    return dg.MetadataValue.table(shown, schema=schema)


def _rows(counters: Counters) -> str:
    """Return how a file's rows ended, in words.

    >>> _rows(Counters(rows_read=3, rows_applied=2, rows_rejected=1, values_invalid=4))
    '3 read: 2 applied, 1 rejected; values invalid: 4'
    """
    if not counters.rows_read:
        return ""
    invalid = f"; values invalid: {counters.values_invalid:,}" if counters.values_invalid else ""
    return f"{counters.rows_read:,} read: {counters.in_words()}{invalid}"


def _profiles(samples: tuple[ProfileSample, ...]) -> dg.MetadataValue:
    lines = [
        f"- `{sample.profile_id}` {sample.kind}" + (f": {', '.join(sample.properties)}" if sample.properties else "")
        for sample in samples
    ]
    return dg.MetadataValue.md("\n".join(lines))


def reasons_table(reasons: Sequence[tuple[str, int]]) -> dg.TableMetadataValue:
    """Return reasons, and how often each occurred, as a table."""
    schema = dg.TableSchema(columns=[dg.TableColumn("times", type="int"), dg.TableColumn("reason")])
    records = [dg.TableRecord({"times": times, "reason": reason}) for reason, times in reasons]
    return dg.MetadataValue.table(records, schema=schema)
