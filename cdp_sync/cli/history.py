"""Commands about what happened, and what is to come: runs, profile, group, quarantine."""

from datetime import UTC, datetime
from functools import partial
from itertools import islice

import click

from cdp_sync.cli.options import ANY_CONNECTION, AS_JSON, COUNT, answer, complete_group_types, warehouse
from cdp_sync.errors import UnknownName


@click.command()
@ANY_CONNECTION
@click.option("--limit", type=COUNT, default=20, show_default=True, help="How many.")
@click.option("--upcoming", is_flag=True, help="Show the next runs instead, soonest first.")
@click.option(
    "--run",
    "run_id",
    metavar="RUN_ID",
    help="One run only, by its id or 8 characters of it, with the last profiles it changed.",
)
@click.option("--profiles", is_flag=True, help="With the last profiles that were created and updated: personal data.")
@AS_JSON
def runs(connection: str | None, limit: int, upcoming: bool, run_id: str | None, profiles: bool, as_json: bool) -> None:
    """Show the latest runs, newest first, and how many profiles came and went; with --upcoming those to come."""
    if upcoming:
        if run_id or profiles:
            raise click.UsageError("--upcoming shows runs to come: neither --run nor --profiles goes with it.")
        from cdp_sync.model.occurrences import upcoming_runs
        from cdp_sync.orchestration.declaration_files import read_connections
        from cdp_sync.terminal import print_upcoming

        coming = list(islice(upcoming_runs(read_connections(connection), datetime.now(UTC)), limit))
        answer(coming, print_upcoming, lambda shown: [run.to_json() for run in shown], as_json=as_json)
        return
    from cdp_sync.orchestration.data_folder import project_warehouse
    from cdp_sync.orchestration.declaration_files import refuse_unknown
    from cdp_sync.orchestration.runs.history import History, past_runs
    from cdp_sync.terminal import print_history

    found = past_runs(project_warehouse(), connection, limit, run_id=run_id, profiles=profiles or run_id is not None)
    if not found.runs and not found.data_exchange:
        refuse_unknown(connection)
    answer(found, print_history, History.to_json, as_json=as_json)


@click.command()
@click.argument("value")
@click.option("--events", type=COUNT, default=10, show_default=True, help="How many of its latest events.")
@AS_JSON
def profile(value: str, events: int, as_json: bool) -> None:
    """Show the profiles that VALUE names, an identifier's value or a profile's id, and what they did."""
    from cdp_sync.inspection import look_at_profiles
    from cdp_sync.terminal.profiles import print_profiles

    warehouse()  # says so where there is none
    found = look_at_profiles(value, events)
    if not found:
        raise UnknownName("No live profile has this identifier or id.")
    answer(found, print_profiles, list, as_json=as_json)


@click.command()
@click.argument("group_type", metavar="TYPE", shell_complete=complete_group_types)
@click.argument("group_id", metavar="ID")
@AS_JSON
def group(group_type: str, group_id: str, as_json: bool) -> None:
    """Show the group of TYPE with this ID: its values, its last change, and how many people belong to it."""
    from cdp_sync.model.counting import counted
    from cdp_sync.model.suggestion import one_of
    from cdp_sync.orchestration.declaration_files import declared_profiles
    from cdp_sync.terminal.profiles import print_group
    from cdp_sync.warehouse.groups import count_members, group_named

    profiles = declared_profiles()
    if (declared := profiles.group.get(group_type)) is None:
        raise UnknownName(
            f"There is no type of groups {group_type!r}.", needed=one_of(group_type, list(profiles.group))
        )
    with warehouse().open("read") as session:
        found = group_named(session, declared, group_id)
        members = count_members(session, profiles, declared, group_id)
    if found is None:
        held = ", ".join(f"{counted(times, 'profile')} by {name}" for name, times in members.items() if times)
        but = f" It is held by {held}; import the group." if held else ""
        raise UnknownName(f"No {group_type} with this id was imported.{but}")
    answer({**found, "members": members}, print_group, dict, as_json=as_json)


@click.command()
@ANY_CONNECTION
@click.option("--limit", type=COUNT, default=50, show_default=True, help="How many.")
@AS_JSON
def quarantine(connection: str | None, limit: int, as_json: bool) -> None:
    """Show what could not land, and why: of each file as it was last read."""
    from cdp_sync.orchestration.declaration_files import refuse_unknown
    from cdp_sync.terminal import print_quarantine
    from cdp_sync.warehouse.history import connections_of_runs, quarantined

    with warehouse().open("read") as session:
        if connection is not None:
            refuse_unknown(connection, connections_of_runs(session))
        total, found = quarantined(session, connection, limit)
    answer(found, partial(print_quarantine, total), lambda rows: {"total": total, "rows": rows}, as_json=as_json)


COMMANDS = (runs, profile, group, quarantine)
