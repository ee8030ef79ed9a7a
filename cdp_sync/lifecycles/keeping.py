"""Keeps `warehouse.lifecycle_stage`: works out the stage of every live profile, and writes what changed.

One statement reads the profiles once. Each change is an event `stage_changed` of its profile. Two things are no change
of a profile, and have no event: the stage in which a new lifecycle finds it, and that it is merged into another one or
is not there any more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cdp_sync.model import COMPLETED, STAGE_CHANGED, UNASSIGNED, Condition, Lifecycle, Profiles
from cdp_sync.model.counting import counted
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.events import PROFILE_ID
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.questions import Columns
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Session, Step, quote_literal, readable_columns, sync_events
from cdp_sync.warehouse.clock import touch, touch_everybody
from cdp_sync.warehouse.stages import stage_sizes

LIFECYCLES = "lifecycles"
"""What the events of changes name as their connection; their goal is the lifecycle."""

_KEPT, _STAGES, _EVENTS = "warehouse.kept_lifecycle", "warehouse.lifecycle_stage", f"warehouse.{STAGE_CHANGED.table}"

_NEXT_REVISION = "update warehouse.revision set number = number + 1"


@dataclass(frozen=True)
class StageChanges:
    """What keeping the stages of a lifecycle changed, and what is there now."""

    lifecycle: str
    sizes: Mapping[str, int]
    """How many profiles are in each stage, `unassigned` first and `completed` last."""
    moves: tuple[tuple[str | None, str | None, int], ...]
    """How many profiles went from which stage to which, most first; None: from or to outside the lifecycle."""

    @property
    def entered(self) -> int:
        """How many profiles came into the lifecycle."""
        return sum(times for before, _, times in self.moves if before is None)

    @property
    def left(self) -> int:
        """How many profiles left it."""
        return sum(times for _, after, times in self.moves if after is None)

    @property
    def moved(self) -> int:
        """How many profiles went from one stage to another."""
        return sum(times for *_, times in self.moves) - self.entered - self.left

    @property
    def message(self) -> str:
        """What changed, in a sentence."""
        parts = (("entered", self.entered), ("changed stage", self.moved), ("left", self.left))
        changes = ", ".join(f"{times:,} {what}" for what, times in parts if times)
        inside = sum(size for stage, size in self.sizes.items() if stage != COMPLETED)
        return f"{counted(inside, 'profile')} in {self.lifecycle}: {changes or 'nothing changed'}."


def keep_stages(
    session: Session, profiles: Profiles, lifecycle: Lifecycle, now: datetime, *, run_id: str | None = None
) -> StageChanges:
    """Bring the stages of a lifecycle up to a moment, in one transaction. Idempotent.

    Args:
        session: Open for writing, without a transaction.
        profiles: The declared profile, with its lifecycles.
        lifecycle: One of these, without problems.
        now: The moment, with its offset from UTC.
        run_id: The run that the events name.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    columns = readable_columns(session, profiles)
    if f"{STAGE_CHANGED.table}.to_stage" not in columns:
        sync_events(session, profiles)
    session.begin()
    try:
        session.run([_change_step(profiles, lifecycle, now, columns)])
        if not session.value(f"select exists (from {_KEPT} where lifecycle = $name)", {"name": lifecycle.name}):
            touch_everybody(session, now)
            session.run(_begin_steps(lifecycle, now))
        elif session.value("select exists (from stage_change)"):
            touch(session, now, "select profile_id from stage_change")
            session.run(_apply_steps(session, lifecycle, now, run_id))
        moves = session.rows(
            "select from_stage, to_stage, count(*) from stage_change group by all order by 3 desc, 1, 2"
        )
        sizes = stage_sizes(session, lifecycle.name)
        session.execute("drop table stage_change")
        session.commit()
    except BaseException:
        session.roll_back()
        raise
    every = (*lifecycle.every_stage, COMPLETED)
    return StageChanges(lifecycle.name, {stage: sizes.get(stage, 0) for stage in every}, tuple(moves))


def _change_step(profiles: Profiles, lifecycle: Lifecycle, now: datetime, columns: Columns) -> Step:
    """Return the step that makes `stage_change`: the profiles whose stage is another one than is stored."""
    found = step("new", stage_query(profiles, lifecycle, now, columns))
    return Step(
        "stage_change",
        f"""create or replace temp table stage_change as
with new as (
{found.sql}
),
known as (
    select profile_id, stage from warehouse.lifecycle_stage where lifecycle = $name_of_lifecycle
)
select profile_id, known.stage as from_stage, new.stage as to_stage
from new
full join known using (profile_id)
where new.stage is distinct from known.stage""",
        {**found.values, "name_of_lifecycle": lifecycle.name},
    )


def stage_query(
    profiles: Profiles, lifecycle: Lifecycle, now: datetime, columns: Columns = None
) -> sa.Select[tuple[object, object]]:
    """Return the query for each live profile in a lifecycle, or that has completed it, with its stage at a moment."""

    def holds(when: Condition) -> sa.ColumnElement[bool]:
        return condition_of(when, profiles, now, columns)

    whens = [(holds(stage.when), stage.name) for stage in reversed(lifecycle.stages)]
    if lifecycle.complete:
        completed = holds(lifecycle.complete)
        if lifecycle.reenter:
            completed = sa.and_(completed, sa.not_(holds(lifecycle.reenter)))
        whens.insert(0, (completed, COMPLETED))
    stage = sa.case(*((when, _text(name)) for when, name in whens), else_=_text(UNASSIGNED))
    return (
        sa.select(PROFILE_ID.label("profile_id"), stage.label("stage"))
        .select_from(PROFILE)
        .where(holds(lifecycle.enter))
    )


def _text(name: str) -> sa.ColumnElement[str]:
    return sa.literal_column(quote_literal(name))


def _begin_steps(lifecycle: Lifecycle, now: datetime) -> Iterator[Step]:
    """Yield the steps of a lifecycle that has not been kept before."""
    yield _entry_step(lifecycle, now)
    yield Step(_KEPT, f"insert into {_KEPT} values ($name, $now)", {"name": lifecycle.name, "now": now})
    yield Step("warehouse.revision", _NEXT_REVISION)


def _entry_step(lifecycle: Lifecycle, now: datetime) -> Step:
    """Return the step that writes the stages that profiles are in now and were not in before."""
    entered = "select $lifecycle, profile_id, to_stage, $now from stage_change where to_stage is not null"
    insert = f"insert into {_STAGES} (lifecycle, profile_id, stage, since) {entered}"
    return Step(_STAGES, insert, {"lifecycle": lifecycle.name, "now": now})


def _apply_steps(session: Session, lifecycle: Lifecycle, now: datetime, run_id: str | None) -> Iterator[Step]:
    """Yield the steps that write the changes: the stages, and the events."""
    named = {"lifecycle": lifecycle.name}
    changed = "lifecycle = $lifecycle and profile_id in (select profile_id from stage_change)"
    yield Step(_STAGES, f"delete from {_STAGES} where {changed}", named)
    yield _entry_step(lifecycle, now)
    if session.value("select exists (from stage_change where to_stage is null)"):
        gone = "to_stage is null and profile_id not in (select profile_id from warehouse.live_profile)"
        yield Step("stage_change", f"delete from stage_change where {gone}")
    latest = session.value(f"select max(_written_at) from {_EVENTS}")
    written_at = max(now, latest + timedelta(microseconds=1)) if latest else now
    yield Step(
        _EVENTS,
        f"""insert into {_EVENTS} by name
select
    md5(concat_ws(' ', $lifecycle, profile_id, epoch_us($written_at::timestamptz), from_stage, '>', to_stage))
        as event_id,
    profile_id, $now as happened_at, $written_at as _written_at,
    $connection as connection, $lifecycle as goal, $run_id as run_id,
    $lifecycle as lifecycle, from_stage, to_stage
from stage_change""",
        {**named, "now": now, "written_at": written_at, "connection": LIFECYCLES, "run_id": run_id},
    )
    yield Step("warehouse.revision", _NEXT_REVISION)
