"""The declarations as files, and the connections in them: read without Dagster, whose import takes seconds."""

import os
from collections.abc import Sequence
from pathlib import Path

from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import Connection
from cdp_sync.model.reading import connections_in, slips_in


def defs_folder() -> Path:
    """Return the folder that holds the declarations."""
    return Path(os.environ.get("CDP_SYNC_DEFS") or Path(__file__).parents[1] / "defs").absolute()


def refuse(file: Path, slips: Sequence[str]) -> None:
    """Raise one error for all slips in a file, if there are any.

    Raises:
        DeclarationError: Names the file and every slip in it.
    """
    if slips:
        raise DeclarationError(f"{file.parent.name}/{file.name}:" + "".join(f"\n  {slip}" for slip in slips))


def read_connections(name: str | None = None) -> tuple[Connection, ...]:
    """Return the connections as they are written, or the one of that name; templates in a server are not filled.

    Raises:
        DeclarationError: Tells of every slip in the first file that has any.
        UnknownName: There is no connection of that name.
    """
    found: list[Connection] = []
    for file in sorted(defs_folder().glob("*/defs.yaml")):
        text = file.read_text(encoding="utf-8")
        refuse(file, slips_in(text))
        found += connections_in(text)
    names = [connection.name for connection in found]
    if name is not None and name not in names:
        raise UnknownName(
            f"There is no connection {name!r}.", needed=f"One of: {', '.join(names) or 'none is declared'}."
        )
    return tuple(connection for connection in found if name in (None, connection.name))
