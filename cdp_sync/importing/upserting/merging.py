"""Joins the profiles of a run that are one person, in the transaction that lands its rows."""

from collections.abc import Collection, Iterator
from datetime import datetime

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.value_columns import StagedLink, StagedValue
from cdp_sync.merging.composing import timed_properties
from cdp_sync.merging.joining import Moment, join_profiles, may_merge, separate
from cdp_sync.merging.report import Merges
from cdp_sync.model import Profiles
from cdp_sync.model.merge_rule import MOST_HOLDERS, SHORTEST
from cdp_sync.warehouse import Session, Step, fixed, quote_identifier, quote_literal

_SQL = "importing/upserting"


def separate_touched(session: Session, columns: Columns) -> None:
    """Let merged profiles that rows are about stand by themselves, all parts of each: rows name one of these."""
    if columns.entity.merged:
        session.run([fixed("touched_part", f"{_SQL}/touched_part")])
        separate(session, "touched_part")


def prepare_merges(session: Session, columns: Columns, profiles: Profiles, created: int) -> bool:
    """Find what the rules have to look at, before anything is written; return whether there are candidates.

    Makes `merge_candidate`, new profiles that may share a value of a rule with others, and `lost_value`.
    """
    names = dict.fromkeys(rule.property for rule in profiles.merge_rules)
    listed = ", ".join(map(quote_literal, names))
    lost = fixed("lost_value", f"{_SQL}/lost_value", {"shortest": SHORTEST}, properties=listed)
    session.run((_candidate_step(columns, names) if created else _NO_CANDIDATE, lost if names else _NOTHING_LOST))
    return bool(session.value("select exists (from merge_candidate)"))


_NO_CANDIDATE = Step("merge_candidate", "create or replace temp table merge_candidate (profile_id uuid)")
_NOTHING_LOST = Step("lost_value", "create or replace temp table lost_value (property text, value text)")


def _candidate_step(columns: Columns, names: Collection[str]) -> Step:
    """Return the step that finds them. Different values with the same hash are rare, and only cost a look."""
    said = "\n    union all\n    ".join(
        f"select row, {text} as property, {column} as value from row_value" for text, column in _said(columns, names)
    )
    words = {"said": said, "properties": ", ".join(map(quote_literal, names))}
    step = fixed("merge_candidate", f"{_SQL}/merge_candidate", {"shortest": SHORTEST}, **words)
    return step if said else _NO_CANDIDATE


def _said(columns: Columns, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the properties of rules, as text, with the staged columns that say something for them."""
    every: tuple[StagedLink | StagedValue, ...] = (*columns.links, *columns.values)
    for staged in every:
        if staged.prop.name in names:
            column = quote_identifier(staged.column)
            yield quote_literal(staged.prop.name), f"unnest({column})" if staged.prop.multiple else f"{column}::varchar"


def land_merges(session: Session, run: ImportRun, columns: Columns, now: datetime) -> Merges:
    """Join what is one person by what is stored now, and count it by file in `file_counters`.

    To be called when profiles and events are written, before the counters are recorded.
    """
    if not (columns.entity.is_person and columns.links and may_merge(session, run.profiles)):
        return Merges()
    for value in columns.values:
        if value.prop in timed_properties(run.profiles):
            session.run(_time_steps(run, value, now))
    session.run([fixed("checked_profile", f"{_SQL}/checked_profile", {"most": MOST_HOLDERS})])
    merges = join_profiles(session, run.profiles, Moment(run.run_id, now))
    if merges.merged or merges.unmerged:
        session.run([fixed("file_counters", f"{_SQL}/counted_merges")])
    return merges


def _time_steps(run: ImportRun, value: StagedValue, now: datetime) -> tuple[Step, ...]:
    """Return the steps that note when values of a property were said: when their files were last changed.

    A row that waited for its profile was said when its file was imported first.
    """
    text, column = quote_literal(value.prop.name), quote_identifier(value.column)
    only_new = value.mode == "set_if_empty"
    written = f"""and (a.profile_id in (select profile_id from touched_profile where is_new)
    or a.profile_id in (select profile_id from changed_profile where list_contains(_changed, {text})))"""
    said = f"""create or replace temp table said_at as
select
    a.profile_id,
    {"arg_min" if only_new else "arg_max"}(coalesce(file.modified_at, known.modified_at, $now), r.row) as said_at
from row_value r
join staging.assigned a using (row)
join staging.file file using (file)
left join (
    select source, arg_max(modified_at, imported_at) as modified_at
    from warehouse.imported_file
    where connection = $connection and goal = $goal
    group by source
) known on known.source = file.source
where a.profile_id is not null and r.{column} is not null {written if only_new else ""}
group by a.profile_id"""
    table = "warehouse.value_time"
    forget = f"delete from {table} where property = {text} and profile_id in (select profile_id from said_at)"
    note = f"insert into {table} by name select {text} as property, profile_id, said_at from said_at"
    return Step("said_at", said, {**run.goal_named, "now": now}), Step(table, forget), Step(table, note)
