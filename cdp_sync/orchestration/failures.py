"""Failures and retries of steps: the errors of this package as Dagster shows them."""

from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError
from cdp_sync.retrying import Pauses, RetryPolicy

T = TypeVar("T")

_ATTEMPTS = 2
"""How often a step is tried on a transient error; connecting and downloading retry by themselves within an attempt."""
_PAUSE = 5.0
"""Seconds at most before the step is retried."""


def attempt(log: dg.DagsterLogManager, work: Callable[[], T], give_up: Callable[[CdpSyncError], None]) -> T:
    """Do a step's work, and retry it once on a transient error; call `give_up` before the step fails.

    Raises:
        dagster.Failure: No attempt succeeded. It says what was found, what was needed, what to do.
    """
    # Retried here: if Dagster retried the step, those of the next goal would run first.
    retry = RetryPolicy(_ATTEMPTS, Pauses(_PAUSE), fewer={}, log=log.warning)
    try:
        return retry.call(work)
    except CdpSyncError as error:
        give_up(error)
        parts = {"found": error.found, "what was needed": error.needed, "what to do": error.remedy}
        shown = {name: text for name, text in parts.items() if text}
        # The message is all that an operator needs; the traces, one for each cause, would hide it.
        raise dg.Failure(description=str(error), metadata=shown, allow_retries=False) from None
