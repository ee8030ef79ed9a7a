"""The command that learns a file for a strict import: learn."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_sync.cli.options import AS_JSON, CONNECTION, GOAL, LOCAL_FILE, answer

if TYPE_CHECKING:
    from cdp_sync.learning import Learned


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

    found = learn_file(load_declarations(), connection, goal, file, empty)
    answer(found, _show, Learned.to_json, as_json=as_json)


def _show(learned: "Learned") -> None:
    from cdp_sync.printing import print_table, say

    file = learned.file
    say((f"{learned.connection}/{learned.goal}", "bold"), f"  {file.type}, separator {file.separator!r}")
    print_table(
        ("column", "may be empty"), [(each, "yes" if each in file.may_be_empty else "") for each in file.columns]
    )


COMMANDS = (learn,)
