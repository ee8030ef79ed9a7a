"""Keeps the log of a failed run to what happened.

Dagster logs an error for each step that does not run because an earlier one failed. They are as red as the failure
itself and stand after it: of a goal whose server cannot be reached, three.
"""

import logging

import dagster as dg

_NOT_RUN = ("Dependencies for step ", ". Not executing.")


class _OnlyWhatRan(logging.Filter):
    """Drops what Dagster logs of a step that does not run."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is kept."""
        message = getattr(record, "dagster_meta", {}).get("orig_message") or ""
        return not (message.startswith(_NOT_RUN[0]) and message.endswith(_NOT_RUN[1]))


def silence_abandoned_steps(log: dg.DagsterLogManager) -> None:
    """Let the steps of a run that do not run say nothing.

    Dagster has no setting for it, and its log of each step is an object of its own. What they share are the handlers
    that write to the run's history, and the loggers that print. Where another version of Dagster keeps them elsewhere,
    those errors are back.
    """
    for step_handler in log.handlers:
        for shared in ("_handlers", "_loggers"):
            for target in getattr(step_handler, shared, ()):
                target.addFilter(_OnlyWhatRan())
