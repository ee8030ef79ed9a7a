"""Types of events as assets, and their tables, which lie between import goals and them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.model import STAGE_CHANGED, EventType, Profiles
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.resources import reading_pool
from cdp_sync.warehouse.timeline import EventCounts, count_events

EVENTS = "events"
"""First part of the asset keys of types of events, and their group."""

_PRIORITY = -9_000
"""After the imports of a run, before its segments."""

_AFTER_STAGES = _PRIORITY - 600
"""After the lifecycles of a run, too."""


def events_key(name: str) -> dg.AssetKey:
    """Return the asset key of a type of events."""
    return dg.AssetKey([EVENTS, name])


def build_events(profiles: Profiles, imports: Mapping[str, Iterable[dg.AssetKey]]) -> dg.Definitions:
    """Return an asset for each type of events, and its table, which depends on the import goals that have the type.

    The table is never materialized. If the asset depended on the goals directly, Dagster would skip it, its segments
    and the exports of those, whenever one import of the run fails.
    """
    tables = [
        dg.AssetSpec(
            dg.AssetKey([event.table]),
            deps=list(imports.get(event.name, ())),
            group_name=EVENTS,
            kinds={"duckdb", "table"},
            description=f"The table of events {event.name} in the warehouse: what {_writers(event)} write.",
        )
        for event in profiles.event_types
    ]
    return dg.Definitions(assets=[*tables, *map(_events_asset, profiles.event_types)])


def _writers(event: EventType) -> str:
    return "lifecycles" if event.name == STAGE_CHANGED.name else "import goals"


def _events_asset(event: EventType) -> dg.AssetsDefinition:
    kept = f"Kept for {event.keep_days:,} days." if event.keep_days else "Kept for ever."

    @dg.asset(
        key=events_key(event.name),
        deps=[dg.AssetKey([event.table])],
        group_name=EVENTS,
        description=f"{event.label}. {kept}",
        kinds={"duckdb"},
        metadata={"dagster/column_schema": _schema(event)},
        required_resource_keys={"warehouse"},
        pool=reading_pool(),
        op_tags={"dagster/priority": str(_AFTER_STAGES if event.name == STAGE_CHANGED.name else _PRIORITY)},
    )
    def count(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse = context.resources.warehouse.warehouse()

        def look() -> EventCounts:
            with warehouse.open("read") as session:
                return count_events(session, event.name, datetime.now(UTC))

        found = attempt(context.log, look, lambda _error: None)
        return dg.MaterializeResult(metadata=_metadata(found))

    return count


def _metadata(found: EventCounts) -> dict[str, Any]:
    by_day = _table(("day", "events"), [(str(day), events) for day, events in found.by_day])
    by_source = _table(("connection", "goal", "events"), found.by_source)
    waiting = {"waiting": found.waiting} if found.waiting else {}
    return {"dagster/row_count": found.total, **waiting, "last 30 days": by_day, "sources": by_source}


def _table(names: Sequence[str], rows: Iterable[Sequence[str | int]]) -> dg.TableMetadataValue:
    schema = dg.TableSchema([dg.TableColumn(name, type="int" if name == "events" else "string") for name in names])
    records = [dg.TableRecord(dict(zip(names, row, strict=True))) for row in rows]
    return dg.MetadataValue.table(records, schema=schema)


def _schema(event: EventType) -> dg.TableSchema:
    own = {"event_id": "VARCHAR", "profile_id": "UUID", "happened_at": "TIMESTAMP WITH TIME ZONE"}
    columns = own | {prop.name: prop.sql_type for prop in event.properties}
    return dg.TableSchema([dg.TableColumn(name, type=kind) for name, kind in columns.items()])
