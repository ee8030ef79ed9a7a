"""What the log of a run leaves out: each event costs time and space, and hides others from those who read it."""

import logging

import dagster as dg

from cdp_sync.orchestration.dagster_internals import filter_run_log

_NOT_RUN = ("Dependencies for step ", ". Not executing.")
_OF_HANDLES = {
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.LOADED_INPUT,
    dg.DagsterEventType.STEP_INPUT,
}
"""Events that say how the output of a step is stored and read: a quarter of all events. STEP_OUTPUT is the record."""


def shorten_log(log: dg.DagsterLogManager) -> None:
    """Leave out the events of handles, and the errors of steps that do not run because an earlier step failed.

    Those errors are as red as the failure itself and stand after it: three of a goal whose server cannot be reached.
    """

    def is_kept(record: logging.LogRecord) -> bool:
        logged = getattr(record, "dagster_meta", {})
        event, message = logged.get("dagster_event"), logged.get("orig_message") or ""
        if event and event.event_type in _OF_HANDLES:
            return False
        return not (message.startswith(_NOT_RUN[0]) and message.endswith(_NOT_RUN[1]))

    filter_run_log(log, is_kept)
