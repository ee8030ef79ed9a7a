"""The last profiles that a run creates and updates, with what changes: their values are read before and after.

Nothing here costs per row of the import: the values are those of a handful of profiles.
"""

from collections.abc import Iterable, Iterator

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.upserting.plan import Changes
from cdp_sync.importing.upserting.targets import Target, targets
from cdp_sync.model import ProfileSample
from cdp_sync.warehouse import Session, Step, quote_literal

_SAMPLE = 5
"""Profiles of each kind."""


def sample_steps(columns: Columns, changes: Changes) -> Iterator[Step]:
    """Yield the steps that choose the profiles and note the values that will change, before anything is written."""
    yield _sampled()
    before = _values("updated", _changing(columns, changes), "warehouse.profile")
    yield Step("value_before", f"create or replace temp table value_before as\n{before}")


def changed_value_step(columns: Columns, changes: Changes, run: GoalRun) -> Step:
    """Return the step that records what changed, once profiles are written."""
    now = [_values("updated", _changing(columns, changes), "revised")]
    if changes.created:
        now.append(_values("created", targets(columns), "warehouse.profile"))
    sql = f"""insert into warehouse.changed_value
select $run_id, $connection, $goal, profile_id, now.kind, property, value_before.value, now.value
from ({" union all ".join(now)}) now
left join value_before using (profile_id, property)
where value_before.value is distinct from now.value"""
    return Step("changed_value", sql, {"run_id": run.run_id, "connection": run.connection, "goal": run.goal.name})


def samples_of(session: Session) -> tuple[ProfileSample, ...]:
    """Return the chosen profiles, by id, with the names of the properties that changed."""
    found = session.rows("select profile_id, kind, properties from sampled order by kind, place desc")
    return tuple(ProfileSample(str(profile), kind, tuple(names or ())) for profile, kind, names in found)


def _sampled() -> Step:
    sql = f"""create or replace temp table sampled as
(
    select profile_id, 'created' as kind, first_row as place, null::text[] as properties
    from touched where is_new order by first_row desc limit {_SAMPLE}
)
union all
(
    select profile_id, 'updated' as kind, _first_row as place, _changed as properties
    from revised order by _first_row desc limit {_SAMPLE}
)"""
    return Step("sampled", sql)


def _changing(columns: Columns, changes: Changes) -> list[Target]:
    return [target for target in targets(columns) if target.prop.name in changes.properties]


def _values(kind: str, every: Iterable[Target], table: str) -> str:
    """Return the query for values of the chosen profiles of a kind: profile_id, kind, property, value as text."""
    values = ", ".join(_value(target) for target in every)
    return f"""select profile_id, kind, unnest([{values}]::struct(property text, value text)[], recursive := true)
from (from sampled where kind = {quote_literal(kind)})
join {table} profile using (profile_id)"""


def _value(target: Target) -> str:
    return f"{{property: {quote_literal(target.prop.name)}, value: profile.{target.name}::text}}"
