"""Scores as assets, each with its distribution and its hold-out, the job that computes all, and its schedule."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.model import Profiles, Score
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.triggers.schedules import schedule_job
from cdp_sync.scoring import Scored, Tenth, compute_scores
from cdp_sync.warehouse import Warehouse

SCORES = "scores"
"""First part of the scores' asset keys, their group, and the name of their job."""

_PRIORITY = -9_400
"""After the events of a run, before its lifecycles and segments."""

_BAR = 8
"""Characters of the longest bar of a distribution. With more, the table would be wider than a page of the UI."""

_NO_BREAK = "\u00a0"

_DIGITS = 4
"""Significant digits of what was fitted, and decimals of the correlation: more are not read, and not known."""


def score_key(name: str) -> dg.AssetKey:
    """Return a score's asset key."""
    return dg.AssetKey([SCORES, name])


def build_scores(profiles: Profiles) -> dg.Definitions:
    """Return an asset for each score, the job that computes them, and its schedule; nothing where there are none."""
    if not profiles.scores:
        return dg.Definitions()
    job = dg.define_asset_job(
        SCORES,
        selection=dg.AssetSelection.assets(*map(score_key, profiles.score)),
        description="Computes the scores of all profiles.",
    )
    return dg.Definitions(
        assets=[_score_asset(score, profiles) for score in profiles.scores],
        jobs=[job],
        schedules=[
            schedule_job(
                profiles.scores_schedule, job, description=f"Computes the scores {profiles.scores_schedule.words}."
            )
        ],
    )


def _score_asset(score: Score, profiles: Profiles) -> dg.AssetsDefinition:
    @dg.asset(
        key=score_key(score.name),
        deps=[*map(events_key, score.events)],
        group_name=SCORES,
        description=f"{score.label}. Percentiles of profiles, from 0 to 100.\n\n{score.words}",
        kinds={"duckdb"},
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
        op_tags={"dagster/priority": str(_PRIORITY)},
    )
    def compute(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse: Warehouse = context.resources.warehouse.warehouse()

        def work() -> Scored:
            with warehouse.open("write") as session:
                (scored,) = compute_scores(session, profiles, [score.name], datetime.now(UTC))
                return scored

        scored = attempt(context.log, work, lambda _error: None)
        return dg.MaterializeResult(metadata=_metadata(score, scored))

    return compute


def _metadata(score: Score, scored: Scored) -> dict[str, Any]:
    """Return what the catalog shows; numbers are plotted over time."""
    found = scored.held_out
    days = f"{score.horizon_days:,} days"
    too_few = f"Too few profiles have events before and in the last {days} to compare the score with what happened."
    held_out = {"hold-out": dg.MetadataValue.md(found.words if found else too_few)}
    plotted = {"hold-out correlation": round(found.of_score, _DIGITS)} if found else {}
    shown = {"distribution": dg.MetadataValue.md(_distribution(scored.tenths))} if scored.tenths else {}
    fitted = {name: float(f"{value:.{_DIGITS}g}") for name, value in scored.fitted.items()}
    return {"dagster/row_count": scored.profiles, **shown, **held_out, **plotted, **fitted}


def _distribution(tenths: tuple[Tenth, ...]) -> str:
    """Return a table with a bar for the highest value of each tenth; percentiles are not broken into lines."""
    most = max(tenth.highest for tenth in tenths)
    rows = [
        f"| {each.words.replace(' ', _NO_BREAK)} | {each.profiles:,} | "
        f"{each.lowest:,.4g} | {each.highest:,.4g} | {'█' * _length(each.highest, most)} |"
        for each in tenths
    ]
    return "\n".join(["| percentile | profiles | lowest value | highest value | |", "|---|---|---|---|---|", *rows])


def _length(value: float, most: float) -> int:
    return max(1, round(value / most * _BAR)) if most > 0 else 1
