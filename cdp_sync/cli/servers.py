"""Commands that start servers: sandbox, demo, up."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cdp_sync.cli.options import PORT
from cdp_sync.sandbox.ports import ITERABLE, MAIL, SAILTHRU, SFTP, Served

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)


def _served(port: Served, what: str) -> Callable[[FC], FC]:
    return click.option(
        port.option, type=PORT, default=port.usual, envvar=port.variable, show_default=True, show_envvar=True,
        help=f"{what}; 0 picks a free one.",
    )  # fmt: skip


@click.command()
@_served(SFTP, "Of the SFTP server")
@_served(MAIL, "Of the mail server")
@_served(SAILTHRU, "Of Sailthru's API")
@_served(ITERABLE, "Of Iterable's API")
def sandbox(port: int, mail_port: int, sailthru_port: int, iterable_port: int) -> None:
    """Run SFTP with demonstration files, mail that shows what arrives, and the APIs of Sailthru and Iterable."""
    from cdp_sync.printing import say
    from cdp_sync.sandbox.extra import require_extra
    from cdp_sync.sandbox.servers import SandboxServers

    require_extra()
    with SandboxServers(
        port=port, mail_port=mail_port, sailthru_port=sailthru_port, iterable_port=iterable_port
    ) as servers:  # fmt: skip
        say(servers.summary, lines=True)
        servers.wait()


@click.command()
def demo() -> None:
    """Import demonstration files and a list, export segments, three times over, and show what happens."""
    from cdp_sync.sandbox.extra import require_extra

    require_extra()
    from cdp_sync.sandbox.demo.demo_script import play

    click.get_current_context().exit(play())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the UI listens.")
@click.option("--port", type=PORT, default=3000, show_default=True, help="Of the UI.")
@click.option("--sandbox/--no-sandbox", "with_sandbox", default=True, help="Also run the sandbox servers.")
def up(host: str, port: int, with_sandbox: bool) -> None:
    """Open the project in the Dagster UI, with the sandbox servers beside it, until Ctrl-C."""
    from cdp_sync.sandbox.extra import require_extra
    from cdp_sync.sandbox.servers import open_ui

    if with_sandbox:
        require_extra(otherwise=" Or leave them out: --no-sandbox.")
    click.get_current_context().exit(open_ui(port, host=host, with_sandbox=with_sandbox))


COMMANDS = (sandbox, demo, up)
