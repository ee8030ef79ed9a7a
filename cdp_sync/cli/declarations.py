"""Commands about what is declared: init, check, list, scan, segment, lifecycle, schema."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from cdp_sync.cli.options import (
    ANY_CONNECTION,
    AS_JSON,
    CONNECTION,
    GOAL,
    LOCAL_FILE,
    answer,
    complete_lifecycles,
    complete_segments,
    end,
)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--workers", is_flag=True, help="For several machines: PostgreSQL, redis, and a worker's service.")
def init(folder: Path, workers: bool) -> None:
    """Write a project of your own into FOLDER. Overwrites nothing."""
    from cdp_sync.calling import call
    from cdp_sync.printing import say
    from cdp_sync.scaffold.project import write_project

    for file in write_project(folder, workers=workers):
        say(f"  {file}")
    say(f"\nThe project is in {folder}. In that folder, look at README.md first, then: {call('check')}", lines=True)


@click.command()
@ANY_CONNECTION
def check(connection: str | None) -> None:
    """Check the declarations; with CONNECTION also reach its server: list directories, or try each endpoint."""
    from cdp_sync.checking import check_project
    from cdp_sync.printing import print_error, say

    findings = check_project()
    for note in findings.notes:
        say(note)
    for problem in findings.problems:
        print_error(problem)
    if findings.problems or findings.declarations is None:
        end(fine=False)
    say(findings.summary)
    if connection:
        from cdp_sync.model import kind_of

        declared = findings.declarations.connection(connection)
        results = list(kind_of(declared).part("check")(declared, findings.declarations.profiles))
        for sentence, _ in results:
            say(sentence)
        end(fine=all(fine for _, fine in results))


@click.command("list")
@ANY_CONNECTION
@AS_JSON
def list_connections(connection: str | None, as_json: bool) -> None:
    """List connections and goals: whether they are on, their last run with work, the next run."""
    from cdp_sync.overview import overview
    from cdp_sync.printing import print_error
    from cdp_sync.terminal import print_overview

    found = overview(connection)
    answer(found, print_overview, dict, as_json=as_json)
    for problem in found["problems"]:
        print_error(problem)
    end(fine=not found["problems"])


@click.command()
@CONNECTION
@GOAL
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="Files to look into, per goal.")
@click.option("--local", type=LOCAL_FILE, help="Try the goal on this file; no server is asked.")
@AS_JSON
def scan(connection: str, goal: str | None, limit: int, local: Path | None, as_json: bool) -> None:
    """Look at a connection's files (state, fields, how cells read, what a run refuses) or lists. Imports nothing.

    Where a goal has processors, the first rows are shown before and after each.
    """
    from cdp_sync.inspection import look, look_at_file
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.printing import print_json
    from cdp_sync.terminal import print_look

    declared = load_declarations()
    goals = declared.goals(connection, goal)
    if local:
        looks = [look_at_file(declared, connection, each, local) for each in goals]
    else:
        looks = [look(declared, connection, each, limit=limit) for each in goals]
    if as_json:
        print_json({"connection": connection, "goals": [each.to_json() for each in looks]})
    else:
        for each in looks:
            print_look(each)
    end(fine=all(each.listed for each in looks))


@click.command()
@click.argument("name", shell_complete=complete_segments)
@AS_JSON
def segment(name: str, as_json: bool) -> None:
    """Show a segment: its size, some of its profiles, and the SQL that finds them."""
    from cdp_sync.inspection import look_at_segment
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal import print_segment

    answer(look_at_segment(load_declarations(), name), partial(print_segment, name), asdict, as_json=as_json)


@click.command()
@click.argument("name", shell_complete=complete_lifecycles)
@AS_JSON
def lifecycle(name: str, as_json: bool) -> None:
    """Show a lifecycle: its conditions, and how many profiles are in each stage since stages were kept last."""
    from cdp_sync.inspection import look_at_lifecycle
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal import print_lifecycle

    answer(look_at_lifecycle(load_declarations(), name), partial(print_lifecycle, name), asdict, as_json=as_json)


@click.command()
def schema() -> None:
    """Print the JSON schema of defs.yaml files, for editors."""
    from cdp_sync.printing import print_json
    from cdp_sync.scaffold.project import declaration_schema

    print_json(declaration_schema())


COMMANDS = (init, check, list_connections, scan, segment, lifecycle, schema)
