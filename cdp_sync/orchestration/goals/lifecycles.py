"""Lifecycles as assets, which keep the stages of profiles, and the jobs that materialize them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.lifecycles import LIFECYCLES, StageChanges, keep_stages
from cdp_sync.model import Lifecycle, Profiles
from cdp_sync.model.asked import asked_by, asked_event_types, asked_groups, asked_scores
from cdp_sync.model.consistency import find_lifecycle_problems
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.goals.groups import groups_key
from cdp_sync.orchestration.goals.scores import score_key
from cdp_sync.orchestration.goals.segments import PROFILES, lifecycle_key
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.segments.describe import lifecycle_in_words
from cdp_sync.warehouse import Warehouse

_PRIORITY = -9_500
"""After all imports and events of a run, before its segments and exports."""


def build_lifecycles(profiles: Profiles) -> dg.Definitions:
    """Return an asset and a job for each lifecycle that is on, and one job for all of them.

    A lifecycle that is off or has problems is an asset that is never materialized.
    """
    assets: list[dg.AssetSpec | dg.AssetsDefinition] = []
    running = running_lifecycles(profiles)
    for lifecycle in profiles.lifecycles:
        is_running = lifecycle.name in running
        assets.append(_lifecycle_asset(lifecycle, profiles) if is_running else _idle_asset(lifecycle))
    jobs = [
        _job(f"lifecycle_{name}", [name], f"Keeps the stages of {profiles.lifecycle[name].label}.") for name in running
    ]
    if running:
        jobs.append(_job(LIFECYCLES, running, "Keeps the stages of all lifecycles that are on."))
    return dg.Definitions(assets=assets, jobs=jobs)


def running_lifecycles(profiles: Profiles) -> tuple[str, ...]:
    """Return the names of the lifecycles that are on and without problems."""
    return tuple(
        each.name for each in profiles.lifecycles if each.enabled and not find_lifecycle_problems(each, profiles)
    )


def _job(name: str, lifecycles: Iterable[str], description: str) -> Any:  # noqa: ANN401 - Dagster does not export its type
    selection = dg.AssetSelection.assets(*map(lifecycle_key, lifecycles)).without_checks()
    return dg.define_asset_job(name, selection=selection, description=description)


def _idle_asset(lifecycle: Lifecycle) -> dg.AssetSpec:
    why = "has problems; `cdp-sync check` names them" if lifecycle.enabled else "is off"
    return dg.AssetSpec(
        lifecycle_key(lifecycle.name),
        group_name=LIFECYCLES,
        description=f"{lifecycle.label}. It {why}: its stages are not kept, and its export goals export nobody.",
    )


def _lifecycle_asset(lifecycle: Lifecycle, profiles: Profiles) -> dg.AssetsDefinition:
    conditions = [condition for _, condition in lifecycle.conditions]
    events, groups = asked_event_types(conditions, profiles), asked_groups(conditions, profiles)

    @dg.asset(
        key=lifecycle_key(lifecycle.name),
        deps=[
            PROFILES,
            *map(events_key, events),
            *map(groups_key, groups),
            *map(score_key, asked_scores(conditions, profiles)),
            *map(lifecycle_key, asked_by(lifecycle, profiles)),
        ],
        group_name=LIFECYCLES,
        description=f"{lifecycle.label}.\n\n{lifecycle_in_words(lifecycle, profiles)}",
        kinds={"duckdb"},
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
        op_tags={"dagster/priority": str(_PRIORITY)},
    )
    def keep(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse: Warehouse = context.resources.warehouse.warehouse()

        def work() -> StageChanges:
            with warehouse.open("write") as session:
                return keep_stages(session, profiles, lifecycle, datetime.now(UTC), run_id=context.run.run_id)

        changes = attempt(context.log, work, lambda _error: None)
        context.log.info(changes.message)
        return dg.MaterializeResult(metadata=_metadata(changes, lifecycle))

    return keep


def _metadata(changes: StageChanges, lifecycle: Lifecycle) -> dict[str, Any]:
    """Return the numbers that the catalog plots, and the moves as a table."""
    inside = sum(changes.sizes[stage] for stage in lifecycle.every_stage)
    sizes = {f"stage {stage}": size for stage, size in changes.sizes.items()}
    schema = dg.TableSchema(
        [dg.TableColumn("from"), dg.TableColumn("to"), dg.TableColumn("profiles", type="int")],
    )
    records = [
        dg.TableRecord({"from": before or "outside", "to": after or "outside", "profiles": times})
        for before, after, times in changes.moves
    ]
    moves = {"moves": dg.MetadataValue.table(records, schema=schema)} if records else {}
    counts = {"entered": changes.entered, "changed stage": changes.moved, "left": changes.left}
    return {"dagster/row_count": inside, "summary": changes.message, **sizes, **counts, **moves}
