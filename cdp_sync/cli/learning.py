"""The command that learns a file for a strict import: learn."""

from pathlib import Path

import click

from cdp_sync.cli.options import AS_JSON, CONNECTION, GOAL, LOCAL_FILE, answer


@click.command()
@CONNECTION
@click.argument("file", type=LOCAL_FILE)
@GOAL
@click.option("--empty", multiple=True, metavar="COLUMN", help="A column whose cells may be empty. May be repeated.")
@AS_JSON
def learn(connection: str, file: Path, goal: str | None, empty: tuple[str, ...], as_json: bool) -> None:
    """Learn FILE for a strict import: its columns, type and separator, and where cells may be empty.

    Later files have to be like it. Cells may be empty in the columns that have an empty cell in FILE.
    """
    from cdp_sync.learning import Learned
    from cdp_sync.learning import learn as learn_file
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal import print_learned

    found = learn_file(load_declarations(), connection, goal, file, empty)
    answer(found, print_learned, Learned.to_json, as_json=as_json)


COMMANDS = (learn,)
