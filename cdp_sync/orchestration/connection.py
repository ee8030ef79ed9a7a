"""A declared connection as Dagster definitions: assets for each goal, a job, its schedule and sensor, a server."""

import dagster as dg

from cdp_sync.model import Connection, Profiles, kind_of
from cdp_sync.model.asked import lifecycles_read
from cdp_sync.orchestration.dagster_internals import AssetJob
from cdp_sync.orchestration.goals.checks import (
    EVENT_EXPORT_CHECKS,
    EXPORT_CHECKS,
    IMPORT_CHECKS,
    USER_EXPORT_CHECKS,
    build_checks,
)
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.goals.goal_asset import (
    build_event_export,
    build_export,
    build_import,
    build_response_export,
)
from cdp_sync.orchestration.goals.lifecycles import running_lifecycles
from cdp_sync.orchestration.goals.segments import lifecycle_key, segment_key
from cdp_sync.orchestration.notify.mail_sensor import notified_metadata
from cdp_sync.orchestration.resources import PlatformResource
from cdp_sync.orchestration.triggers.mailings import build_mailing_sensors
from cdp_sync.orchestration.triggers.new_files import build_sensors
from cdp_sync.orchestration.triggers.schedules import build_schedules


def build_connection(connection: Connection, profiles: Profiles) -> dg.Definitions:
    """Return the definitions of a connection; the warehouse they need is bound once for all."""
    kind = kind_of(connection)
    imports = [build_import(goal, connection, profiles, place=place) for place, goal in enumerate(connection.imports)]
    exports = [
        build_export(goal, connection, profiles, place=place) for place, goal in enumerate(connection.export_profiles)
    ]
    begin = len(exports)
    events = [
        build_event_export(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.event_exports, start=begin)
    ]
    begin += len(events)
    events += [
        build_response_export(goal, connection, profiles, place=place)
        for place, goal in enumerate(connection.response_exports, start=begin)
    ]
    checks = USER_EXPORT_CHECKS if kind.audience else EXPORT_CHECKS
    jobs = build_jobs(connection, profiles)
    return dg.Definitions(
        assets=[*(asset for assets in imports for asset in assets), *exports, *events],
        asset_checks=[
            *(build_checks(imported.key, IMPORT_CHECKS) for imported, *_ in imports),
            *(build_checks(exported.key, checks) for exported in exports),
            *(build_checks(exported.key, EVENT_EXPORT_CHECKS) for exported in events),
        ],
        jobs=jobs,
        schedules=build_schedules(connection, jobs),
        sensors=[*build_sensors(connection, profiles, jobs), *build_mailing_sensors(connection, profiles, jobs)],
        resources={f"{connection.name}_server": PlatformResource.of(kind, connection.server_value)},
        metadata=notified_metadata(connection),
        executor=dg.in_process_executor,  # what keeps the goals in order; a location with another one does not load
    )


def build_jobs(connection: Connection, profiles: Profiles) -> list[AssetJob]:
    """Return the job that runs the enabled goals of a connection; none where there are no such goals.

    It keeps the lifecycles that its exports read, and counts the segments of its exports, and the events that it
    imports, or that its exports or their segments read.
    """
    goals = [goal for goal in connection.goals if goal.enabled]
    if not goals:
        return []
    exports = [goal for goal in connection.exports if goal.enabled]
    exported = [goal.segment for goal in exports if goal.segment]
    segments = dict.fromkeys(name for segment in exported for name in profiles.with_asked_segments(segment))
    types = {event.type for goal in connection.import_profiles if goal.enabled for event in goal.events}
    types.update(event for segment in segments for event in profiles.asked_events(segment))
    types.update(event for goal in exports for event in goal.read_events(profiles))
    read = {name for goal in exports for name in lifecycles_read(goal, profiles)}
    keys = [*(dg.AssetKey([connection.name, goal.name]) for goal in goals), *map(segment_key, segments)]
    keys += map(events_key, sorted(types))
    keys += [lifecycle_key(name) for name in running_lifecycles(profiles) if name in read]
    job = dg.define_asset_job(
        name=f"{connection.name}_sync",
        selection=dg.AssetSelection.assets(*keys).without_checks(),
        description=f"Runs every enabled goal of {connection.label}, in order.",
        tags={"connection": connection.name},
    )
    return [job]
