"""Sets apart the profiles whose consent does not allow a connection to process them. Pure: columns in, steps out."""

from collections.abc import Iterator

from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.upserting.contributions import SQL
from cdp_sync.importing.upserting.patch import kind_of_patch
from cdp_sync.importing.upserting.plan import Target, base_of_old, becoming, moved
from cdp_sync.merging.composing import strictest_zone
from cdp_sync.warehouse import Step, fixed


def withheld_steps(columns: Columns, allowed: str) -> Iterator[Step]:
    """Yield the steps that set apart profiles whose consent, as it is after the run, is not `allowed`."""
    every = tuple(Target(prop, linked=False, value=columns.value_of.get(prop.name)) for prop in columns.consent)
    news = ",\n    ".join(becoming(columns, every, base_of_old))
    query = f"""select patch.profile_id,
    {news}
from {"patch" if any(target.value for target in every) else "touched_profile"} patch
left join {columns.entity.by_itself} profile on profile.{columns.entity.key} = patch.profile_id"""
    source = f"({moved(columns, query)})"
    if columns.entity.merged:
        yield fixed("mate_consent", f"{SQL}/mate_consent")
        source = f"({_with_mates(columns, source)})"
    sql = f"""create or replace temp table withheld_profile as
select profile_id
from {source}
where not {allowed}"""
    yield Step("withheld_profile", sql)
    yield fixed("staging.assigned", f"{SQL}/withheld_row")
    for table in ("touched_profile", "patch") if kind_of_patch(columns) == "table" else ("touched_profile",):
        yield Step(table, f"delete from {table} where profile_id in (from withheld_profile)")


def _with_mates(columns: Columns, source: str) -> str:
    """Return profiles with what other parts of theirs say of consent as well: the stricter of them counts."""
    zone, consented, refused = (prop.name for prop in columns.consent)
    return f"""select * replace (
    list_concat({consented}, mates_consented) as {consented},
    list_concat({refused}, mates_refused) as {refused},
    {strictest_zone(columns.entity.records, f"list_append(mates_zones, {zone})")} as {zone}
)
from {source} profile
left join mate_consent using (profile_id)"""
