"""Up to when Dagster attended to a schedule: what was due behind that is due still."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType  # not public, as nothing of ticks is
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, ScheduleInstigatorData, TickStatus

_ATTENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED]


def attended_until(context: dg.ScheduleEvaluationContext) -> datetime | None:
    """Return up to when Dagster attended to a schedule before this tick of it; nothing where no tick is kept."""
    if context.instance_ref is None or not context.log_key:
        return None
    tick = context.log_key[-1]
    for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        latest = _ticks(context, state, limit=2)
        if latest and str(latest[0].tick_id) == tick:
            until = _until(state, latest[1:], _ticks(context, state, limit=1, statuses=_ATTENDED))
            return datetime.fromtimestamp(until, UTC) if until else None
    return None


def _ticks(
    context: dg.ScheduleEvaluationContext,
    state: InstigatorState,
    *,
    limit: int,
    statuses: list[TickStatus] | None = None,
) -> Sequence[InstigatorTick]:
    """Return the latest ticks of a schedule, newest first; the tick at hand is the first."""
    if context.log_key is None or state.instigator_name != context.log_key[-2]:
        return ()
    return context.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=limit, statuses=statuses)


def _until(state: InstigatorState, before: Sequence[InstigatorTick], attended: Sequence[InstigatorTick]) -> float:
    """Return when the last tick was that succeeded, when the schedule was switched on, or when nothing was left to do.

    Of the last Dagster makes a note every hour, also behind a tick that failed; that note then counts for nothing.
    """
    data = state.instigator_data
    if not isinstance(data, ScheduleInstigatorData):
        return 0
    failed = any(tick.status == TickStatus.FAILURE for tick in before)
    noted = None if failed else data.last_iteration_timestamp
    return max(data.start_timestamp or 0, noted or 0, *(tick.timestamp for tick in attended))
