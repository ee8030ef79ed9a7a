"""What several commands have in common: arguments, options, and answers for people or for programs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from cdp_sync.cli.completion import complete_connections, complete_goals

if TYPE_CHECKING:
    from cdp_sync.warehouse import Warehouse

T = TypeVar("T")

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Answer for programs.")
CONNECTION = click.argument("connection", shell_complete=complete_connections)
ANY_CONNECTION = click.argument("connection", required=False, shell_complete=complete_connections)
GOAL = click.option("--goal", shell_complete=complete_goals, help="One goal only.")
COUNT = click.IntRange(1, 1_000_000)
PORT = click.IntRange(0, 65535)


def answer(found: T, show: Callable[[T], None], to_json: Callable[[T], object], *, as_json: bool) -> None:
    """Show what was found to people, or print for programs what `to_json` makes of it."""
    from cdp_sync.printing import print_json

    if as_json:
        print_json(to_json(found))
    else:
        show(found)


def warehouse() -> "Warehouse":
    """Return the project's warehouse; where there is none yet, say where it was looked for."""
    from cdp_sync.orchestration.data_folder import project_warehouse
    from cdp_sync.printing import errors, say

    found = project_warehouse()
    if not found.path.exists():
        say(f"There is no warehouse yet: {found.path} is not there.", to=errors)
    return found


def end(*, fine: bool) -> NoReturn:
    """End the command with its status: 0 where all is fine, otherwise 1."""
    click.get_current_context().exit(0 if fine else 1)
