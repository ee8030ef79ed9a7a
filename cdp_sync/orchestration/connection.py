"""A declared connection as Dagster definitions: an asset for each goal, a job, a server."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from cdp_sync.model import Connection, Profiles
from cdp_sync.orchestration.checks import build_checks
from cdp_sync.orchestration.import_goal import build_import_asset
from cdp_sync.orchestration.resources import SftpServerResource

AssetJob = dg.JobDefinition | UnresolvedAssetJobDefinition


def build_connection(connection: Connection, profiles: Profiles) -> dg.Definitions:
    """Return the definitions of a connection; the warehouse they need is bound once for all."""
    assets = [
        build_import_asset(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.import_profiles)
    ]
    checks = [build_checks(asset.key, "__".join(asset.key.path)) for asset in assets]
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=_jobs(connection),
        resources={f"{connection.name}_server": SftpServerResource.of(connection.server)},
    )


def _jobs(connection: Connection) -> list[AssetJob]:
    """Return the job that runs the enabled goals, if there are any."""
    enabled = [dg.AssetKey([connection.name, goal.name]) for goal in connection.import_profiles if goal.enabled]
    if not enabled:
        return []
    return [
        dg.define_asset_job(
            name=f"{connection.name}_sync",
            selection=dg.AssetSelection.assets(*enabled),
            description=f"Runs every enabled goal of {connection.label}, in order.",
            tags={"connection": connection.name},
        )
    ]
