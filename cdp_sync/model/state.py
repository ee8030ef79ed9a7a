"""The states of files and goals, by the words that tables, JSON and people see."""

from enum import StrEnum


class GoalState(StrEnum):
    """How a run of a goal ended."""

    SUCCESS = "success"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """The run ended before the goal did."""
    NOT_RUN = "not run"


class FileState(StrEnum):
    """What a scan says of a file, or a run did with it."""

    NEW = "new"
    CHANGED = "changed"
    STALE = "stale"
    """Its goal's declaration changed since it was imported."""
    AGAIN = "again"
    """Selected for another import by hand."""
    UNCHANGED = "unchanged"
    """The ledger knows its bytes."""
    GROWING = "growing"
    """Its size or time changed between two scans."""
    NOT_WHOLE = "not whole"
    """Its marker is missing."""
    CHANGING = "changing"
    """It changed while it was read."""
    VANISHED = "vanished"
    """It was listed and is gone."""
    STAGED = "staged"
    IMPORTED = "imported"
    RETRIED = "retried"
    """Rows of it that waited for a profile were tried again."""
    DELIVERED = "delivered"
    FAILED = "failed"
