"""The `cdp-sync` command: everything the UI can do, for terminals and programs.

A module for each group of commands. They import what a command needs when it runs: Dagster's import alone takes a
second.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

from cdp_sync import __version__
from cdp_sync.cli import analytics, declarations, dumps, history, learning, merging, running, scoring, servers
from cdp_sync.errors import CdpSyncError, UnknownName
from cdp_sync.orchestration.project_folder import enter_project

# Pydantic would look for plugins in every installed package, which takes a tenth of the time of `check`.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class _Group(click.Group):
    """Shows our errors as one paragraph, without a traceback unless one is asked for."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except CdpSyncError as error:
            if ctx.params.get("debug"):
                raise
            from cdp_sync.printing import print_error

            print_error(str(error))
            ctx.exit(2 if isinstance(error, UnknownName) else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """Keeps customer profiles in step with the outside world."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the shell, as by `>&-`
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
    if context.invoked_subcommand != "init":
        enter_project()


for module in (declarations, running, learning, history, analytics, merging, scoring, dumps, servers):
    for command in module.COMMANDS:
        main.add_command(command)
