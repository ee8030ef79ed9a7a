"""The declarations as files, and the connections in them: read without Dagster, whose import takes seconds."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import Connection
from cdp_sync.model.reading import connections_in, names_in, slips_in, with_line
from cdp_sync.model.suggestion import one_of


def defs_folder() -> Path:
    """Return the folder that holds the declarations."""
    return Path(os.environ.get("CDP_SYNC_DEFS") or Path(__file__).parents[1] / "defs").absolute()


def refuse(file: Path, slips: Sequence[str]) -> None:
    """Raise one error for all slips in a file, if there are any.

    Raises:
        DeclarationError: Names the file, and every slip in it with its line.
    """
    if slips:
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = "".join(f"\n  {with_line(slip, text)}" for slip in slips)
        raise DeclarationError(f"{file.parent.name}/{file.name}:{lines}")


def read_declaration(file: Path) -> str:
    """Return the text of a defs.yaml without slips.

    Raises:
        DeclarationError: Names the file, and every slip in it with its line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        refuse(file, [f"line {line}: this is not UTF-8; save the file in this encoding"])
    refuse(file, slips_in(text))
    return text


def declared_names() -> list[str]:
    """Return the names of all connections, with slips or without; an unreadable file counts by its folder."""
    names = []
    for file in sorted(defs_folder().glob("*/defs.yaml")):
        try:
            names += names_in(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            names.append(file.parent.name)
    return names


def refuse_unknown(name: str | None, further: Iterable[str] = ()) -> None:
    """Make sure that there is a connection of this name, if one was asked for.

    Args:
        name: The name.
        further: Names that are known from before, such as those of connections that are no longer declared.

    Raises:
        UnknownName: Neither is there one, nor was there.
    """
    names = list(dict.fromkeys([*declared_names(), *further]))
    if name is not None and name not in names:
        raise UnknownName(f"There is no connection {name!r}.", needed=one_of(name, names))


def read_connections(name: str | None = None) -> tuple[Connection, ...]:
    """Return the connections as they are written, or the one of that name; templates in a server are not filled.

    Raises:
        DeclarationError: Tells of every slip in the first file that has any.
        UnknownName: There is no connection of that name.
    """
    found: list[Connection] = []
    for file in sorted(defs_folder().glob("*/defs.yaml")):
        found += connections_in(read_declaration(file))
    names = [connection.name for connection in found]
    if name is not None and name not in names:
        raise UnknownName(f"There is no connection {name!r}.", needed=one_of(name, names))
    return tuple(connection for connection in found if name in (None, connection.name))
