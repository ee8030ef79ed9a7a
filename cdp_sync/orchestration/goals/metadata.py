"""What the UI shows of a goal's run: numbers it can plot, tables a person can read. Profiles by id, never by value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from cdp_sync.model import (
    COUNTERS,
    EVENT_COUNTERS,
    EXPORT_COUNTERS,
    Counters,
    EventExportReport,
    ExportReport,
    FileReport,
    ImportReport,
)

_FILE_COLUMNS = ("file", "state", "rows", "remarks")
"""Few and narrow: the UI cuts off a table that is wider than its page, and what stands below it at the same width."""


_COUNTERS = "counters"
REPORT = "report"
"""What is mailed of a strict import."""
_FILES_SHOWN = 50

Metadata = dict[str, Any]
"""By name: plain values, and tables and Markdown as Dagster's."""


def metadata_of(report: ImportReport) -> Metadata:
    """Return the metadata of a materialization."""
    samples = [
        f"- `{sample.profile_id}` {sample.kind}" + (f": {', '.join(sample.properties)}" if sample.properties else "")
        for sample in report.samples
    ]
    totals = {"dagster/row_count": report.records_total, "profiles_ever_imported": report.profiles_ever_imported}
    return {
        "summary": report.message,
        **failure_metadata_of(report),
        **({f"last {report.noun}s": dg.MetadataValue.md("\n".join(samples))} if samples else {}),
        **asdict(report.counters),
        "seconds": round(report.seconds, 3),
        **{name: total for name, total in totals.items() if total is not None},
    }


def failure_metadata_of(report: ImportReport) -> Metadata:
    """Return what a goal that failed shows below its message: its files, and why rows did not land."""
    tables = {"files": _files(report.files), "quarantine": reasons_table(report.reasons)}
    lines = {REPORT: dg.MetadataValue.md("\n\n".join(report.lines))} if report.lines else {}
    return {**lines, **{name: table for name, table in tables.items() if table.records}}


def lines_in(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines of a strict import's report, of what Dagster kept of metadata."""
    found = metadata.get(REPORT)
    return tuple(str(found.value).split("\n\n")) if found else ()


def idle_metadata_of(report: ImportReport | ExportReport | EventExportReport) -> Metadata:
    """Return the metadata of an observation: of a run that found nothing to do. Nothing in it is plotted."""
    files = failure_metadata_of(report) if isinstance(report, ImportReport) else {}
    own = {**_warnings(report), **_cap_ends(report)} if isinstance(report, ExportReport) else {}
    counters = {**asdict(report.counters), "seconds": round(report.seconds, 3)}
    return {"summary": report.message, **files, **own, _COUNTERS: counters}


def export_metadata_of(report: ExportReport | EventExportReport) -> Metadata:
    """Return the metadata of an export's materialization."""
    reasons = {"not deliverable": reasons_table(report.reasons)} if report.reasons else {}
    if isinstance(report, EventExportReport):
        return {
            "summary": report.message,
            "files": _delivered(report.files),
            "bytes": sum(size for _, size, _ in report.files),
            **({"files removed": len(report.removed)} if report.removed else {}),
            **reasons,
            **asdict(report.counters),
            "dagster/row_count": report.counters.events_written,
            "seconds": round(report.seconds, 3),
        }
    totals = {"profiles_taken_off": report.profiles_taken_off, "profiles_ever_exported": report.profiles_ever_exported}
    return {
        "summary": report.message,
        **_warnings(report),
        **({"file": report.path, "bytes": report.size} if report.path is not None else {}),
        **reasons,
        **_cap_ends(report),
        "eligible": report.counters.eligible,
        **asdict(report.counters),
        "dagster/row_count": report.counters.profiles_written,
        "seconds": round(report.seconds, 3),
        **{name: total for name, total in totals.items() if total is not None},
    }


def _warnings(report: ExportReport) -> Metadata:
    return {"warnings": " ".join(report.warnings)} if report.warnings else {}


def _cap_ends(report: ExportReport) -> Metadata:
    """Return when the first and the last cap end, where profiles are capped."""
    named = zip(("first cap ends", "last cap ends"), report.capped_until or (), strict=False)
    return {name: dg.MetadataValue.timestamp(moment) for name, moment in named}


def values_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of what Dagster kept of `metadata_of`, `export_metadata_of` or `idle_metadata_of`."""
    values = {name: value.value for name, value in metadata.items()}
    return values | (values.get(_COUNTERS) or {})


def counters_in(metadata: Mapping[str, Any]) -> dict[str, int]:
    """Return the counters in it."""
    known = {*COUNTERS, *EXPORT_COUNTERS, *EVENT_COUNTERS}
    return {name: int(value) for name, value in values_in(metadata).items() if name in known}


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


def _delivered(files: Sequence[tuple[str, int, int]]) -> dg.TableMetadataValue:
    """Return files with their bytes and rows as a table: the latest ones of many."""
    schema = dg.TableSchema([dg.TableColumn("file"), *(dg.TableColumn(name, type="int") for name in ("bytes", "rows"))])
    shown = files[-_FILES_SHOWN:]
    records = [
        dg.TableRecord({"file": path.rpartition("/")[2], "bytes": size, "rows": rows}) for path, size, rows in shown
    ]
    return dg.MetadataValue.table(records, schema=schema)


def _rows(counters: Counters) -> str:
    """Return how a file's rows ended, in words.

    >>> _rows(Counters(rows_read=3, rows_applied=2, rows_rejected=1, values_invalid=4))
    '3 read: 2 applied, 1 rejected; values invalid: 4'
    """
    if not counters.rows_read:
        return ""
    invalid = f"; values invalid: {counters.values_invalid:,}" if counters.values_invalid else ""
    return f"{counters.rows_read:,} read: {counters.in_words()}{invalid}"


def reasons_table(reasons: Sequence[tuple[str, int]]) -> dg.TableMetadataValue:
    """Return reasons, and how often each occurred, as a table."""
    schema = dg.TableSchema(columns=[dg.TableColumn("times", type="int"), dg.TableColumn("reason")])
    records = [dg.TableRecord({"times": times, "reason": reason}) for reason, times in reasons]
    return dg.MetadataValue.table(records, schema=schema)


def reasons_in(metadata: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the reasons in it, and how often each occurred."""
    tables = (metadata.get(name) for name in ("quarantine", "not deliverable"))
    rows = (record.data for table in tables if isinstance(table, dg.TableMetadataValue) for record in table.records)
    return tuple((str(row["reason"]), int(str(row["times"]))) for row in rows)
