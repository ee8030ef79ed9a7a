"""Makes profiles one, and apart again, in the transaction of the caller: what the evidence says, no more.

While a run writes, the clusters that it touches are separate: each part stands in `profile` with what it has by
itself. Then they are joined anew. So whatever writes profiles needs to know nothing of merging.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cdp_sync.merging.clusters import blocked, connect, rule_in_words
from cdp_sync.merging.composing import composed_step
from cdp_sync.merging.evidence import SQL, find_evidence
from cdp_sync.merging.report import SAMPLE, Evidence, Merges
from cdp_sync.model import Profiles, Property
from cdp_sync.warehouse import (
    Session,
    Step,
    event_columns,
    fixed,
    profile_columns,
    quote_identifier,
    quote_literal,
)
from cdp_sync.warehouse.clock import touch

_SHOWN, _OWN, _LENT = (f"warehouse.{kind}_identifier" for kind in ("profile", "own", "lent"))

RULES = "rules"
"""Who decides, where no person does."""


@dataclass(frozen=True)
class Moment:
    """Which run decides, and when."""

    run_id: str
    now: datetime

    @property
    def values(self) -> dict[str, object]:
        """What statements bind."""
        return {"run_id": self.run_id, "now": self.now}


def may_merge(session: Session, profiles: Profiles) -> bool:
    """Return whether there is anything to merge by, or anything merged."""
    return bool(profiles.merge_rules) or bool(session.value("select exists (from warehouse.decision)"))


def join_profiles(session: Session, profiles: Profiles, moment: Moment, *, every: bool = False) -> Merges:
    """Join the profiles that are one person by rules and decisions, and take apart those that are not any more.

    Looks at the profiles of the table `checked_profile`, and at all that they lead to. Those of the table
    `merge_candidate` are new and stand in `own_profile` alone; they get their place in `profile`.
    """
    look(session, profiles, every=every)
    stopped = blocked(session)
    session.run(_decision_steps(moment))
    found = evidence(session)
    if session.value("select exists (from cluster) or exists (from merge_candidate)"):
        session.run([fixed("standing_part", f"{SQL}/standing_part")])
        separate(session, "standing_part")
        session.run(_place_steps(moment))
        session.run(_compose_steps(session, profiles, moment))
        session.run(_follow_steps(session, moment))
        touch(session, moment.now, _TOUCHED)
    merged, unmerged, moved = session.row(
        """select count(*) filter (old_live = profile_id and new_live <> profile_id),
            count(*) filter (old_live <> profile_id and new_live = profile_id),
            count(*) filter (profile_id not in (old_live, new_live) and old_live <> new_live)
        from cluster"""
    )
    return Merges(merged, unmerged, moved, found, stopped)


_TOUCHED = """from standing_part
union all
select unnest([profile_id, old_live, new_live]) from cluster"""
"""The profiles that were joined or taken apart, and those that they were shown by."""


def look(session: Session, profiles: Profiles, *, every: bool = False) -> None:
    """Find out what would be joined and taken apart: `edge`, `blocked`, `cluster`. Only reads the warehouse."""
    find_evidence(session, profiles, every=every)
    connect(session, profiles)
    session.run([fixed("new_edge", f"{SQL}/new_edge", words=rule_in_words(profiles))])


def evidence(session: Session) -> tuple[Evidence, ...]:
    """Return why profiles are joined: the first pairs."""
    query = (
        f"select left_id::text, right_id::text, rule, property, value from new_edge order by left_age limit {SAMPLE}"
    )
    return tuple(Evidence(*row) for row in session.rows(query))


def separate(session: Session, table: str) -> None:
    """Let the profiles of a table stand by themselves in `profile` and `profile_identifier`, until they are joined."""
    session.run(_separate_steps(table))


def _separate_steps(table: str) -> Iterator[Step]:
    parts = f"(select profile_id from {table})"
    survivors = f"(select profile_id from warehouse.own_profile where profile_id in {parts})"
    stored, own = "warehouse.profile", "warehouse.own_profile"
    yield Step("shown_before", f"create temp table if not exists shown_before as from {stored} limit 0")
    yield Step("shown_before", f"insert into shown_before by name from {stored} where profile_id in {survivors}")
    lent = f"select (property, value, profile_id) from {_LENT} where profile_id in {survivors}"
    yield Step(_SHOWN, f"delete from {_SHOWN} where (property, value, profile_id) in ({lent})")
    yield Step(_LENT, f"delete from {_LENT} where profile_id in {survivors}")
    yield Step(_SHOWN, f"insert into {_SHOWN} from {_OWN} where profile_id in {parts}")
    yield Step(_OWN, f"delete from {_OWN} where profile_id in {parts}")
    yield Step(stored, f"delete from {stored} where profile_id in {survivors}")
    yield Step(stored, f"insert into {stored} by name from {own} where profile_id in {parts}")
    yield Step(own, f"delete from {own} where profile_id in {parts}")


def _decision_steps(moment: Moment) -> Iterator[Step]:
    """Yield the steps that record what was decided, and revoke what does not hold any more."""
    values = {**moment.values, "by": RULES}
    yield fixed("warehouse.decision", f"{SQL}/decided", values)
    yield fixed("warehouse.decision", f"{SQL}/revoked", {"now": moment.now})


def _place_steps(moment: Moment) -> Iterator[Step]:
    """Yield the steps that say of each part which live profile shows it."""
    stored = "warehouse.profile"
    yield Step(
        stored,
        f"""update {stored} profile
set merged_into = nullif(cluster.new_live, cluster.profile_id)
from cluster
where profile.profile_id = cluster.profile_id
    and profile.merged_into is distinct from nullif(cluster.new_live, cluster.profile_id)""",
    )
    yield fixed("warehouse.profile_change", f"{SQL}/profile_change", moment.values)


def _candidate_steps() -> Iterator[Step]:
    """Yield the steps that give new profiles their place, unless they are survivors, and new live ones identifiers."""
    stored, own, new = "warehouse.profile", "warehouse.own_profile", "(select profile_id from merge_candidate)"
    survivors = "(select new_live from cluster where size > 1)"
    absorbed = "(select profile_id from cluster where new_live <> profile_id)"
    placed = f"profile_id in {new} and profile_id not in {survivors}"
    written = f"""insert into {stored} by name
select own.* replace (nullif(cluster.new_live, own.profile_id) as merged_into)
from (select * from {own} where {placed}) own
left join cluster using (profile_id)"""
    yield Step(stored, written)
    yield Step(own, f"delete from {own} where {placed}")
    yield from _move_identifiers(_OWN, _SHOWN, f"profile_id in {new} and profile_id not in {absorbed}")


def _compose_steps(session: Session, profiles: Profiles, moment: Moment) -> Iterator[Step]:
    """Yield the steps that put aside what survivors have by themselves, and write what they show."""
    stored, own = "warehouse.profile", "warehouse.own_profile"
    standing = "profile_id in (from standing_part)"
    survivors = f"(select profile_id from cluster where size > 1 and new_live = profile_id and {standing})"
    yield Step(own, f"insert into {own} by name from {stored} where profile_id in {survivors}")
    columns = list(profile_columns(session))
    yield composed_step(profiles, columns)
    yield Step(stored, f"delete from {stored} where profile_id in {survivors}")
    shown = [quote_identifier(name) for name in columns if name not in ("merged_into", "updated_at")]
    same = " and ".join(f"composed.{name} is not distinct from before.{name}" for name in shown)
    written = f"""insert into {stored} by name
select composed.* replace (case when {same} then before.updated_at else $now end as updated_at)
from composed
left join shown_before before on before.profile_id = composed.profile_id"""
    yield Step(stored, written, {"now": moment.now})
    yield Step("shown_before", "drop table shown_before")
    absorbed = f"select profile_id from cluster where new_live <> profile_id and {standing}"
    yield from _move_identifiers(_SHOWN, _OWN, f"profile_id in ({absorbed})")
    yield from _candidate_steps()
    for prop in profiles.identifiers:
        yield from _show_identifiers(prop)


def _move_identifiers(table: str, other: str, condition: str) -> Iterator[Step]:
    """Yield the steps that move identifiers: between those that live profiles show, and those that none shows."""
    yield Step(other, f"insert into {other} from {table} where {condition}")
    yield Step(table, f"delete from {table} where {condition}")


def _show_identifiers(prop: Property) -> Iterator[Step]:
    """Yield the steps that let survivors show the identifiers that their parts lend them, and no others."""
    name, text = quote_identifier(prop.name), quote_literal(prop.name)
    value = f"unnest({name})" if prop.multiple else name
    differing = f"""select composed.profile_id, composed.{name}
    from composed
    join warehouse.own_profile own using (profile_id)
    where composed.{name} is distinct from own.{name}"""
    shown = f"""select {text} as property, ({value})::text as value, profile_id
from ({differing})
where {name} is not null"""
    lent = f"{_LENT} where property = {text} and profile_id in (select profile_id from composed)"
    yield Step(_LENT, f"insert into {_LENT} from ({shown}) anti join {_SHOWN} using (property, value, profile_id)")
    yield Step(_SHOWN, f"insert into {_SHOWN} from {lent}")
    if prop.merged_by not in ("both", "survivor"):  # another part's value may be shown in place of its own
        hidden = f"property = {text} and (value, profile_id) not in (select (value, profile_id) from ({shown}))"
        yield from _move_identifiers(_SHOWN, _OWN, f"profile_id in (select profile_id from ({differing})) and {hidden}")


def _follow_steps(session: Session, moment: Moment) -> Iterator[Step]:
    """Yield the steps that let events and stages follow, and deliveries be made anew."""
    for name, columns in event_columns(session).items():
        table = f"warehouse.{quote_identifier(f'event_{name}')}"
        if "_named_profile" not in columns:  # of a type that is no longer declared
            yield Step(table, f"alter table {table} add column _named_profile uuid")
        latest = session.value(f"select max(_written_at) from {table}")
        written_at = max(moment.now, latest + timedelta(microseconds=1)) if latest else moment.now
        yield Step(
            table,
            f"""update {table} event
set profile_id = cluster.new_live, _written_at = $written_at,
    _named_profile = case when cluster.new_live <> cluster.profile_id then cluster.profile_id end
from cluster
where coalesce(event._named_profile, event.profile_id) = cluster.profile_id
    and event.profile_id <> cluster.new_live""",
            {"written_at": written_at},
        )
    yield fixed("warehouse.exported_profile", f"{SQL}/exported_profile")
    yield fixed("followed_stage", f"{SQL}/followed_stage")
    stages = "warehouse.lifecycle_stage"
    anew = """select profile_id from cluster where new_live <> profile_id
        union all select profile_id from followed_stage"""
    yield Step(stages, f"delete from {stages} where profile_id in ({anew})")
    yield Step(stages, f"insert into {stages} by name from followed_stage")
