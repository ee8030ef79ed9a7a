"""The stage that a profile is in, and when its cap ends if it is at the goal's threshold. Pure: SQL out.

Touches count since the profile entered its stage. A touch of a profile that is merged since is its survivor's. What an
earlier run of this goal reserved and never recorded does not count: it was not delivered.
"""

from collections.abc import Collection, Iterator
from typing import Any

from cdp_sync.exporting.run import ExportRun
from cdp_sync.model.lifecycle_goal import ROLLING, GoalLifecycle
from cdp_sync.warehouse import quote_identifier, statement

IN_STAGE = "stage is not null and capped_until is null"
"""The condition that a profile may be exported, over what `with_stage` adds."""

_NOT_CAPPED = "select null::uuid as profile_id, null::timestamptz as until where false"


def with_stage(run: ExportRun, source: str, columns: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return a select of the source's columns with `stage` and `capped_until`, and what to bind.

    `stage` is null for a profile in none of the goal's stages, `capped_until` for one below the threshold.
    """
    lifecycle = run.goal.lifecycle
    if lifecycle is None:
        return source, {}
    capped, values = _capped(run, lifecycle, columns)
    sql = statement("exporting/touches/staged").format(source=source, capped=capped)
    return sql, {**values, "lifecycle": lifecycle.name, "stages": list(lifecycle.stages_of(run.profiles))}


def _capped(run: ExportRun, lifecycle: GoalLifecycle, columns: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return the query for the profiles at the threshold, with `until`, and what to bind."""
    threshold = lifecycle.threshold
    if threshold is None:
        return _NOT_CAPPED, {}
    if threshold.window == "calendar":
        since, end = threshold.calendar(run.now)
        later, until = ">=", "$cap_end::timestamptz"
        values: dict[str, Any] = {"cap_end": end}
    else:
        since, later = run.now - ROLLING[threshold.per], ">"
        # Of so many latest touches the first one leaves the window then.
        until = f"list_last(max(touched_at, {threshold.times})) + to_seconds($period)"
        values = {"period": int(ROLLING[threshold.per].total_seconds())}
    events, more = "", dict[str, Any](now=run.now)
    for number, (table, stages) in enumerate(_counted_events(run, lifecycle, columns)):
        stages_name = f"counted_in_{number}"
        events += statement("exporting/touches/touching_event").format(table=table, later=later, stages=stages_name)
        more[stages_name] = stages
    values |= {"since": since, "times": threshold.times, "connection": run.connection, "goal": run.goal.name}
    sql = statement("exporting/touches/capped").format(until=until, later=later, events=events)
    return sql, values | (more if events else {})


def _counted_events(
    run: ExportRun, lifecycle: GoalLifecycle, columns: Collection[str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the tables of events that this goal or another one counts as touches, and in which stages."""
    declared = run.profiles.lifecycle.get(lifecycle.name)
    counted = set(declared.counted if declared else ())
    counted |= {
        (stage, lifecycle.counted_event) for stage in lifecycle.stages_of(run.profiles) if lifecycle.counted_event
    }
    for name in sorted({name for _, name in counted} & run.profiles.event.keys()):
        table = run.profiles.event[name].table
        if f"{table}.event_id" in columns:
            yield f"warehouse.{quote_identifier(table)}", sorted(stage for stage, each in counted if each == name)
