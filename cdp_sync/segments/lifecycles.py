"""The stages of profiles in lifecycles, as SQL conditions. They are those of the last time that stages were kept."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import func

from cdp_sync.segments.events import PROFILE_ID
from cdp_sync.segments.questions import Holds
from cdp_sync.segments.statements import SqlType

_STAGES = sa.table(
    "lifecycle_stage", *map(sa.column, ("lifecycle", "profile_id", "stage", "since")), schema="warehouse"
)


def is_in_stage(lifecycle: str, stages: Sequence[str]) -> Holds:
    """Return the condition, never null, that a profile is in one of these stages of a lifecycle."""
    wanted = sa.cast(sa.bindparam("stages", list(stages), unique=True), SqlType("VARCHAR[]"))
    there = _STAGES.c.lifecycle == sa.bindparam("lifecycle", lifecycle, unique=True)
    return PROFILE_ID.in_(
        sa.select(_STAGES.c.profile_id).where(there, func.list_contains(wanted, _STAGES.c.stage, type_=sa.Boolean()))
    )
