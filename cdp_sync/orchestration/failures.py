"""Our errors in Dagster's words."""

import time

import dagster as dg

from cdp_sync.errors import CdpSyncError

ATTEMPTS = 2
"""How often a step is tried where an error may pass; connecting and downloading have attempts of their own in that."""

_PAUSE = 5.0


def pause() -> None:
    """Wait before the next attempt.

    The step itself waits: if Dagster tried it again, the steps of the next goal would overtake it meanwhile.
    """
    time.sleep(_PAUSE)


def failure(error: CdpSyncError) -> dg.Failure:
    """Return the failure that the UI shows: what was found, what was needed, what to do."""
    told = {"found": error.found, "what was needed": error.needed, "what to do": error.remedy}
    metadata = {name: dg.MetadataValue.text(text) for name, text in told.items() if text}
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)
