"""The `cdp-sync` command: everything the UI can do, for terminals and programs.

Dagster is imported only by the commands that need it; its import alone takes seconds.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cdp_sync import __version__
from cdp_sync.errors import CdpSyncError, UnknownName
from cdp_sync.sandbox.ports import MAIL, SAILTHRU, SFTP, Served

if TYPE_CHECKING:
    from cdp_sync.orchestration.runs.launch import Order

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Answer for programs.")
_GOAL = click.option("--goal", help="One goal only.")
_COUNT = click.IntRange(1, 1_000_000)
_PORT = click.IntRange(0, 65535)


def _served(port: Served, what: str) -> Callable[[FC], FC]:
    """Return the option of the port that a server of the sandbox listens on."""
    return click.option(
        port.option, type=_PORT, default=port.usual, envvar=port.variable, show_default=True, show_envvar=True,
        help=f"{what}; 0 picks a free one.",
    )  # fmt: skip


def _not_empty(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty text: a variable that is not set would otherwise stand for everything."""
    if value == "":
        raise click.BadParameter("it is empty; a pattern is needed, such as '*'.", context, option)
    return value


class _Group(click.Group):
    """Shows our errors as one paragraph, without a traceback unless one is asked for."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except CdpSyncError as error:
            if ctx.params.get("debug"):
                raise
            from cdp_sync.terminal import print_error

            print_error(str(error))
            ctx.exit(2 if isinstance(error, UnknownName) else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Keeps customer profiles in step with the outside world."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the shell, as by `>&-`
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good


@main.command()
@click.argument("connection", required=False)
def check(connection: str | None) -> None:
    """Check the declarations; with CONNECTION also reach its server: list directories, or try each endpoint."""
    from cdp_sync.checking import check_project
    from cdp_sync.model.counting import counted
    from cdp_sync.printing import say
    from cdp_sync.terminal import print_error

    findings = check_project()
    for note in findings.notes:
        say(note)
    for problem in findings.problems:
        print_error(problem)
    found = findings.declarations
    if findings.problems or found is None:
        click.get_current_context().exit(1)
    parts = (
        counted(len(found.connections), "connection"),
        counted(len(found.profiles.properties), "property", "properties"),
        counted(len(found.profiles.segments), "segment"),
    )
    say(f"{', '.join(parts)}: all in order.")
    if connection:
        from cdp_sync.inspection import reach

        results = list(reach(found.connection(connection)))
        for sentence, _ in results:
            say(sentence)
        click.get_current_context().exit(0 if all(fine for _, fine in results) else 1)


@main.command()
@click.argument("connection")
@_GOAL
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Files to look into, per goal."
)
@_AS_JSON
def scan(connection: str, goal: str | None, limit: int, as_json: bool) -> None:
    """Look at a connection's files (state, fields, how cells read, what a run refuses) or lists. Imports nothing."""
    from cdp_sync.inspection import look
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_look

    found = load_declarations()
    looks = [look(found, connection, each, limit=limit) for each in found.goals(connection, goal)]
    if as_json:
        print_json({"connection": connection, "goals": [each.to_json() for each in looks]})
    else:
        for each in looks:
            print_look(each)
    click.get_current_context().exit(0 if all(each.listed for each in looks) else 1)


@main.command()
@click.argument("connection")
@_GOAL
@click.option(
    "--files", metavar="PATTERN", callback=_not_empty, help="Import only files whose names match this wildcard."
)
@click.option("--again", is_flag=True, help="Also import files that have not changed since. What is summed stays so.")
@_AS_JSON
def run(connection: str, goal: str | None, files: str | None, again: bool, as_json: bool) -> None:
    """Run a connection now, or one goal of it. The run stands in the UI's history."""
    from cdp_sync.orchestration.runs.launch import Order

    _run(Order(connection, goal, files, again), as_json=as_json)


def _run(order: "Order", *, as_json: bool) -> None:
    """Carry out an order, show what came of it, and end with its status."""
    from cdp_sync.orchestration.project import load_connection
    from cdp_sync.orchestration.runs.launch import launch
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import TerminalProgress, print_error, print_goal

    with TerminalProgress() as progress:
        outcome = launch(load_connection(order.connection), order, progress)
    if as_json:
        goals = [report.to_json() for report in outcome.goals]
        told = {"run_id": outcome.run_id, "state": outcome.state, "seconds": round(outcome.seconds, 3)}
        told["message"] = outcome.message
        print_json({**told, "goals": goals})
    else:
        for report in outcome.goals:
            print_goal(report)
        if outcome.message:
            print_error(outcome.message)
    click.get_current_context().exit(0 if outcome.state == "success" else 1)


@main.command()
@click.argument("connection")
@click.option("--goal", required=True, help="The export goal.")
@click.option("--preview", is_flag=True, help="Show what would be delivered; deliver nothing.")
@_AS_JSON
def export(connection: str, goal: str, preview: bool, as_json: bool) -> None:
    """Run one export goal, or with --preview only look at what it would deliver."""
    if not preview:
        from cdp_sync.orchestration.runs.launch import Order

        _run(Order(connection, goal, exports=True), as_json=as_json)
    from cdp_sync.inspection import look_at_export
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_export_preview

    found = look_at_export(load_declarations(), connection, goal)
    if as_json:
        print_json(found.to_json())
    else:
        print_export_preview(found)


@main.command()
@click.argument("name")
@_AS_JSON
def segment(name: str, as_json: bool) -> None:
    """Show a segment: its size, some of its profiles, and the SQL that finds them."""
    from cdp_sync.inspection import look_at_segment
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_segment

    found = look_at_segment(load_declarations(), name)
    if as_json:
        print_json(asdict(found))
    else:
        print_segment(name, found)


@main.command()
@click.argument("connection", required=False)
@click.option("--limit", type=_COUNT, default=20, show_default=True, help="How many.")
@click.option("--upcoming", is_flag=True, help="Show the next runs instead, soonest first.")
@click.option(
    "--run",
    "run_id",
    metavar="RUN_ID",
    help="One run only, by its id or 8 characters of it, with the last profiles it changed.",
)
@click.option("--profiles", is_flag=True, help="With the last profiles that were created and updated: personal data.")
@_AS_JSON
def runs(connection: str | None, limit: int, upcoming: bool, run_id: str | None, profiles: bool, as_json: bool) -> None:
    """Show the latest runs, newest first, and how many profiles came and went; with --upcoming those to come."""
    if upcoming:
        _show_upcoming(connection, limit, as_json=as_json)
        return
    from cdp_sync.orchestration.data_folder import data_folder
    from cdp_sync.orchestration.declaration_files import refuse_unknown
    from cdp_sync.orchestration.runs.history import past_runs
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_history
    from cdp_sync.warehouse import Warehouse

    warehouse = Warehouse(data_folder().warehouse)
    found = past_runs(warehouse, connection, limit, run_id=run_id, profiles=profiles or run_id is not None)
    if not found.runs and not found.data_exchange:
        refuse_unknown(connection)
    if as_json:
        print_json(found.to_json())
    else:
        print_history(found)


def _show_upcoming(connection: str | None, limit: int, *, as_json: bool) -> None:
    from cdp_sync.model.upcoming import upcoming_runs
    from cdp_sync.orchestration.declaration_files import read_connections
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_upcoming

    coming = list(islice(upcoming_runs(read_connections(connection), datetime.now(UTC)), limit))
    if as_json:
        print_json([run.to_json() for run in coming])
    else:
        print_upcoming(coming)


@main.command()
@click.argument("value")
@_AS_JSON
def profile(value: str, as_json: bool) -> None:
    """Show the profiles that VALUE names: an identifier's value, or a profile's id."""
    from cdp_sync.orchestration.data_folder import data_folder
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_profile
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.history import profiles_named

    with Warehouse(data_folder().warehouse).open("read") as session:
        found = profiles_named(session, value)
    if not found:
        raise UnknownName("No live profile has this identifier or id.")
    if as_json:
        print_json(found)
    else:
        for each in found:
            print_profile(each)


@main.command()
@click.argument("connection", required=False)
@click.option("--limit", type=_COUNT, default=50, show_default=True, help="How many.")
@_AS_JSON
def quarantine(connection: str | None, limit: int, as_json: bool) -> None:
    """Show what could not land, and why: of each file as it was last read."""
    from cdp_sync.orchestration.data_folder import data_folder
    from cdp_sync.orchestration.declaration_files import refuse_unknown
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_quarantine
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.history import connections_of_runs, quarantined

    with Warehouse(data_folder().warehouse).open("read") as session:
        if connection is not None:
            refuse_unknown(connection, connections_of_runs(session))
        total, found = quarantined(session, connection, limit)
    if as_json:
        print_json({"total": total, "rows": found})
    else:
        print_quarantine(total, found)


@main.command()
@_served(SFTP, "Of the SFTP server")
@_served(MAIL, "Of the mail server")
@_served(SAILTHRU, "Of Sailthru's API")
def sandbox(port: int, mail_port: int, sailthru_port: int) -> None:
    """Run SFTP with demonstration files, mail that shows what arrives, and Sailthru's API, until Ctrl-C."""
    from cdp_sync.printing import say
    from cdp_sync.sandbox.extra import require_extra
    from cdp_sync.sandbox.servers import Stage

    require_extra()
    with Stage(port=port, mail_port=mail_port, sailthru_port=sailthru_port) as stage:
        say(stage.told, lines=True)
        stage.wait()


@main.command()
def demo() -> None:
    """Import demonstration files and a list, export segments, three times over, and show what happens."""
    from cdp_sync.sandbox.extra import require_extra

    require_extra()
    from cdp_sync.sandbox.demo.demo_script import play

    click.get_current_context().exit(play())


@main.command()
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Of the UI.")
@click.option("--sandbox/--no-sandbox", "with_sandbox", default=True, help="Also run the sandbox servers.")
def up(port: int, with_sandbox: bool) -> None:
    """Open the project in the Dagster UI, with the sandbox servers beside it, until Ctrl-C."""
    from cdp_sync.sandbox.extra import require_extra
    from cdp_sync.sandbox.servers import open_ui

    if with_sandbox:
        require_extra(otherwise=" Or leave them out: --no-sandbox.")
    click.get_current_context().exit(open_ui(port, with_sandbox=with_sandbox))


if __name__ == "__main__":
    main()
