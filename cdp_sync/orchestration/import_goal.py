"""An import goal as a graph-backed asset of four ops."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from cdp_sync.model import Connection, ImportGoal, Profiles, fingerprint
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.steps import ImportSteps


def build_import_asset(
    goal: ImportGoal, connection: Connection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: scan_directory → parse_files → link_identifiers → upsert_profiles.

    Args:
        goal: The declaration.
        connection: Whose goal it is.
        profiles: The declared profile.
        place: The goal's place in the running order, from 0. A failed goal does not stop the next one, so the order
            is one of priority, not of dependency.
    """
    scan, parse, link, upsert = _ops(ImportSteps(connection, goal, profiles), place)

    @dg.graph_asset(
        key=[connection.name, goal.name],
        group_name=connection.name,
        description=_description(goal, connection),
        kinds={"sftp", "duckdb"},
        owners=list(connection.owners),
        code_version=fingerprint(goal, profiles),
    )
    def import_goal() -> Any:  # noqa: ANN401 - Dagster's own type of an output to come
        return upsert(link(parse(scan())))

    return import_goal


def _ops(steps: ImportSteps, place: int) -> tuple[Callable[..., Any], ...]:
    """Return the ops under the names that the UI shows; their definitions need names of their own."""

    def declared(name: str, *, pool: str | None = None) -> Callable[..., dg.OpDefinition]:
        return dg.op(
            name=f"{steps.unique}__{name}",
            tags={"dagster/priority": str(-place)},
            required_resource_keys={steps.server_key, "warehouse"},
            pool=pool,
        )

    @declared("scan_directory", pool=WAREHOUSE_POOL)
    def scan_directory(context: dg.OpExecutionContext) -> dict[str, Any]:
        """List the directory and keep the files that are new or have changed."""
        return steps.scan(context)

    @declared("parse_files")
    def parse_files(context: dg.OpExecutionContext, scanned: dict[str, Any]) -> dict[str, Any]:
        """Fetch the files and parse them into a staging table; hand on its name."""
        return steps.parse(context, scanned)

    @declared("link_identifiers", pool=WAREHOUSE_POOL)
    def link_identifiers(context: dg.OpExecutionContext, parsed: dict[str, Any]) -> dict[str, Any]:
        """Give every row a profile: one that exists, a new one, or none."""
        return steps.link(context, parsed)

    @declared("upsert_profiles", pool=WAREHOUSE_POOL)
    def upsert_profiles(context: dg.OpExecutionContext, linked: dict[str, Any]) -> dg.MaterializeResult[Any]:
        """Create and update profiles, with ledger, history and quarantine, in one transaction."""
        return steps.upsert(context, linked)

    ops = (scan_directory, parse_files, link_identifiers, upsert_profiles)
    return tuple(op.alias(op.name.removeprefix(f"{steps.unique}__")) for op in ops)


def _description(goal: ImportGoal, connection: Connection) -> str:
    files = goal.files or goal.files_regex or "all files"
    links = ", ".join(f"{link.field} → {link.property}" for link in goal.link)
    return (
        f"{goal.title or f'Imports profiles of {connection.label}'}.\n\n"
        f"- files: `{files}` in `{goal.directory}`\n"
        f"- linked by {links}\n"
        f"- {'creates' if goal.allow_new_profiles else 'never creates'} profiles"
    )
