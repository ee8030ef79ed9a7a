"""What a merged profile shows: for each property a value made of those that its parts have by themselves. Pure."""

from cdp_sync.model import CONSENT_PROPERTIES, Profiles, Property, Records
from cdp_sync.model.property import MergeStrategy
from cdp_sync.warehouse import Step, quote_identifier, quote_literal

TIMED: tuple[MergeStrategy, ...] = ("latest", "oldest")
"""Strategies that go by when a value was said."""

_STRICTEST_FIRST = ("opt_in", "opt_out")


def timed_properties(profiles: Profiles) -> tuple[Property, ...]:
    """Return the properties that are merged by when their values were said."""
    return tuple(prop for prop in profiles.every if prop.merged_by in TIMED)


_PARTS = """
    from warehouse.own_profile
    union all by name
    select * from warehouse.profile
    where profile_id in (from standing_part) and profile_id not in (select profile_id from warehouse.own_profile)
"""


def composed_step(profiles: Profiles, columns: list[str]) -> Step:
    """Return the step that makes `composed`, what each survivor shows; `columns` are those of `profile`."""
    timed = {prop.name: number for number, prop in enumerate(timed_properties(profiles))}
    shown = [_shown(profiles, name, timed) for name in columns if name not in ("profile_id", "merged_into")]
    times = "".join(
        f"""
left join (select profile_id, said_at from warehouse.value_time where property = {quote_literal(name)}) time_{number}
    using (profile_id)"""
        for name, number in timed.items()
    )
    listed = ",\n    ".join(shown)
    sql = f"""create or replace temp table composed as
with part as ({_PARTS})
select cluster.new_live as profile_id, null::uuid as merged_into,
    {listed}
from cluster
join part profile using (profile_id){times}
where cluster.size > 1
group by cluster.new_live"""
    return Step("composed", sql)


def _shown(profiles: Profiles, column: str, timed: dict[str, int]) -> str:
    name, prop = quote_identifier(column), profiles.by_name.get(column)
    value = f"profile.{name}"
    if prop is None:  # the survivor's own, also of a property that is no longer declared
        return f"arg_min({value}, rank) as {name}"
    if profiles.objectives and column in CONSENT_PROPERTIES:
        return f"{_consent(profiles, column)} as {name}"
    moment = f"time_{timed[column]}.said_at" if column in timed else ""
    return f"{_folded(prop, value, moment)} as {name}"


def _folded(prop: Property, value: str, moment: str) -> str:
    """Return the aggregate for a property of the parts, the survivor first."""
    said = f"{{moment: coalesce({moment}, profile.created_at), value: {value}}}"
    both = _unique(f"flatten(list({value} order by age) filter ({value} is not null))")
    folds: dict[MergeStrategy, str] = {
        "both": f"nullif({both}, [])",
        "sum": f"sum({value})::{prop.sql_type}",
        "highest": f"max({value})",
        "lowest": f"min({value})",
        "latest": f"arg_max({value}, {said})",
        "oldest": f"arg_min({value}, {said})",
        "survivor": f"arg_min({value}, rank)",
    }
    return folds[prop.merged_by]


def _unique(values: str) -> str:
    """Return the expression for a list whose values stand where they stood first."""
    return f"list_transform([{values}], lambda v: list_filter(v, lambda x, i: list_position(v, x) = i))[1]"


def _consent(profiles: Profiles, column: str) -> str:
    """Return the aggregate for a column of consent: the stricter of what the parts say."""
    zone, consented, refused = CONSENT_PROPERTIES
    lists = {
        each: f"flatten(list(profile.{each} order by age) filter (profile.{each} is not null))"
        for each in (consented, refused)
    }
    if column == refused:
        return f"nullif({_unique(lists[refused])}, [])"
    if column == consented:
        is_refused = f"coalesce(list_contains({lists[refused]}, x), false)"
        return f"nullif(list_filter({_unique(lists[consented])}, lambda x: not {is_refused}), [])"
    return strictest_zone(profiles, f"list(profile.{zone} order by rank)")


def strictest_zone(records: Records, zones: str) -> str:
    """Return the expression for the strictest of a list of zones of legislation; of equally strict ones the first."""
    declared = records.zones if isinstance(records, Profiles) else {}
    order = [name for kind in _STRICTEST_FIRST for name, each in declared.items() if each == kind]
    found = [
        f"case when list_contains({zones}, {quote_literal(name)}) then {quote_literal(name)} end" for name in order
    ]
    return f"coalesce({', '.join([*found, f'list_filter({zones}, lambda z: z is not null)[1]'])})"
