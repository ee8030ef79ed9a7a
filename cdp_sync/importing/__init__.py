"""Rows from a file to profiles: scan, parse, link, upsert. Knows no Dagster and no server's protocol."""

from cdp_sync.importing.linking.linking import link_identifiers
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sources.fetching import fetch_files
from cdp_sync.importing.sources.scanning import Scan, ScannedFile, scan_directory
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.upserting.upsert import upsert_profiles

__all__ = [
    "GoalRun",
    "Scan",
    "ScannedFile",
    "fetch_files",
    "link_identifiers",
    "scan_directory",
    "stage_files",
    "upsert_profiles",
]
