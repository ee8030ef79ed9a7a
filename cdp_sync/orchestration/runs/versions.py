"""The versions that a run depends on: those that queue it and those that execute it have to be the same."""

from functools import cache
from importlib.metadata import version

import dagster as dg

from cdp_sync import __version__
from cdp_sync.errors import WrongVersion
from cdp_sync.orchestration.runs.run_tags import VERSIONS


@cache
def versions() -> str:
    """Return the versions of this machine, for people."""
    return f"cdp_sync {__version__} with DuckDB {version('duckdb')}"


def compare_versions(run: dg.DagsterRun) -> None:
    """Make sure that this machine has the versions of the one that queued a run; of other runs they are not known.

    Raises:
        WrongVersion: It has others.
    """
    queued_by = run.tags.get(VERSIONS) or versions()
    if queued_by != versions():
        raise WrongVersion(
            f"This machine has {versions()}.",
            needed=f"The run was queued by {queued_by}.",
            remedy="Install the same versions on all machines of the project, and run again.",
        )
