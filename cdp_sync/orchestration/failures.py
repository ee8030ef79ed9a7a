"""Our errors in Dagster's words: transient ones are tried again, terminal ones are not."""

import dagster as dg

from cdp_sync.errors import CdpSyncError

RETRIES = 2
"""How often a step is tried again; connecting and downloading have attempts of their own before that."""

_PAUSE = 5.0


def retry() -> dg.RetryRequested:
    """Return the request to try the step again."""
    return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=_PAUSE)


def failure(error: CdpSyncError) -> dg.Failure:
    """Return the failure that the UI shows: what was found, what was needed, what to do."""
    told = {"found": error.found, "what was needed": error.needed, "what to do": error.remedy}
    metadata = {name: dg.MetadataValue.text(text) for name, text in told.items() if text}
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)
