"""Which files on a server a goal is about, by their names. Case counts, as it does there."""

import fnmatch

from cdp_sync.model.goal import FileGoal, ImportGoal
from cdp_sync.model.name_pattern import compile_pattern

TEMPORARY_PREFIXES = (".", "~")
TEMPORARY_SUFFIXES = (
    ".part", ".filepart", ".partial", ".tmp", ".temp", ".crdownload", ".inprogress", ".uploading", ".lock",
)  # fmt: skip
"""Names that senders give to files they have not finished."""


def matches(name: str, goal: FileGoal) -> bool:
    """Return whether the goal names the file, and it is not called like one that its sender has not finished."""
    if name.startswith(TEMPORARY_PREFIXES) or name.lower().endswith(TEMPORARY_SUFFIXES):
        return False
    return names_file(name, goal)


def names_file(name: str, goal: ImportGoal) -> bool:
    """Return whether the goal's pattern names a file."""
    if not isinstance(goal, FileGoal):
        return True
    if goal.files_regex is not None:
        return compile_pattern(goal.files_regex).fullmatch(name) is not None
    return goal.files is None or fnmatch.fnmatchcase(name, goal.files)
