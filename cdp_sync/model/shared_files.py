"""Export goals of a connection that put files of the same names into the same directory: each replaces the other's."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from cdp_sync.model.connection import Connection
from cdp_sync.model.event_export import GOAL_AND_TIMESTAMP, EventExportGoal
from cdp_sync.model.export import SEGMENT_AND_TIMESTAMP, FileExportGoal

_Name = tuple[PurePosixPath, str, str, str, bool]
"""Directory, declared name, packing, the type of event that follows the name, and whether a day does."""


def shared_files(connection: Connection) -> Iterator[str]:
    """Yield, in a sentence each, which goals write to one file. Names with the time of the run differ."""
    first: dict[_Name, str] = {}
    for goal in connection.exports:
        found = {first.setdefault(name, goal.name): name for name in _names(goal)}
        for other, (directory, name, *_) in found.items():
            if other != goal.name:
                yield (
                    f"{connection.name}: the goals {other} and {goal.name} both put a file {name!r} into {directory}, "
                    "and each replaces the other's. Give them different names, or add the time: `timestamp: true`."
                )


def _names(goal: object) -> Iterator[_Name]:
    """Yield the names of the files that every run of a goal replaces."""
    types: tuple[str, ...] = ("",)
    if isinstance(goal, FileExportGoal):
        timed, by_day = goal.file.timestamp or goal.file.name == SEGMENT_AND_TIMESTAMP, False
    elif isinstance(goal, EventExportGoal):
        timed, by_day = goal.has_timestamp or goal.file.name == GOAL_AND_TIMESTAMP, goal.by_day
        types = goal.events if goal.by_type else types
    else:
        return
    if not timed:
        yield from (
            (PurePosixPath(goal.directory), goal.file.name, goal.file.compress, type_, by_day) for type_ in types
        )
