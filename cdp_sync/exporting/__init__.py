"""Profiles of a segment to a file: select, write, deliver, record. Knows no Dagster and no server's protocol."""

from cdp_sync.exporting.delivering import DeliveredFile, deliver_file
from cdp_sync.exporting.preview import ExportPreview, preview_export
from cdp_sync.exporting.recording import record_delivery, record_failure
from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.selecting import select_segment
from cdp_sync.exporting.writing import LocalFile, write_file

__all__ = [
    "DeliveredFile",
    "ExportPreview",
    "ExportRun",
    "LocalFile",
    "deliver_file",
    "preview_export",
    "record_delivery",
    "record_failure",
    "select_segment",
    "write_file",
]
