"""Finds the profiles that may have changed since the last run of a goal: a few too many, and never one too few.

`staging.candidate` has their ids, `staging.candidate_profile` those of them that are live, as they are now, and
`staging.candidate_row` what the goal's ledger has of them. Where the time that has passed matters, a condition is asked
at both moments: a profile that answers differently is a candidate, however the condition is made.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from cdp_sync.exporting.changes.deciding import Former, Pass
from cdp_sync.exporting.changes.reads import EventRead
from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import GROUP_ID, Property
from cdp_sync.segments.events import Events
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.questions import answer, column_of
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Session, Step, fixed, quote_identifier

CANDIDATES = sa.table("candidate_profile", schema="staging").alias("profile")
"""The live profiles that may have changed, under the name that conditions use."""

_SQL = "exporting/changes"

_PROFILE_ID: sa.ColumnElement[object] = sa.literal_column("profile.profile_id")


def stage_candidates(session: Session, run: ExportRun, found: Pass, columns: Collection[str]) -> None:
    """Stage who may have changed since the goal's last run."""
    if (former := found.former) is None:
        return
    values = {"mark": former.mark, "number": former.number}
    session.run([fixed("candidate", f"{_SQL}/candidate", values)])
    session.run(_of_events(run, found, former, columns))
    session.run(_of_moments(run, found, former, columns))
    session.run(_of_groups(session, run, found, former, columns))
    any_found = session.value("select exists (from staging.candidate)")
    session.run(_placed(found=any_found))
    if related := run.related_steps(columns, found=any_found):
        session.run([*related, *_placed(found=any_found)])
    session.run([_rows(former, found=any_found)])


def _placed(*, found: bool) -> Iterator[Step]:
    """Yield the steps that read candidates; nothing is scanned where there are none."""
    if not found:
        yield Step(
            "candidate_profile",
            "create or replace table staging.candidate_profile as from warehouse.live_profile limit 0",
        )
        return
    yield fixed("candidate_place", f"{_SQL}/candidate_place")
    yield fixed("candidate_profile", f"{_SQL}/candidate_profile")


def _rows(former: Former, *, found: bool) -> Step:
    """Return the step that reads what the ledger has of candidates."""
    held = "where profile_id in (select distinct profile_id from staging.candidate)" if found else "limit 0"
    sql = f"create or replace table staging.candidate_row as from ({_LEDGER}) {held}"
    return Step("candidate_row", sql, {"number": former.number})


_LEDGER = "select profile_id, row_hash, value_hash from warehouse.exported_profile where goal_number = $number"


def _of_events(run: ExportRun, found: Pass, former: Former, columns: Collection[str]) -> Iterator[Step]:
    """Yield the steps that add the profiles of events that were written, or that time has let in or out."""
    for name in dict.fromkeys(read.type for read in found.reads.events):
        events = Events(run.profiles.event[name], run.now, columns)
        if events.are_stored:
            mark = sa.cast(sa.bindparam("mark", former.mark), sa.TIMESTAMP(timezone=True))
            yield _owners(events, events.column("_written_at") > mark)
    for read in found.reads.events:
        if read.counts_time and Events(run.profiles.event[read.type], run.now, columns).are_stored:
            yield _owners(Events(run.profiles.event[read.type], run.now, columns), _moved(run, read, former, columns))


def _owners(events: Events, which: sa.ColumnElement[bool]) -> Step:
    owner = events.column("profile_id")
    made = step("candidate", sa.select(owner).select_from(events.table).where(owner.is_not(None), which))
    return _added(made.sql, made.values)


def _moved(run: ExportRun, read: EventRead, former: Former, columns: Collection[str]) -> sa.ColumnElement[bool]:
    """Return the condition that an event counts at one of the moments of two runs and not at the other."""

    def counts(now: datetime) -> sa.ColumnElement[bool]:
        events = Events(run.profiles.event[read.type], now, columns)
        return sa.func.coalesce(sa.and_(*events.counted(read.where, read.window)), sa.false(), type_=sa.Boolean())

    return counts(former.moment).is_distinct_from(counts(run.now))


def _of_moments(run: ExportRun, found: Pass, former: Former, columns: Collection[str]) -> Iterator[Step]:
    """Yield the steps that add the profiles that answer a question differently because time has passed."""
    for question, prop in found.reads.moments:
        if prop.name not in columns:
            continue
        then, now = (answer(question, prop, column_of(prop, columns), each) for each in (former.moment, run.now))
        made = step("candidate", sa.select(_PROFILE_ID).select_from(PROFILE).where(then.is_distinct_from(now)))
        yield _added(made.sql, made.values)


def _of_groups(
    session: Session, run: ExportRun, found: Pass, former: Former, columns: Collection[str]
) -> Iterator[Step]:
    """Yield the steps that add the members of groups that were written."""
    for holder in sorted(found.reads.holders):
        prop = run.profiles.by_name[holder]
        table = run.profiles.group[str(prop.group_type)].table
        if f"{table}.{GROUP_ID}" not in columns or holder not in columns:
            continue
        changed = f"select {GROUP_ID} from warehouse.{quote_identifier(table)} where updated_at > $mark"
        if session.value(f"select exists ({changed})", {"mark": former.mark}):
            yield _added(_members(prop, changed), {"mark": former.mark})


def _members(prop: Property, changed: str) -> str:
    held = quote_identifier(prop.name)
    if prop.multiple:
        every = f"(select list(id) from ({changed}) written (id))"
        return f"select profile_id from warehouse.live_profile where list_has_any({held}, {every})"
    return f"select profile_id from warehouse.live_profile where {held} in ({changed})"


def _added(query: str, values: Mapping[str, object]) -> Step:
    return Step("candidate", f"insert into staging.candidate {query}", values)
