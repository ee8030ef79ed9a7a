"""The groups of each type as an asset that lies between the goals that import them and what asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from cdp_sync.model import GroupType, ImportReport, Profiles

GROUPS = "groups"
"""First part of the asset keys of types of groups, and their group in the catalog."""


def groups_key(name: str) -> dg.AssetKey:
    """Return the asset key of a type of groups."""
    return dg.AssetKey([GROUPS, name])


def build_groups(profiles: Profiles, goals: Mapping[str, Sequence[dg.AssetKey]]) -> dg.Definitions:
    """Return an asset for each type of groups, after the goals that import it; they are given by type.

    No step materializes it: where a goal failed, Dagster would skip what depends on it. Goals note in it how many
    groups there are, see `groups_metadata`.
    """
    return dg.Definitions(assets=[_spec(group, goals.get(group.name, ())) for group in profiles.group_types])


def groups_metadata(report: ImportReport) -> dict[str, Any]:
    """Return what a goal notes in the asset of its type: how many groups there are, and the last ones by id."""
    sample = "\n".join(f"- `{group.profile_id}` {group.kind}" for group in report.samples) or "none changed"
    return {"dagster/row_count": report.records_total, "sample": dg.MetadataValue.md(sample)}


def _spec(group: GroupType, goals: Sequence[dg.AssetKey]) -> dg.AssetSpec:
    properties = ", ".join(prop.name for prop in group.properties) or "none"
    return dg.AssetSpec(
        groups_key(group.name),
        deps=list(goals),
        group_name=GROUPS,
        kinds={"duckdb", "table"},
        description=f"{group.label}: groups in the warehouse, each named by its id.\n\n- properties: {properties}",
    )
