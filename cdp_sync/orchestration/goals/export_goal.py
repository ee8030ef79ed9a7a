"""Export goals as graph-backed assets of four ops."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from cdp_sync.model import (
    Connection,
    ExportGoal,
    FileExportGoal,
    Profiles,
    SailthruConnection,
    SftpConnection,
    UserExportGoal,
    export_fingerprint,
)
from cdp_sync.orchestration.goals.export_steps import ExportSteps, FileExportSteps, UserSteps
from cdp_sync.orchestration.goals.segments import segment_key
from cdp_sync.orchestration.resources import WAREHOUSE_POOL

_BEHIND_SEGMENTS = 20_000


def build_file_export(
    goal: FileExportGoal, connection: SftpConnection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_segment → write_file → deliver_file → record_delivery.

    Args:
        goal: The declaration.
        connection: Whose goal it is.
        profiles: The declared profile.
        place: The goal's place in the running order, from 0, behind all imports and segments of the run.
    """
    steps = FileExportSteps(connection, goal, profiles)
    where = f"- file: `{goal.file.name}` in `{goal.directory}`"
    return _asset(steps, _ops(steps, place, "write_file", "deliver_file"), "sftp", where)


def build_user_export(
    goal: UserExportGoal, connection: SailthruConnection, profiles: Profiles, *, place: int
) -> dg.AssetsDefinition:
    """Return the asset `[connection, goal]`: select_segment → write_users → deliver_users → record_delivery.

    Args:
        goal: The declaration.
        connection: Whose goal it is.
        profiles: The declared profile.
        place: The goal's place in the running order, from 0, behind all imports and segments of the run.
    """
    steps = UserSteps(connection, goal, profiles)
    links = ", ".join(f"{link.property} → {link.field}" for link in goal.link)
    creates = "creates users" if goal.create_users else "never creates users"
    leave = "; who leaves the segment is taken off" if goal.remove_from_lists else ""
    lists = f"\n- lists: {', '.join(goal.lists)}{leave}" if goal.lists else ""
    where = f"- linked by {links}; {creates}{lists}"
    return _asset(steps, _ops(steps, place, "write_users", "deliver_users"), "sailthru", where)


def _asset(
    steps: ExportSteps[Any, Any], ops: tuple[Callable[..., Any], ...], kind: str, where: str
) -> dg.AssetsDefinition:
    goal, connection, profiles = steps.goal, steps.connection, steps.profiles
    select, write, deliver, record = ops

    @dg.graph_asset(
        key=[connection.name, goal.name],
        ins={"segment": dg.AssetIn(key=segment_key(goal.segment), dagster_type=dg.Nothing)},
        group_name=connection.name,
        description=f"{_description(goal, connection, profiles)}\n{where}",
        kinds={kind, "duckdb"},
        owners=list(connection.owners),
        code_version=export_fingerprint(goal, profiles),
    )
    def export_goal(segment: Any) -> Any:  # noqa: ANN401 - Dagster's own types
        return record(deliver(write(select(segment))))

    return export_goal


_STEPS = {
    "select_segment": "Choose the segment's profiles that are to be delivered, and stage their rows.",
    "write_file": "Write the rows to a local file.",
    "write_users": "Write the users to a local file, and those who are to be taken off lists.",
    "deliver_file": "Put the file on the server: complete, or not at all.",
    "deliver_users": "Create and change users, put them on lists and take others off, and note what became of each.",
    "record_delivery": "Note in the warehouse what was delivered to whom, with history and quarantine.",
}


def _ops(steps: ExportSteps[Any, Any], place: int, writes: str, delivers: str) -> tuple[Callable[..., Any], ...]:
    """Return the ops under the names that the UI shows; their definitions need names of their own."""

    def declared(name: str, **more: Any) -> Callable[..., dg.OpDefinition]:  # noqa: ANN401 - Dagster's arguments
        return dg.op(
            name=f"{steps.unique}__{name}",
            description=_STEPS[name],
            tags={"dagster/priority": str(-_BEHIND_SEGMENTS - place)},
            required_resource_keys={steps.server_key, "warehouse"},
            **more,
        )

    @declared("select_segment", pool=WAREHOUSE_POOL, ins={"segment": dg.In(dg.Nothing)})
    def select_segment(context: dg.OpExecutionContext) -> Any:  # noqa: ANN401 - a handle; see import_goal
        return steps.select(context)

    @declared(writes, pool=WAREHOUSE_POOL if writes == "write_users" else None)
    def write(context: dg.OpExecutionContext, selected: Any) -> Any:  # noqa: ANN401
        return steps.write(context, selected)

    @declared(delivers)
    def deliver(context: dg.OpExecutionContext, written: Any) -> Any:  # noqa: ANN401
        return steps.deliver(context, written)

    # A run that delivers nothing yields nothing, and leaves the asset as it is.
    @declared("record_delivery", pool=WAREHOUSE_POOL, out=dg.Out(is_required=False))
    def record_delivery(context: dg.OpExecutionContext, delivered: Any) -> Iterator[dg.MaterializeResult[Any]]:  # noqa: ANN401
        yield from steps.record(context, delivered)

    ops = (select_segment, write, deliver, record_delivery)
    return tuple(op.alias(op.name.removeprefix(f"{steps.unique}__")) for op in ops)


def _description(goal: ExportGoal, connection: Connection, profiles: Profiles) -> str:
    who = "only those whose row changed since the last delivery" if goal.changes == "changed" else "all, every time"
    bound = f"- consent to {' or '.join(connection.objectives)}\n" if connection.objectives else ""
    return (
        f"{goal.title or f'Exports profiles to {connection.label}'}.\n\n"
        f"- segment: {profiles.segment(goal.segment).label}; {who}\n{bound}"
        f"- columns: {', '.join(column.field for column in goal.map) or 'none'}"
    )
