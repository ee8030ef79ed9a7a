"""Caps of profiles: which export goals found a profile at its threshold."""

from datetime import datetime
from typing import Any

from cdp_sync.warehouse.session import Session


def caps_of_profile(session: Session, profile_id: object, now: datetime) -> list[dict[str, Any]]:
    """Return the goals whose last run found a live profile, or a part of it, at its cap, and when the caps end.

    Caps that have ended are left out.
    """
    query = """
        select connection, goal, max(until) as until
        from warehouse.capped_profile
        where until > $now and profile_id in (
            select profile_id from warehouse.profile where $profile_id in (profile_id, merged_into)
        )
        group by all
        order by all"""
    return session.records(query, {"now": now, "profile_id": profile_id})


def remove_touches(session: Session, before: datetime) -> int:
    """Remove touches of before a moment, which count in no period any more; return how many there were."""
    removed = session.value("select count(*) from warehouse.touchpoint where happened_at < $before", {"before": before})
    session.execute("delete from warehouse.touchpoint where happened_at < $before", {"before": before})
    return int(removed)
