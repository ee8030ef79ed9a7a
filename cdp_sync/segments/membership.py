"""The profiles in a segment: counted in an open warehouse, or as a condition for other statements."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, func, literal_column, select, table

from cdp_sync.model import Profiles
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.describe import in_words
from cdp_sync.segments.statements import shown, step
from cdp_sync.warehouse import Session, readable_columns

PROFILE = table("live_profile", schema="warehouse").alias("profile")
"""The table that conditions ask about, under the name that they use."""


@dataclass(frozen=True)
class SegmentView:
    """A segment as it is at a moment."""

    name: str
    size: int
    """How many live profiles are in it."""
    sample: tuple[str, ...]
    """Identifiers of some of them, the newest first."""
    words: str
    """Its condition in words, in markdown."""
    sql: str
    """The query for its profiles, to be pasted into a shell of DuckDB that has the warehouse's file open."""


def view_segment(session: Session, profiles: Profiles, name: str, now: datetime, limit: int = 5) -> SegmentView:
    """Return what a segment is at a moment, which has an offset from UTC; `limit` is the size of its sample.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    columns = readable_columns(session, profiles)
    profile: ColumnElement[object] = literal_column("profile.profile_id")
    created: ColumnElement[object] = literal_column("profile.created_at")
    members = (
        select(cast(profile, Text).label("profile_id"))
        .select_from(PROFILE)
        .where(is_in_segment(profiles, name, now, columns))
    )
    size = step("size", select(func.count()).select_from(members.subquery("members")))
    sample = step("sample", members.order_by(created.desc(), profile).limit(limit))
    return SegmentView(
        name=name,
        size=session.value(size.sql, size.values),
        sample=tuple(profile for (profile,) in session.rows(sample.sql, sample.values)),
        words=in_words(profiles.segment(name), profiles),
        sql=shown(step("members", members)),
    )


def is_in_segment(
    profiles: Profiles, name: str, now: datetime, columns: Collection[str] | None = None
) -> ColumnElement[bool]:
    """Return the condition, never null, that a row of `PROFILE` is in a segment; see `condition_of`."""
    return condition_of(profiles.segment(name).when, profiles, now, columns)
