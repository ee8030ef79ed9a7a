"""A goal as a graph-backed asset: its ops in a row, each of which hands a handle to the next."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import dagster as dg

from cdp_sync.model import (
    Connection,
    EventExportGoal,
    ExportGoal,
    ImportGoal,
    Profiles,
    ResponseExportGoal,
    RowRules,
    event_export_fingerprint,
    export_fingerprint,
    fingerprint,
    kind_of,
    response_fingerprint,
)
from cdp_sync.model.asked import lifecycles_read
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.event_export_steps import EventExportSteps, ResponseExportSteps
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.goals.export_steps import FileExportSteps, UserSteps
from cdp_sync.orchestration.goals.files import files_key, partitions_of
from cdp_sync.orchestration.goals.goal_steps import GoalOp, GoalSteps, verify_one_process
from cdp_sync.orchestration.goals.groups import groups_key
from cdp_sync.orchestration.goals.import_steps import FileSteps, SourceSteps
from cdp_sync.orchestration.goals.scores import score_key
from cdp_sync.orchestration.goals.segments import lifecycle_key, segment_key

Shown = Callable[..., Any]
"""An op under the name that the UI shows."""

_AFTER_SEGMENTS = 20_000

_WINDOWS = {
    "since_last": "new and changed ones",
    "day": "each whole day in UTC, again when late events came",
    "all": "all of them, when anything differs",
}

_FILES_DESCRIPTION = """The files in `{}` of {}: imported, failed, or not imported yet (missing).

To import some of them again, materialize those: all their rows are applied anew, but what is summed up is not added
twice. To import what is new, materialize the goal, or run the connection's job.
"""


def build_import(
    goal: RowRules, connection: Connection, profiles: Profiles, *, place: int
) -> tuple[dg.AssetsDefinition, ...]:
    """Return the asset `[connection, goal]`; and `[connection, goal, files]` of a goal over files, its partitions.

    The same ops make the files' asset, of chosen files: that is how files are imported again. It is an asset of its
    own because Dagster runs an asset with partitions only for partitions that are named, while the goal imports
    whatever is new. `place` is the goal's place in the running order, from 0.
    """
    kind = kind_of(connection)
    steps_of: Any = SourceSteps if kind.source else FileSteps
    steps = steps_of(connection, goal, profiles)
    ops = _build_ops(steps, priority=-place)
    importing = steps.importing
    imported = _build_goal(
        steps,
        ops,
        kinds={kind.platform, "duckdb"},
        description=_import_description(goal, importing, connection, profiles),
        code_version=fingerprint(importing, profiles, connection.objectives),
    )
    if kind.source:
        return (imported,)
    names = (connection.name, goal.name)
    files = _build_goal(
        steps,
        ops,
        kinds={kind.platform, "file"},
        description=_FILES_DESCRIPTION.format(steps.goal.directory, connection.label),
        key=files_key(*names),
        partitions_def=partitions_of(*names),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    return imported, files


def _import_description(goal: RowRules, importing: ImportGoal, connection: Connection, profiles: Profiles) -> str:
    noun = goal.records(profiles).noun
    events = ", ".join(dict.fromkeys(profiles.event[each.type].label for each in importing.events))
    lines = [goal.origin]
    if importing.link:
        lines.append(f"linked by {', '.join(f'{link.field} → {link.property}' for link in importing.link)}")
        lines.append(f"{'creates' if importing.allow_new_profiles else 'never creates'} {noun}s")
    lines += [f"events: {events}"] if events else []
    lines += ["strict: only files like the one that was learned are imported"] if importing.expected else []
    about = "".join(f"\n- {line}" for line in lines)
    return f"{goal.title or f'Imports {noun}s of {connection.label}'}.\n{about}"


def build_export(goal: ExportGoal, connection: Connection, profiles: Profiles, *, place: int) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_segment → write_… → deliver_… → record_delivery.

    `place` is the goal's place in the running order, from 0, after all imports and segments of the run.
    """
    kind = kind_of(connection)
    steps_of: Any = UserSteps if kind.audience else FileExportSteps
    steps = steps_of(connection, goal, profiles)
    who = "only those whose row changed since the last delivery" if goal.changes == "changed" else "all, every time"
    bound = f"- consent to {' or '.join(connection.objectives)}\n" if connection.objectives else ""
    return _build_goal(
        steps,
        _build_ops(steps, priority=-_AFTER_SEGMENTS - place),
        kinds={kind.platform, "duckdb"},
        description=(
            f"{goal.title or f'Exports profiles to {connection.label}'}.\n\n"
            f"- segment: {profiles.segment(goal.segment).label}; {who}\n{bound}"
            f"- columns: {', '.join(column.field for column in goal.map) or 'none'}\n"
            f"- {goal.destination}{f'{chr(10)}- {goal.lifecycle.words}' if goal.lifecycle else ''}"
        ),
        after=[
            segment_key(goal.segment),
            *map(events_key, goal.read_events(profiles)),
            *map(groups_key, goal.read_groups(profiles)),
            *map(score_key, goal.read_scores(profiles)),
            *map(lifecycle_key, lifecycles_read(goal, profiles)),
        ],
        code_version=export_fingerprint(goal, profiles),
    )


def build_event_export(
    goal: EventExportGoal, connection: Connection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_events → write_files → deliver_files → record_delivery.

    It comes after the types of its events and its segment. `place` is the goal's place in the running order of exports.
    """
    steps = EventExportSteps(connection, goal, profiles)
    bound = f"- consent to {' or '.join(connection.objectives)}\n" if connection.objectives else ""
    segment = f"- segment: {profiles.segment(goal.segment).label}\n" if goal.segment else ""
    types = ", ".join(event.label for event in goal.types(profiles))
    return _build_goal(
        steps,
        _build_ops(steps, priority=-_AFTER_SEGMENTS - place),
        kinds={kind_of(connection).platform, "duckdb"},
        description=(
            f"{goal.title or f'Exports events to {connection.label}'}.\n\n"
            f"- events: {types}; {_WINDOWS[goal.window]}\n{segment}{bound}"
            f"- columns: {', '.join(column.field for column in goal.map)}\n"
            f"- {goal.destination}"
        ),
        after=[
            *map(events_key, goal.read_events(profiles)),
            *map(score_key, goal.read_scores(profiles)),
            *([segment_key(goal.segment)] if goal.segment else []),
            *map(lifecycle_key, lifecycles_read(goal, profiles)),
        ],
        code_version=event_export_fingerprint(goal, profiles),
    )


def build_response_export(
    goal: ResponseExportGoal, connection: Connection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_responses → write_files → deliver_files → record_delivery.

    It comes after the types of its events. `place` is the goal's place in the running order of exports.
    """
    steps = ResponseExportSteps(connection, goal, profiles)
    types = ", ".join(dict.fromkeys(event.label for event in goal.types(profiles).values()))
    bound = f"- consent to {' or '.join(connection.objectives)}\n" if connection.objectives else ""
    return _build_goal(
        steps,
        _build_ops(steps, priority=-_AFTER_SEGMENTS - place),
        kinds={kind_of(connection).platform, "duckdb"},
        description=(
            f"{goal.title or f'Exports responses to {connection.label}'}.\n\n"
            f"- mailings by `{goal.mailing}`: each {goal.after_hours:g} hours after it was sent, again when it grew\n"
            f"- events: {types}\n{bound}"
            f"- {goal.destination}"
        ),
        after=[*map(events_key, goal.read_events(profiles))],
        code_version=response_fingerprint(goal, profiles),
    )


def _build_ops(steps: GoalSteps[Any], *, priority: int) -> tuple[Shown, ...]:
    """Return a goal's ops, in order. Their definitions have names that no other goal's have.

    A failed goal does not stop the next one, so the running order of goals is one of priority, not of
    dependency; see `verify_one_process`.
    """

    def build(op: GoalOp, *, is_first: bool) -> Shown:
        # A handle is a dict, which Dagster would make a type of its own for, in every op of every goal: hence Any.
        def begin(context: dg.OpExecutionContext) -> Any:  # noqa: ANN401
            attempt(context.log, lambda: verify_one_process(context), lambda _error: None)
            return op.work(context)

        def go_on(context: dg.OpExecutionContext, handle: Any) -> Any:  # noqa: ANN401
            return op.work(context, handle)

        definition = dg.op(
            name=f"{steps.unique}__{op.name}",
            description=op.work.__doc__,
            tags={"dagster/priority": str(priority)},
            required_resource_keys={steps.server_key, "warehouse"},
            **op.more,
        )(begin if is_first else go_on)
        return definition.alias(op.name)

    return tuple(build(op, is_first=place == 0) for place, op in enumerate(steps.ops))


def _build_goal(
    steps: GoalSteps[Any],
    ops: tuple[Shown, ...],
    *,
    key: dg.AssetKey | None = None,
    after: Sequence[dg.AssetKey] = (),
    **more: Any,  # noqa: ANN401 - Dagster's arguments
) -> dg.AssetsDefinition:
    """Return the asset that a goal's ops make: `[connection, goal]`, unless a key is given.

    Its first op waits for the assets `after`, if there are any.
    """
    first, *others = ops
    shown = dg.graph_asset(
        key=key or steps.key,
        group_name=steps.connection.name,
        owners=list(steps.connection.owners),
        ins={f"after_{number}": dg.AssetIn(key=key, dagster_type=dg.Nothing) for number, key in enumerate(after)}
        or None,
        **more,
    )

    def goal() -> Any:  # noqa: ANN401 - Dagster's own type of an output to come
        return reduce(lambda output, op: op(output), others, first())

    def goal_after(**after: Any) -> Any:  # noqa: ANN401
        return reduce(lambda output, op: op(output), others, first(list(after.values())))

    asset: dg.AssetsDefinition = shown(goal_after if after else goal)
    return asset
