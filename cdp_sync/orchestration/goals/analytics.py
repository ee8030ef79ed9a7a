"""The views of analytics as assets: their figures plotted, their chart, and a file of them where one is declared."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import dagster as dg
from pydantic import Field

from cdp_sync.analytics import VIEWS, Figures, Timeframe, bar_chart, first_day, last_days, view_figures
from cdp_sync.analytics.sources import activity_types
from cdp_sync.errors import Terminal
from cdp_sync.model import Analytics, Profiles
from cdp_sync.model.analytics import MESSAGES, Period
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.resources import reading_pool
from cdp_sync.orchestration.triggers.schedules import schedule_job
from cdp_sync.private import private_folder, write_private
from cdp_sync.warehouse import Warehouse

ANALYTICS = "analytics"
"""First part of the views' asset keys, their group, and the job that counts all of them."""

_PRIORITY = -8_000
"""After the events of a run are counted."""

_ABOUT = {
    "identification": "How many of the active profiles are identified",
    "customers": "New and returning customers, their orders and revenue",
    "performance": "What happened to messages, and the orders and revenue after them",
    "campaigns": "What happened to the messages of each campaign, and the orders and revenue after them",
}


def build_analytics(profiles: Profiles) -> dg.Definitions:
    """Return an asset `[analytics, VIEW]` for each view, their job and its schedule; nothing where none is declared."""
    declared = profiles.analytics
    if declared is None:
        return dg.Definitions()
    job = dg.define_asset_job(
        ANALYTICS,
        selection=dg.AssetSelection.assets(*(dg.AssetKey([ANALYTICS, view]) for view in VIEWS)),
        description="Counts the figures of all views of analytics.",
    )
    words = f"Counts the figures of analytics {declared.schedule.words}." if declared.schedule else ""
    schedules = [schedule_job(declared.schedule, job, description=words)] if declared.schedule else []
    assets = [_view_asset(view, declared, profiles) for view in VIEWS]
    return dg.Definitions(assets=assets, jobs=[job], schedules=schedules)


class Days(dg.Config):
    """Another timeframe than the declared one."""

    since: str | None = Field(
        None, description="First day, such as 2026-01-01, in UTC; by default as many as declared."
    )
    until: str | None = Field(None, description="Last day, included.")
    by: str | None = Field(None, description="What a row is about: total, day, week or month.")


def _view_asset(view: str, declared: Analytics, profiles: Profiles) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey([ANALYTICS, view]),
        deps=[events_key(name) for name in _types(view, declared, profiles)],
        group_name=ANALYTICS,
        description=f"{_ABOUT[view]}. Of the last {counted(declared.days, 'whole day')} in UTC, or of chosen ones.",
        kinds={"duckdb"},
        required_resource_keys={"warehouse"},
        pool=reading_pool(),
        op_tags={"dagster/priority": str(_PRIORITY)},
    )
    def count_figures(context: dg.AssetExecutionContext, config: Days) -> dg.MaterializeResult[Any]:
        warehouse: Warehouse = context.resources.warehouse.warehouse()
        timeframe = _timeframe(config, declared)

        def look() -> Figures:
            with warehouse.open("read") as session:
                return view_figures(session, profiles, view, timeframe)

        figures = attempt(context.log, look, lambda _error: None)
        file = _write(figures, declared.file) if declared.file else None
        return dg.MaterializeResult(metadata=_metadata(figures, file))

    return count_figures


def _types(view: str, declared: Analytics, profiles: Profiles) -> list[str]:
    """Return the types of events that a view counts."""
    if view == "identification":
        return [event.name for event in activity_types(profiles)]
    roles = ("order",) if view == "customers" else (*MESSAGES, "order")
    found = (declared.event(role, profiles.event) for role in roles)
    return list(dict.fromkeys(event.name for event in found if event))


def _timeframe(config: Days, declared: Analytics) -> Timeframe:
    """Return the timeframe that a run asks for, or else the declared one.

    Raises:
        Terminal: A day or a period is none.
    """
    usual = last_days(declared.days, datetime.now(UTC), declared.by)
    try:
        until = date.fromisoformat(config.until) if config.until else usual.until
        since = date.fromisoformat(config.since) if config.since else first_day(declared.days, until)
        return Timeframe(since, until, cast("Period", config.by or usual.by))
    except ValueError as problem:
        raise Terminal(
            f"The run config has no timeframe: {problem}.", remedy="Correct it, or leave it out."
        ) from problem


def _write(figures: Figures, form: str) -> str:
    """Write the file of a view, complete or not at all, and return its path; one of the same last day is replaced."""
    folder = private_folder(data_folder().analytics)
    file = folder / f"{figures.view}_{figures.timeframe.until:%Y%m%d}.{form}"
    scratch = file.with_name(f".{file.name}")
    write_private(scratch, figures.text(form))
    return str(scratch.replace(file).relative_to(folder.parents[1]))


def _metadata(figures: Figures, file: str | None) -> dict[str, Any]:
    """Return the figures of the timeframe as numbers, which Dagster plots, and a chart of its rows."""
    plotted = {name: _number(figures.total[name]) for name in figures.names if figures.total[name] is not None}
    about = {
        "timeframe": f"{figures.timeframe.since} to {figures.timeframe.until}",
        "chart": dg.MetadataValue.md(bar_chart(figures)),
    }
    return {**about, **plotted, **({"file": file} if file else {})}


def _number(value: int | Decimal) -> int | float:
    return value if isinstance(value, int) else float(value)
