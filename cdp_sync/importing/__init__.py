"""Rows from a file to profiles: scan, parse, link, upsert. Knows no Dagster and no server's protocol."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.scanning import Scan, ScannedFile, fetch_files, scan_directory

if TYPE_CHECKING:
    from cdp_sync.importing.pipeline import (
        count_retried,
        import_files,
        import_people,
        link_identifiers,
        parse_files,
        upsert_profiles,
    )
    from cdp_sync.importing.sources.profiles import fetch_profiles

__all__ = [
    "ImportRun",
    "Scan",
    "ScannedFile",
    "count_retried",
    "fetch_files",
    "fetch_profiles",
    "import_files",
    "import_people",
    "link_identifiers",
    "parse_files",
    "scan_directory",
    "stage_files",
    "upsert_profiles",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Import the pipeline when it is asked for: a run that finds nothing new needs neither parser nor plans."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module("cdp_sync.importing.pipeline"), name)
