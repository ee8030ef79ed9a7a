"""Export goals of a connection that put files of the same names into the same directory: each replaces the other's."""

from collections.abc import Iterator

from cdp_sync.model.connection import Connection
from cdp_sync.model.export import ReplacedFile


def shared_files(connection: Connection) -> Iterator[str]:
    """Yield, in a sentence each, which goals write to one file. Names with the time of the run differ."""
    first: dict[ReplacedFile, str] = {}
    for goal in connection.exports:
        found = {first.setdefault(file, goal.name): file for file in goal.replaced_files}
        for other, file in found.items():
            if other != goal.name:
                yield (
                    f"{connection.name}: the goals {other} and {goal.name} both put a file {file.name!r} into "
                    f"{file.directory}, and each replaces the other's. Give them different names, or add the time: "
                    "`timestamp: true`."
                )
