"""Rows from a file to profiles: scan, parse, link, upsert. Knows no Dagster and no server's protocol."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdp_sync.importing.pipeline import count_retried as count_retried
    from cdp_sync.importing.pipeline import fetch_profiles as fetch_profiles
    from cdp_sync.importing.pipeline import import_files as import_files
    from cdp_sync.importing.pipeline import import_people as import_people
    from cdp_sync.importing.pipeline import link_identifiers as link_identifiers
    from cdp_sync.importing.pipeline import parse_files as parse_files
    from cdp_sync.importing.pipeline import stage_files as stage_files
    from cdp_sync.importing.pipeline import upsert_profiles as upsert_profiles

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sources.fetching import fetch_files
from cdp_sync.importing.sources.scanning import Scan, ScannedFile, scan_directory

__all__ = ["GoalRun", "Scan", "ScannedFile", "fetch_files", "scan_directory"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Import the pipeline when it is asked for: a run that finds nothing new needs neither parser nor plans."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(import_module("cdp_sync.importing.pipeline"), name)
