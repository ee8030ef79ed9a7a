"""Rows from a file to profiles: scan, parse, link, upsert. Knows no Dagster and no server's protocol."""

from cdp_sync.importing.applying import upsert_profiles
from cdp_sync.importing.fetching import fetch_files
from cdp_sync.importing.linking import link_identifiers
from cdp_sync.importing.parsing import stage_files
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.scanning import Scan, ScannedFile, scan_directory

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
