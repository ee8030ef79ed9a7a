"""A goal as a graph-backed asset: its ops in a row, each of which hands a handle to the next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import dagster as dg

from cdp_sync.orchestration.goals.goal_steps import GoalSteps

Shown = Callable[..., Any]
"""An op under the name that the UI shows."""


@dataclass(frozen=True)
class GoalOp:
    """An op of a goal.

    Args:
        name: As the UI shows it.
        description: What the UI says of it.
        work: What it does, given its context and, of every op but the first, the handle of the one before.
        more: Further arguments of Dagster's op, such as its pool.
    """

    name: str
    description: str
    work: Callable[..., Any]
    more: Mapping[str, Any] = field(default_factory=dict)


def build_ops(steps: GoalSteps[Any], ops: Iterable[GoalOp], *, priority: int) -> tuple[Shown, ...]:
    """Return a goal's ops, in order. Their definitions have names that no other goal's have.

    A failed goal does not stop the next one, so the running order of goals is one of priority, not of dependency.
    """
    return tuple(_build(steps, op, priority, is_first=place == 0) for place, op in enumerate(ops))


def _build(steps: GoalSteps[Any], op: GoalOp, priority: int, *, is_first: bool) -> Shown:
    # A handle is a dict, which Dagster would make a type of its own for, in every op of every goal: hence Any.
    def begin(context: dg.OpExecutionContext) -> Any:  # noqa: ANN401
        return op.work(context)

    def go_on(context: dg.OpExecutionContext, handle: Any) -> Any:  # noqa: ANN401
        return op.work(context, handle)

    definition = dg.op(
        name=f"{steps.unique}__{op.name}",
        description=op.description,
        tags={"dagster/priority": str(priority)},
        required_resource_keys={steps.server_key, "warehouse"},
        **op.more,
    )(begin if is_first else go_on)
    return definition.alias(op.name)


def build_goal(
    steps: GoalSteps[Any],
    ops: tuple[Shown, ...],
    *,
    kinds: set[str],
    description: str,
    key: dg.AssetKey | None = None,
    after: dg.AssetKey | None = None,
    **more: Any,  # noqa: ANN401 - Dagster's arguments
) -> dg.AssetsDefinition:
    """Return the asset that a goal's ops make: `[connection, goal]`, unless a key is given.

    Its first op waits for the asset `after`, if there is one.
    """
    first, *others = ops
    shown = dg.graph_asset(
        key=key or steps.key,
        group_name=steps.connection.name,
        description=description,
        kinds=kinds,
        owners=list(steps.connection.owners),
        ins={"after": dg.AssetIn(key=after, dagster_type=dg.Nothing)} if after else None,
        **more,
    )

    def goal() -> Any:  # noqa: ANN401 - Dagster's own type of an output to come
        return reduce(lambda output, op: op(output), others, first())

    def goal_after(after: Any) -> Any:  # noqa: ANN401
        return reduce(lambda output, op: op(output), others, first(after))

    asset: dg.AssetsDefinition = shown(goal_after if after else goal)
    return asset
