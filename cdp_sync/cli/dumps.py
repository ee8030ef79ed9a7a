"""Commands that move a whole warehouse: warehouse dump, warehouse restore."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_sync.cli.options import AS_JSON, answer

if TYPE_CHECKING:
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.dumping import Manifest, Table

    Move = Callable[[Warehouse, Path, Callable[[Table], object]], Manifest]

_FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def warehouse() -> None:
    """Move the whole warehouse, such as from a file to a lake and back: dump it, then restore it elsewhere."""


@warehouse.command()
@_FOLDER
@AS_JSON
def dump(folder: Path, as_json: bool) -> None:
    """Write all tables to FOLDER, which must be empty or missing: Parquet files, and counts and digests of each.

    The files hold all data of all profiles. They are for their owner alone.
    """
    from cdp_sync.warehouse import dumping

    _move(dumping.dump, folder, "Dumped", as_json=as_json)


@warehouse.command()
@_FOLDER
@AS_JSON
def restore(folder: Path, as_json: bool) -> None:
    """Fill the warehouse, which must be empty or missing, from the dump in FOLDER, and verify counts and digests.

    All of it lands, or nothing.
    """
    from cdp_sync.warehouse import dumping

    _move(dumping.restore, folder, "Restored", as_json=as_json)


def _move(move: "Move", folder: Path, what: str, *, as_json: bool) -> None:
    from cdp_sync.orchestration.data_folder import project_warehouse
    from cdp_sync.terminal.dumps import print_manifest, show_tables

    with show_tables() as done:
        manifest = move(project_warehouse(), folder.absolute(), done)
    answer(
        manifest,
        lambda found: print_manifest(what, found),
        lambda found: {"folder": str(folder.absolute()), **found.to_json()},
        as_json=as_json,
    )


COMMANDS = (warehouse,)
