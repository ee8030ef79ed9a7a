"""The warehouse's clock: times that only grow, also where a machine's clock was set back or another machine wrote last.

Every transaction that writes profiles, groups or events notes a time of it, or names the profiles that it has touched:
exports ask who changed since they looked.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cdp_sync.warehouse.session import Session

_NEXT = "update warehouse.clock set written_at = $moment::timestamptz"


def next_moment(session: Session, now: datetime) -> datetime:
    """Return the time that an open transaction notes: `now`, or later than all that were noted before."""
    moment = max(now, clock_of(session) + timedelta(microseconds=1))
    session.execute(_NEXT, {"moment": moment})
    return moment


def clock_of(session: Session) -> datetime:
    """Return the latest time that was noted."""
    moment: datetime = session.value("select written_at from warehouse.clock")
    return moment


def touch(session: Session, now: datetime, query: str, values: Mapping[str, object] | None = None) -> None:
    """Note in an open transaction that the profiles of a query with one column changed; null stands for everybody."""
    moment = next_moment(session, now)
    session.execute(
        f"insert into warehouse.profile_touch select distinct touched.profile_id, $moment::timestamptz "
        f"from ({query}) touched (profile_id)",
        {**(values or {}), "moment": moment},
    )


def touch_everybody(session: Session, now: datetime) -> None:
    """Note in an open transaction that every profile may have changed: exports make a full pass."""
    touch(session, now, "select null::uuid")


def forget_touches(session: Session, before: datetime) -> None:
    """Remove what was touched before a moment. A goal that has not run since makes a full pass."""
    of_some, latest = session.row(
        "select count(profile_id), max(touched_at) from warehouse.profile_touch where touched_at < $before",
        {"before": before},
    )
    if not of_some:
        return
    session.begin()
    session.execute("delete from warehouse.profile_touch where touched_at < $before", {"before": before})
    session.execute("insert into warehouse.profile_touch values (null, $latest)", {"latest": latest})
    session.commit()
