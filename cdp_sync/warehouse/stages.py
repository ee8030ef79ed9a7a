"""The stages that profiles are in, as they were kept last."""

from typing import Any

from cdp_sync.warehouse.session import Session


def stage_sizes(session: Session, lifecycle: str) -> dict[str, int]:
    """Return how many profiles are in each stage of a lifecycle; stages without any are left out."""
    query = "select stage, count(*) from warehouse.lifecycle_stage where lifecycle = $lifecycle group by stage"
    return dict(session.rows(query, {"lifecycle": lifecycle}))


def stages_of(session: Session, profile_id: object) -> list[dict[str, Any]]:
    """Return the lifecycles that a profile is in or has completed: `lifecycle`, `stage` and `since`."""
    query = """
        select lifecycle, stage, since
        from warehouse.lifecycle_stage
        where profile_id = $profile_id
        order by lifecycle"""
    return session.records(query, {"profile_id": profile_id})
