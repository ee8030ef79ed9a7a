"""Commands that run goals, and that say in which warehouse: run, export, worker, accept-warehouse."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cdp_sync.cli.options import AS_JSON, CONNECTION, GOAL, LOCAL_FILE, answer, complete_goals, end

if TYPE_CHECKING:
    from cdp_sync.orchestration.runs.history import PastRun
    from cdp_sync.orchestration.runs.launch import Order, Outcome

_HERE = click.option("--here", is_flag=True, help="In this process, also where the project has workers.")


def _not_empty(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty text: a variable that is not set would otherwise stand for everything."""
    if value == "":
        raise click.BadParameter("it is empty; a pattern is needed, such as '*'.", context, option)
    return value


@click.command()
@CONNECTION
@GOAL
@click.option(
    "--files", metavar="PATTERN", callback=_not_empty, help="Import only files whose names match this wildcard."
)
@click.option("--again", is_flag=True, help="Also import files that have not changed since. What is summed stays so.")
@click.option("--preview", is_flag=True, help="Show what the run would do, on a copy of the warehouse; change nothing.")
@click.option(
    "--local",
    type=LOCAL_FILE,
    help="With --preview: import this file in place of the goal's own; no server is asked.",
)
@click.option("--debug", is_flag=True, help="Show each step of the SQL plan as it ends: seconds, rows, and its table.")
@_HERE
@AS_JSON
def run(connection: str, goal: str | None, *, debug: bool, as_json: bool, **chosen: Any) -> None:  # noqa: ANN401 - click
    """Run a connection now, or one goal of it. The run stands in the UI's history.

    With --preview, only look at what it would do. Where the project has workers, one of them executes the run, but for
    --here.
    """
    from cdp_sync.warehouse.session import observed_by

    if chosen["local"] and not chosen["preview"]:
        raise click.UsageError("--local tries a file, and needs --preview.")
    with observed_by(partial(click.echo, err=True)) if debug else nullcontext():
        if chosen["preview"]:
            _preview(connection, goal, chosen["files"], chosen["local"], again=chosen["again"], as_json=as_json)
        from cdp_sync.orchestration.runs.launch import Order

        order = Order(connection, goal, chosen["files"], chosen["again"])
        _run(order, here=chosen["here"] or debug, as_json=as_json)


def _preview(
    connection: str, goal: str | None, files: str | None, local: Path | None, *, again: bool, as_json: bool
) -> NoReturn:
    """Show what a run would do, and end with the status that it would have."""
    from cdp_sync.dry_run import DryRun, dry_run
    from cdp_sync.importing.sources.scanning import Choice
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal import print_dry_run

    choice = Choice(pattern=files or "*", again=again)
    found = dry_run(load_declarations(), connection, goal, choice, local=local)
    answer(found, print_dry_run, DryRun.to_json, as_json=as_json)
    end(fine=found.fine)


@click.command()
@CONNECTION
@click.option("--goal", required=True, shell_complete=complete_goals, help="The export goal.")
@click.option("--preview", is_flag=True, help="Show what would be delivered; deliver nothing.")
@click.option("--full", is_flag=True, help="Look at everybody, not only at those who may have changed since.")
@_HERE
@AS_JSON
def export(connection: str, goal: str, preview: bool, full: bool, here: bool, as_json: bool) -> None:
    """Run one export goal, or with --preview only look at what it would deliver."""
    if not preview:
        from cdp_sync.orchestration.runs.launch import Order

        _run(Order(connection, goal, full=full, exports=True), here=here, as_json=as_json)
    if full:
        raise click.UsageError("--full is for a run that delivers: leave out --preview.")
    from cdp_sync.exporting.preview import ExportPreview
    from cdp_sync.inspection import look_at_export
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal import print_export_preview

    found = look_at_export(load_declarations(), connection, goal)
    answer(found, print_export_preview, ExportPreview.to_json, as_json=as_json)


def _run(order: "Order", *, here: bool, as_json: bool) -> NoReturn:
    from cdp_sync.orchestration.garbage import uncollected
    from cdp_sync.terminal import show_progress

    with show_progress() as progress:
        with uncollected():
            from cdp_sync.orchestration.project import load_connection
            from cdp_sync.orchestration.runs.launch import Outcome, launch, launch_as_declared

            definitions = load_connection(order.connection)
        outcome = (launch if here else launch_as_declared)(definitions, order, progress)
    if isinstance(outcome, Outcome):
        _answer(outcome, as_json=as_json)
        end(fine=outcome.state == "success")
    from cdp_sync.orchestration.runs.history import History, RunState
    from cdp_sync.terminal import print_history

    fine = outcome.state == RunState.FINISHED
    answer(outcome, lambda past: print_history(History((past,))), partial(_followed, fine=fine), as_json=as_json)
    end(fine=fine)


def _answer(outcome: "Outcome", *, as_json: bool) -> None:
    from cdp_sync.printing import print_error, print_json
    from cdp_sync.terminal import print_goal

    if as_json:
        summary = {"run_id": outcome.run_id, "state": outcome.state, "seconds": round(outcome.seconds, 3)}
        goals = [report.to_json() for report in outcome.goals]
        print_json({**summary, "message": outcome.message, "goals": goals})
        return
    for report in outcome.goals:
        print_goal(report)
    if outcome.message:
        print_error(outcome.message)


def _followed(past: "PastRun", *, fine: bool) -> dict[str, Any]:
    """Return a run on a worker as one in this process: its state in the same words."""
    shown = past.to_json()
    goals = [{**goal, "state": "failed" if goal["state"] == "failed" else "success"} for goal in shown["goals"]]
    return {**shown, "state": "success" if fine else "failed", "goals": goals}


@click.command()
@click.option(
    "--runs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many runs it executes at a time."
)
def worker(runs: int) -> None:
    """Execute runs that wait in the queue, until Ctrl-C: one of the workers of a project.

    dagster.yaml has to name Celery's launcher, as `init --workers` writes it.
    """
    from cdp_sync.orchestration.worker import work
    from cdp_sync.printing import errors, say

    work(runs, lambda: say(f"Waiting for runs, {runs} at a time.", to=errors))


@click.command("accept-warehouse")
def accept() -> None:
    """Make the warehouse of this machine the one of the project's runs, after it was moved or made anew.

    Needed only where Dagster's history or the warehouse lies on a database server, which several machines share.
    """
    from cdp_sync.orchestration.data_folder import project_warehouse
    from cdp_sync.orchestration.instance import open_instance
    from cdp_sync.orchestration.runs.admission import accept_warehouse
    from cdp_sync.printing import say

    with open_instance() as instance:
        accepted = accept_warehouse(instance, project_warehouse())
    say(accepted.message, lines=True)


COMMANDS = (run, export, worker, accept)
