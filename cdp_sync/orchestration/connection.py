"""A declared connection as Dagster definitions: assets for each goal, a job, its schedule and sensor, a server."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from cdp_sync.model import Connection, Profiles, SailthruConnection, SftpConnection
from cdp_sync.orchestration.dagster_internals import AssetJob
from cdp_sync.orchestration.goals.checks import (
    EXPORT_CHECKS,
    USER_EXPORT_CHECKS,
    Checks,
    build_export_checks,
    build_import_checks,
)
from cdp_sync.orchestration.goals.export_goal import build_file_export, build_user_export
from cdp_sync.orchestration.goals.import_goal import build_file_assets, build_list_asset
from cdp_sync.orchestration.goals.segments import segment_key
from cdp_sync.orchestration.notify.mail_sensor import notified_metadata
from cdp_sync.orchestration.resources import SailthruAccountResource, SftpServerResource
from cdp_sync.orchestration.triggers.new_files import build_sensors
from cdp_sync.orchestration.triggers.schedules import build_schedules


def build_connection(connection: SftpConnection | SailthruConnection, profiles: Profiles) -> dg.Definitions:
    """Return the definitions of a connection; the warehouse they need is bound once for all."""
    built = _sftp(connection, profiles) if isinstance(connection, SftpConnection) else _sailthru(connection, profiles)
    jobs = _jobs(connection, profiles)
    return dg.Definitions(
        assets=[*built.imports, *built.files, *built.exports],
        asset_checks=[
            *(build_import_checks(asset.key) for asset in built.imports),
            *(build_export_checks(asset.key, built.export_checks) for asset in built.exports),
        ],
        jobs=jobs,
        schedules=build_schedules(connection, jobs),
        sensors=build_sensors(connection, profiles, jobs) if isinstance(connection, SftpConnection) else [],
        resources={f"{connection.name}_server": built.server},
        metadata=notified_metadata(connection),
    )


@dataclass(frozen=True)
class _Built:
    """What differs between the kinds of connections."""

    server: dg.ConfigurableResource[Any]
    imports: list[dg.AssetsDefinition]
    exports: list[dg.AssetsDefinition]
    files: Sequence[dg.AssetsDefinition] = ()
    export_checks: Checks = field(default_factory=lambda: EXPORT_CHECKS)


def _sftp(connection: SftpConnection, profiles: Profiles) -> _Built:
    imports = [
        build_file_assets(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.import_profiles)
    ]
    exports = [
        build_file_export(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.export_profiles)
    ]
    server = SftpServerResource.of(connection.server)
    return _Built(server, [goal for goal, _ in imports], exports, [files for _, files in imports])


def _sailthru(connection: SailthruConnection, profiles: Profiles) -> _Built:
    imports = [
        build_list_asset(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.import_profiles)
    ]
    exports = [
        build_user_export(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.export_profiles)
    ]
    return _Built(SailthruAccountResource.of(connection.account), imports, exports, export_checks=USER_EXPORT_CHECKS)


def _jobs(connection: Connection, profiles: Profiles) -> list[AssetJob]:
    """Return the job that runs the enabled goals, if there are any, and counts the segments behind its exports."""
    goals = [goal for goal in connection.goals if goal.enabled]
    if not goals:
        return []
    exported = [goal.segment for goal in connection.export_profiles if goal.enabled]
    segments = dict.fromkeys(name for segment in exported for name in profiles.segments_behind(segment))
    keys = [*(dg.AssetKey([connection.name, goal.name]) for goal in goals), *map(segment_key, segments)]
    return [
        dg.define_asset_job(
            name=f"{connection.name}_sync",
            selection=dg.AssetSelection.assets(*keys).without_checks(),
            description=f"Runs every enabled goal of {connection.label}, in order.",
            tags={"connection": connection.name},
        )
    ]
