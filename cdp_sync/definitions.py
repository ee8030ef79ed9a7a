"""What Dagster loads: the declared project."""

import dagster as dg

from cdp_sync.orchestration.project import load_project


@dg.definitions
def defs() -> dg.Definitions:
    """Load the project."""
    return load_project()
