"""Rows from a file to profiles: scan, parse, link, upsert. Knows no Dagster and no server's protocol.

What a run needs that finds nothing new stands here; the pipeline, with its parser and plans, is imported where it runs.
"""

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.scanning import Scan, ScannedFile, fetch_files, scan_directory
