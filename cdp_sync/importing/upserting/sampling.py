"""The last five profiles that a run creates and the last five that it updates, with their values before and after.

Reading them costs the same however many rows are imported.
"""

from collections.abc import Iterable

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.upserting.plan import Changes, Target, targets
from cdp_sync.model import ProfileSample
from cdp_sync.warehouse import Session, Step, quote_literal

_SAMPLE = """create or replace temp table profile_sample as
(
    select profile_id, 'created' as kind, first_row as place, null::text[] as properties
    from touched_profile where is_new order by first_row desc limit 5
)
union all
(
    select profile_id, 'updated' as kind, _first_row as place, _changed as properties
    from changed_profile order by _first_row desc limit 5
)"""


def sample_steps(columns: Columns, changes: Changes) -> tuple[Step, ...]:
    """Return the steps that choose the profiles and note the values that will change, before anything is written."""
    before = _values("updated", _changing(columns, changes), columns.entity.stored)
    return (
        Step("profile_sample", _SAMPLE),
        Step("value_before", f"create or replace temp table value_before as\n{before}"),
    )


def changed_value_step(columns: Columns, changes: Changes, run: GoalRun) -> Step:
    """Return the step that records what changed, once profiles are written."""
    now = [_values("updated", _changing(columns, changes), "changed_profile")]
    if changes.created:
        now.append(_values("created", targets(columns), columns.entity.stored))
    sql = f"""insert into warehouse.changed_value
select $run_id, $connection, $goal, profile_id, now.kind, property, value_before.value, now.value
from ({" union all ".join(now)}) now
left join value_before using (profile_id, property)
where value_before.value is distinct from now.value"""
    return Step("warehouse.changed_value", sql, run.key)


def samples_of(session: Session) -> tuple[ProfileSample, ...]:
    """Return the chosen profiles, by id, with the names of the properties that changed."""
    found = session.rows("select profile_id, kind, properties from profile_sample order by kind, place desc")
    return tuple(ProfileSample(str(profile), kind, tuple(names or ())) for profile, kind, names in found)


def _changing(columns: Columns, changes: Changes) -> list[Target]:
    return [target for target in targets(columns) if target.prop.name in changes.properties]


def _values(kind: str, every: Iterable[Target], table: str) -> str:
    """Return the query for values of the chosen profiles of a kind: profile_id, kind, property, value as text."""
    named = ((quote_literal(target.prop.name), target.name) for target in every)
    values = ", ".join(f"{{property: {text}, value: profile.{name}::text}}" for text, name in named)
    return f"""select profile_id, kind, unnest([{values}]::struct(property text, value text)[], recursive := true)
from (from profile_sample where kind = {quote_literal(kind)})
join {table} profile using (profile_id)"""
