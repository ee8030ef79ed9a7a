"""Failures and retries of steps: the errors of this package as Dagster shows them."""

import time
from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, Transient

T = TypeVar("T")

ATTEMPTS = 2
"""How often a step is tried on a transient error; connecting and downloading retry by themselves within an attempt."""

_PAUSE = 5.0
"""Seconds before the step is retried."""


def failure(error: CdpSyncError) -> dg.Failure:
    """Return the failure that the UI shows: what was found, what was needed, what to do."""
    parts = {"found": error.found, "what was needed": error.needed, "what to do": error.remedy}
    shown = {name: text for name, text in parts.items() if text}
    return dg.Failure(description=str(error), metadata=shown, allow_retries=False)


def attempt(log: dg.DagsterLogManager, work: Callable[[], T], give_up: Callable[[CdpSyncError], None]) -> T:
    """Do a step's work, and retry it once on a transient error; call `give_up` before the step fails.

    Raises:
        dagster.Failure: No attempt succeeded.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            return work()
        except CdpSyncError as error:
            if not (isinstance(error, Transient) and left):
                give_up(error)
                # The message is all that an operator needs; the traces, one for each cause, would hide it.
                raise failure(error) from None
            log.warning(f"{error} Trying again.")
            time.sleep(_PAUSE)  # here: if Dagster retried the step, those of the next goal would run first
    raise AssertionError  # the last attempt returns or raises
