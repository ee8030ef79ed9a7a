"""What rollups make of the events of one profile, and its scores."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cdp_sync.model import Profiles
from cdp_sync.segments.events import PROFILE_ID
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.rollups import value_of
from cdp_sync.segments.statements import SqlType, step
from cdp_sync.warehouse import Session, readable_columns


def rollup_values(session: Session, profiles: Profiles, profile_id: object, now: datetime) -> dict[str, Any]:
    """Return the rollups of one live profile at a moment, and the percentiles of its scores, by name.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    names = (*profiles.rollup, *profiles.score)
    if not names:
        return {}
    columns = readable_columns(session, profiles)
    values = [value_of(profiles.readable[name], profiles, now, columns).label(name) for name in names]
    owner = sa.cast(sa.bindparam("profile_id", profile_id), SqlType("UUID"))
    query = step("rollups", sa.select(*values).select_from(PROFILE).where(owner == PROFILE_ID))
    [record] = session.records(query.sql, query.values)
    return record
