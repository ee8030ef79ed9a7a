"""Import goals as graph-backed assets: of four ops over files, of three over lists."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cdp_sync.model import FileGoal, ImportRules, ListGoal, Profiles, SailthruConnection, SftpConnection, fingerprint
from cdp_sync.orchestration.goals.file_steps import FileSteps
from cdp_sync.orchestration.goals.files import CHOICE, files_key, partitions_of
from cdp_sync.orchestration.goals.import_steps import ImportSteps
from cdp_sync.orchestration.goals.list_steps import ListSteps
from cdp_sync.orchestration.resources import WAREHOUSE_POOL


def build_file_assets(
    goal: FileGoal, connection: SftpConnection, profiles: Profiles, *, place: int
) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition]:
    """Return the asset `[connection, goal]`: scan_directory → parse_files → link_identifiers → upsert_profiles.

    Behind it comes `[connection, goal, files]`, whose partitions are the goal's files. The same steps make it, of
    chosen files: that is how files are imported again. It is an asset of its own because Dagster runs one with
    partitions only when it is told which, while the goal imports whatever is new.

    Args:
        goal: The declaration.
        connection: Whose goal it is.
        profiles: The declared profile.
        place: The goal's place in the running order, from 0. A failed goal does not stop the next one, so the order
            is one of priority, not of dependency.
    """
    scan, parse, link, upsert = _file_ops(FileSteps(connection, goal, profiles), place)

    @dg.graph_asset(
        key=[connection.name, goal.name],
        group_name=connection.name,
        description=_description(goal, connection.label, _files(goal)),
        kinds={"sftp", "duckdb"},
        owners=list(connection.owners),
        code_version=fingerprint(goal, profiles, connection.objectives),
    )
    def import_goal() -> Any:  # noqa: ANN401 - Dagster's own type of an output to come
        return upsert(link(parse(scan())))

    @dg.graph_asset(
        key=files_key(connection.name, goal.name),
        group_name=connection.name,
        description=_FILES_DESCRIPTION.format(goal.directory, connection.label),
        kinds={"sftp", "file"},
        owners=list(connection.owners),
        partitions_def=partitions_of(connection.name, goal.name),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def import_again() -> Any:  # noqa: ANN401
        return upsert(link(parse(scan())))

    return import_goal, import_again


def build_list_asset(
    goal: ListGoal, connection: SailthruConnection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: fetch_profiles → link_identifiers → upsert_profiles.

    Args:
        goal: The declaration.
        connection: Whose goal it is.
        profiles: The declared profile.
        place: The goal's place in the running order, from 0.
    """
    steps = ListSteps(connection, goal, profiles)
    fetch, link, upsert = _list_ops(steps, place)

    @dg.graph_asset(
        key=[connection.name, goal.name],
        group_name=connection.name,
        description=_description(goal, connection.label, f"lists: {', '.join(goal.lists)}"),
        kinds={"sailthru", "duckdb"},
        owners=list(connection.owners),
        code_version=fingerprint(steps.importing, profiles, connection.objectives),
    )
    def import_goal() -> Any:  # noqa: ANN401 - Dagster's own type of an output to come
        return upsert(link(fetch()))

    return import_goal


_FILES_DESCRIPTION = """The files in `{}` of {}: imported, failed, or not imported yet (missing).

To import some of them again, materialize those: all their rows are applied anew, but what is summed up is not added
twice. To import what is new, materialize the goal, or run the connection's job.
"""


_STEPS = {
    "scan_directory": "List the directory and keep the files that are new or have changed.",
    "parse_files": "Fetch the files and parse them into a staging table; hand on its name.",
    "fetch_profiles": "Have the lists exported, fetch them and parse them into a staging table; hand on its name.",
    "link_identifiers": "Give every row a profile: one that exists, a new one, or none.",
    "upsert_profiles": "Create and update profiles, with ledger, history and quarantine, in one transaction.",
}
"""The ops' names and what the UI says of them; a docstring each would have to be parsed for every goal of a project."""

Ops = tuple[Callable[..., Any], ...]
"""Ops under the names that the UI shows."""


@dataclass(frozen=True)
class _Declaring:
    """Declares the ops of a goal: their definitions need names of their own beside those that the UI shows."""

    steps: ImportSteps[Any]
    place: int

    def __call__(self, name: str, *, pool: str | None = None, **more: Any) -> Callable[..., dg.OpDefinition]:  # noqa: ANN401
        return dg.op(
            name=f"{self.steps.unique}__{name}",
            description=_STEPS[name],
            tags={"dagster/priority": str(-self.place)},
            required_resource_keys={self.steps.server_key, "warehouse"},
            pool=pool,
            **more,
        )

    def shown(self, *ops: dg.OpDefinition) -> Ops:
        """Return the ops under the names that the UI shows."""
        return tuple(op.alias(op.name.removeprefix(f"{self.steps.unique}__")) for op in ops)


def _file_ops(steps: FileSteps, place: int) -> Ops:
    declared = _Declaring(steps, place)

    # A handle is a dict, which Dagster would make a type of its own for, in every op of every goal.
    @declared("scan_directory", pool=WAREHOUSE_POOL, config_schema=CHOICE)
    def scan_directory(context: dg.OpExecutionContext) -> Any:  # noqa: ANN401
        return steps.scan(context)

    @declared("parse_files")
    def parse_files(context: dg.OpExecutionContext, scanned: Any) -> Any:  # noqa: ANN401
        return steps.parse(context, scanned)

    return (*declared.shown(scan_directory, parse_files), *_last_ops(declared))


def _list_ops(steps: ListSteps, place: int) -> Ops:
    declared = _Declaring(steps, place)

    @declared("fetch_profiles")
    def fetch_profiles(context: dg.OpExecutionContext) -> Any:  # noqa: ANN401
        return steps.fetch(context)

    return (*declared.shown(fetch_profiles), *_last_ops(declared))


def _last_ops(declared: _Declaring) -> Ops:
    steps = declared.steps

    @declared("link_identifiers", pool=WAREHOUSE_POOL)
    def link_identifiers(context: dg.OpExecutionContext, staging: Any) -> Any:  # noqa: ANN401
        return steps.link(context, staging)

    # A run that finds nothing to do yields nothing: it leaves the asset, its plots and its checks as they are.
    @declared("upsert_profiles", pool=WAREHOUSE_POOL, out=dg.Out(is_required=False))
    def upsert_profiles(context: dg.OpExecutionContext, linked: Any) -> Iterator[dg.MaterializeResult[Any]]:  # noqa: ANN401
        yield from steps.upsert(context, linked)

    return declared.shown(link_identifiers, upsert_profiles)


def _files(goal: FileGoal) -> str:
    return f"files: `{goal.files or goal.files_regex or 'all files'}` in `{goal.directory}`"


def _description(goal: ImportRules, label: str, source: str) -> str:
    links = ", ".join(f"{link.field} → {link.property}" for link in goal.link)
    return (
        f"{goal.title or f'Imports profiles of {label}'}.\n\n"
        f"- {source}\n"
        f"- linked by {links}\n"
        f"- {'creates' if goal.allow_new_profiles else 'never creates'} profiles"
    )
