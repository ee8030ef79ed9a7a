"""What the UI shows of a goal's run: numbers it can plot, tables a person can read. Profiles by id, never by value."""

import dagster as dg

from cdp_sync.model import COUNTERS, EXPORT_COUNTERS, ExportReport, FileReport, GoalReport, ProfileSample

_FILE_COLUMNS = ("rows_read", "rows_applied", "rows_unchanged", "rows_rejected", "values_invalid")


def metadata_of(report: GoalReport) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a materialization."""
    counters = {name: dg.MetadataValue.int(getattr(report.counters, name)) for name in COUNTERS}
    tables = {"files": _files(report.files), "quarantine": _quarantine(report.reasons)}
    shown: dict[str, dg.MetadataValue] = {
        "summary": dg.MetadataValue.text(report.message),
        **{name: table for name, table in tables.items() if table.records},
        **({"last profiles": _profiles(report.samples)} if report.samples else {}),
        **counters,
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
    }
    totals = {"dagster/row_count": report.profiles_total, "profiles_ever_imported": report.profiles_ever_imported}
    return shown | _known(totals)


def export_metadata_of(report: ExportReport) -> dict[str, dg.MetadataValue]:
    """Return the metadata of an export's materialization."""
    counters = {name: dg.MetadataValue.int(getattr(report.counters, name)) for name in EXPORT_COUNTERS}
    return {
        "summary": dg.MetadataValue.text(report.message),
        **_delivered(report),
        **({"not deliverable": _quarantine(report.reasons)} if report.reasons else {}),
        "eligible": dg.MetadataValue.int(report.counters.eligible),
        **counters,
        "dagster/row_count": dg.MetadataValue.int(report.counters.profiles_written),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        **_known({"profiles_ever_exported": report.profiles_ever_exported}),
    }


def _known(totals: dict[str, int | None]) -> dict[str, dg.MetadataValue]:
    return {name: dg.MetadataValue.int(total) for name, total in totals.items() if total is not None}


def _delivered(report: ExportReport) -> dict[str, dg.MetadataValue]:
    if report.path is None:
        return {}
    return {"file": dg.MetadataValue.text(report.path), "bytes": dg.MetadataValue.int(report.size)}


def _files(files: tuple[FileReport, ...]) -> dg.TableMetadataValue:
    columns = [dg.TableColumn("file"), dg.TableColumn("state")]
    columns += [dg.TableColumn(_words(name), type="int") for name in _FILE_COLUMNS]
    columns += [dg.TableColumn("remarks")]
    return dg.MetadataValue.table([_file(file) for file in files], schema=dg.TableSchema(columns=columns))


def _file(file: FileReport) -> dg.TableRecord:
    numbers = {_words(name): getattr(file.counters, name) for name in _FILE_COLUMNS}
    remarks = " ".join(part for part in (file.message, *file.warnings) if part)
    return dg.TableRecord({"file": file.name, "state": file.state, **numbers, "remarks": remarks})


def _words(name: str) -> str:
    return name.removeprefix("rows_").replace("_", " ")


def _profiles(samples: tuple[ProfileSample, ...]) -> dg.MetadataValue:
    lines = [
        f"- `{sample.profile_id}` {sample.kind}" + (f": {', '.join(sample.properties)}" if sample.properties else "")
        for sample in samples
    ]
    return dg.MetadataValue.md("\n".join(lines))


def _quarantine(reasons: tuple[tuple[str, int], ...]) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn("times", type="int"), dg.TableColumn("reason")])
    records = [dg.TableRecord({"times": times, "reason": reason}) for reason, times in reasons]
    return dg.MetadataValue.table(records, schema=schema)
