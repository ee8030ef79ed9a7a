"""Export goals as assets of four ops."""

from typing import Any

import dagster as dg

from cdp_sync.model import Connection, ExportGoal, Profiles, export_fingerprint, kind_of
from cdp_sync.orchestration.goals.export_steps import FileExportSteps, UserSteps
from cdp_sync.orchestration.goals.goal_asset import build_goal, build_ops
from cdp_sync.orchestration.goals.segments import segment_key

_AFTER_SEGMENTS = 20_000


def build_export(goal: ExportGoal, connection: Connection, profiles: Profiles, *, place: int) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_segment → write_… → deliver_… → record_delivery.

    `place` is the goal's place in the running order, from 0, after all imports and segments of the run.
    """
    kind = kind_of(connection)
    steps_of: Any = UserSteps if kind.audience else FileExportSteps
    steps = steps_of(connection, goal, profiles)
    return build_goal(
        steps,
        build_ops(steps, steps.ops, priority=-_AFTER_SEGMENTS - place),
        kinds={kind.platform, "duckdb"},
        description=_description(goal, connection, profiles),
        after=segment_key(goal.segment),
        code_version=export_fingerprint(goal, profiles),
    )


def _description(goal: ExportGoal, connection: Connection, profiles: Profiles) -> str:
    who = "only those whose row changed since the last delivery" if goal.changes == "changed" else "all, every time"
    bound = f"- consent to {' or '.join(connection.objectives)}\n" if connection.objectives else ""
    return (
        f"{goal.title or f'Exports profiles to {connection.label}'}.\n\n"
        f"- segment: {profiles.segment(goal.segment).label}; {who}\n{bound}"
        f"- columns: {', '.join(column.field for column in goal.map) or 'none'}\n"
        f"- {goal.destination}"
    )
