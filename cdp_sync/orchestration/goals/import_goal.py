"""Import goals as assets: of four ops where they import files, of three where they import profiles of a platform."""

from typing import Any

import dagster as dg

from cdp_sync.model import Connection, ImportRules, Profiles, fingerprint, kind_of
from cdp_sync.orchestration.goals.file_steps import FileSteps
from cdp_sync.orchestration.goals.files import files_key, partitions_of
from cdp_sync.orchestration.goals.goal_asset import Shown, build_goal, build_ops
from cdp_sync.orchestration.goals.source_steps import SourceSteps


def build_import(
    goal: ImportRules, connection: Connection, profiles: Profiles, *, place: int
) -> tuple[dg.AssetsDefinition, ...]:
    """Return the asset `[connection, goal]`, and the asset of its files where it imports files.

    `place` is the goal's place in the running order, from 0.
    """
    kind = kind_of(connection)
    steps_of: Any = SourceSteps if kind.source else FileSteps
    steps = steps_of(connection, goal, profiles)
    ops = build_ops(steps, steps.ops, priority=-place)
    imported = build_goal(
        steps,
        ops,
        kinds={kind.platform, "duckdb"},
        description=_description(goal, connection.label),
        code_version=fingerprint(steps.importing, profiles, connection.objectives),
    )
    return (imported,) if kind.source else (imported, _files(steps, ops, kind.platform))


def _files(steps: FileSteps, ops: tuple[Shown, ...], platform: str) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal, files]`, whose partitions are the goal's files.

    The same ops make it, of chosen files: that is how files are imported again. It is an asset of its own because
    Dagster runs an asset with partitions only for partitions that are named, while the goal imports whatever is new.
    """
    names = (steps.connection.name, steps.goal.name)
    return build_goal(
        steps,
        ops,
        kinds={platform, "file"},
        description=_FILES_DESCRIPTION.format(steps.goal.directory, steps.connection.label),
        key=files_key(*names),
        partitions_def=partitions_of(*names),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )


_FILES_DESCRIPTION = """The files in `{}` of {}: imported, failed, or not imported yet (missing).

To import some of them again, materialize those: all their rows are applied anew, but what is summed up is not added
twice. To import what is new, materialize the goal, or run the connection's job.
"""


def _description(goal: ImportRules, label: str) -> str:
    links = ", ".join(f"{link.field} → {link.property}" for link in goal.link)
    return (
        f"{goal.title or f'Imports profiles of {label}'}.\n\n"
        f"- {goal.origin}\n"
        f"- linked by {links}\n"
        f"- {'creates' if goal.allow_new_profiles else 'never creates'} profiles"
    )
