"""The command that begins a project: init."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a project of your own into FOLDER. Overwrites nothing."""
    from cdp_sync.calling import call
    from cdp_sync.printing import say
    from cdp_sync.scaffold.project import write_project

    for file in write_project(folder):
        say(f"  {file}")
    say(f"\nThe project is in {folder}. In that folder, look at README.md first, then: {call('check')}", lines=True)


COMMANDS = (init,)
