"""Segments as assets, and the profiles that lie between imports and segments."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.lifecycles import LIFECYCLES
from cdp_sync.model import Profiles, Segment
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.events import events_key
from cdp_sync.orchestration.goals.groups import groups_key
from cdp_sync.orchestration.goals.scores import score_key
from cdp_sync.orchestration.resources import reading_pool
from cdp_sync.segments.describe import in_words
from cdp_sync.segments.membership import SegmentView, view_segment

SEGMENTS = "segments"
"""First part of the segments' asset keys, and their group."""

PROFILES = dg.AssetKey(["profiles"])
"""The profile table, as an asset of the lineage that is never materialized.

Imports come before it, segments and merging after it. If segments depended on imports directly, Dagster would skip
them, and the exports of those, whenever one import of the run fails.
"""

_PRIORITY = -10_000
"""After all imports of a run, before its exports."""


def segment_key(name: str) -> dg.AssetKey:
    """Return a segment's asset key."""
    return dg.AssetKey([SEGMENTS, name])


def lifecycle_key(name: str) -> dg.AssetKey:
    """Return a lifecycle's asset key."""
    return dg.AssetKey([LIFECYCLES, name])


def shows_profiles(profiles: Profiles) -> bool:
    """Return whether the catalog has the asset `profiles`: something depends on it."""
    return bool(profiles.segments or profiles.merge_rules or profiles.lifecycles)


def build_segments(profiles: Profiles, imports: Iterable[dg.AssetKey]) -> dg.Definitions:
    """Return an asset for each segment, and the profiles that these, lifecycles and merge rules are about, if any.

    The profiles depend on `imports`, the assets of all import goals of the project.
    """
    if not shows_profiles(profiles):
        return dg.Definitions()
    table = dg.AssetSpec(
        PROFILES,
        deps=list(imports),
        group_name="profiles",
        kinds={"duckdb", "table"},
        description="The profiles in the warehouse: what all import goals write, and all segments are taken from.",
    )
    return dg.Definitions(assets=[table, *(_segment_asset(segment, profiles) for segment in profiles.segments)])


def _segment_asset(segment: Segment, profiles: Profiles) -> dg.AssetsDefinition:
    asked = dict.fromkeys(part.segment for _, part in segment.when.walk() if part.segment)
    events, groups = profiles.asked_events(segment.name), profiles.asked_groups(segment.name)
    scores = profiles.asked_scores(segment.name)
    stages = dict.fromkeys(part.lifecycle for _, part in segment.when.walk() if part.lifecycle)
    words = in_words(segment, profiles)

    @dg.asset(
        key=segment_key(segment.name),
        deps=[
            PROFILES,
            *map(segment_key, asked),
            *map(events_key, events),
            *map(groups_key, groups),
            *map(score_key, scores),
            *map(lifecycle_key, stages),
        ],
        group_name=SEGMENTS,
        description=f"{segment.label}.\n\n{words}",
        kinds={"duckdb"},
        required_resource_keys={"warehouse"},
        pool=reading_pool(),
        op_tags={"dagster/priority": str(_PRIORITY)},
    )
    def count_segment(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse = context.resources.warehouse.warehouse()

        def look() -> SegmentView:
            with warehouse.open("read") as session:
                return view_segment(session, profiles, segment.name, datetime.now(UTC))

        view = attempt(context.log, look, lambda _error: None)  # a segment has no history to note a failure in
        return dg.MaterializeResult(metadata=_metadata(view, words))

    return count_segment


def _metadata(view: SegmentView, words: str) -> dict[str, Any]:
    """Return what the catalog shows; the size is plotted over time."""
    sample = "\n".join(f"- `{profile}`" for profile in view.sample) or "nobody"
    return {
        "dagster/row_count": view.size,
        "condition": dg.MetadataValue.md(words),
        "sample": dg.MetadataValue.md(sample),
        "sql": dg.MetadataValue.md(f"```sql\n{view.sql}\n```"),
    }
