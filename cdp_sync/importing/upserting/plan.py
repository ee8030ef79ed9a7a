"""Composes the statements that turn linked rows into profiles. Pure: columns in, steps out.

The steps read top to bottom: `patch` is what the rows say for each profile, `withheld` are those whose consent does not
allow it, `revised` is what existing ones become, and `profile` gets the new ones.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.importing.upserting.contributions import Guard, back_steps, row_value_step, with_back, without_back
from cdp_sync.importing.upserting.targets import (
    Target,
    base_of_new,
    base_of_old,
    becoming,
    consent_targets,
    moved,
    targets,
)
from cdp_sync.model import Property
from cdp_sync.warehouse import Step, quote_identifier, quote_literal, statement


def patch_steps(columns: Columns, guard: Guard) -> Iterator[Step]:
    """Yield the steps that fold the rows of each profile into one: `patch`."""
    yield Step("touched", statement("importing/upserting/touched"))
    yield row_value_step(columns, guard)
    yield _gain(columns)
    yield Step("patch", f"create or replace temp {_kind_of_patch(columns)} patch as\n{_of_rows(columns)}")


def less_back_steps(columns: Columns, *, lists: bool) -> Iterator[Step]:
    """Yield the steps that take back what rows no longer add: profiles that only lose something are in `patch` then.

    Args:
        columns: The staging columns.
        lists: Whether values are taken off lists as well.
    """
    yield from back_steps(columns, lists=lists)
    query = with_back(columns, _of_rows(columns), lists=lists)
    yield Step("patch", f"create or replace temp {_kind_of_patch(columns)} patch as\n{query}")


def _of_rows(columns: Columns) -> str:
    return f"{_solo(columns)}\nunion all by name\n{_several(columns)}"


def withheld_steps(columns: Columns, allowed: str) -> Iterator[Step]:
    """Yield the steps that set apart what may not be processed: `withheld`. What is left of `patch` may be.

    Args:
        columns: The staging columns.
        allowed: The condition for processing a profile, over the columns that hold consent.
    """
    yield _withheld(columns, allowed)
    yield Step("assigned", statement("importing/upserting/withheld_row"))
    yield Step("touched", "delete from touched where profile_id in (from withheld)")
    if _kind_of_patch(columns) == "table":
        yield Step("patch", "delete from patch where profile_id in (from withheld)")
    yield Step("complaint", statement("importing/upserting/complaint_without_value"))


def profile_steps(columns: Columns, *, whole: bool, lists: bool = False) -> Iterator[Step]:
    """Yield the steps that work out what becomes of existing profiles: `revised`. Nothing is written yet.

    Args:
        columns: The staging columns.
        whole: Whether `revised` has all columns of a profile, those that the goal does not write as well; see
            `Changes.whole`.
        lists: Whether `patch` has values to take off lists.
    """
    yield _revised(columns, whole=whole, lists=lists)


@dataclass(frozen=True)
class Changes:
    """What a run changes."""

    created: bool
    """Whether there are new profiles."""
    properties: frozenset[str]
    """The properties in which some existing profile differs."""
    whole: bool
    """Whether `revised` has whole profiles. Those are deleted and inserted anew, which costs by the row: the cheaper
    way where few of all profiles change. To update in place costs by the vector: DuckDB decodes 2,048 texts to change
    one of them, and later writes the changed columns of the whole row group."""


def write_steps(columns: Columns, changes: Changes) -> Iterator[Step]:
    """Yield the steps that write profiles and their identifiers; `$now` and `$creator` are to be bound."""
    every = targets(columns)
    if changes.created:
        yield _inserted(columns)
    if changes.properties:
        changed = [target for target in every if target.prop.name in changes.properties]
        yield from _replaced() if changes.whole else [_updated(changed)]
    for target in every:
        if target.prop.identifier and (changes.created or target.prop.name in changes.properties):
            yield from _identifier_steps(target.prop, changes)


def _kind_of_patch(columns: Columns) -> str:
    """Return how `patch` is kept: a view, which costs nothing, unless DuckDB 2.0 fails on what it nests.

    Lists that several links fill are made unique, and made unique again with what the profile has; inlined into one
    statement that ends in an internal error.
    """
    several = [link for link in columns.links if link.prop.multiple]
    return "table" if len(several) > len({link.prop.name for link in several}) else "view"


def _gain(columns: Columns) -> Step:
    """What existing profiles take: one row each, a column for every linked property."""
    gains = ", ".join(_taken(prop) for prop in columns.linked_properties)
    query = f"select profile_id, {gains}\nfrom staging.granted\ngroup by profile_id"
    return Step("gain", f"create or replace temp table gain as\n{query}")


def _taken(prop: Property) -> str:
    fold = "list(value order by rank)" if prop.multiple else "any_value(value)"
    mine = f"{fold} filter (property = {quote_literal(prop.name)})"
    return f"({mine})::{prop.sql_type} as {quote_identifier(f'gain_{prop.name}')}"


def _solo(columns: Columns) -> str:
    """Profiles with one row: its values as they are."""
    gains = [_gained(prop, _solo_links(columns, prop), "g.{}") for prop in columns.linked_properties]
    values = [f"r.{quote_identifier(name)}" for value in columns.values for name in _value_columns(value)]
    return f"""select {", ".join(["t.profile_id", "t.is_new", "t.first_row", *gains, *values])}
from touched t
join row_value r on r.row = t.first_row
left join gain g using (profile_id)
where t.rows = 1"""


def _several(columns: Columns) -> str:
    """Profiles with more rows: folded in the order of arrival."""
    gains = [_gained(prop, _folded_links(columns, prop), "any_value(g.{})") for prop in columns.linked_properties]
    values = [fold for value in columns.values for fold in _fold(value)]
    return f"""select {", ".join(["t.profile_id", "t.is_new", "t.first_row", *gains, *values])}
from touched t
join staging.assigned a using (profile_id)
join row_value r on r.row = a.row
left join gain g using (profile_id)
where t.rows > 1
group by t.profile_id, t.is_new, t.first_row"""


def _gained(prop: Property, of_new: str, of_old: str) -> str:
    name = quote_identifier(f"gain_{prop.name}")
    return f"case when t.is_new then ({of_new})::{prop.sql_type} else {of_old.format(name)} end as {name}"


def _linked(columns: Columns, prop: Property) -> str:
    """The link values of one row for a property: the first one, or all of them, as often as they are named."""
    mine = [f"r.{link.column}" for link in columns.links if link.prop.name == prop.name]
    if len(mine) == 1:
        return mine[0]
    if not prop.multiple:
        return f"coalesce({', '.join(mine)})"
    return f"nullif({' || '.join(f'coalesce({name}, [])' for name in mine)}, [])"


def _solo_links(columns: Columns, prop: Property) -> str:
    return unique(_linked(columns, prop)) if prop.multiple else _linked(columns, prop)


def _folded_links(columns: Columns, prop: Property) -> str:
    row = _linked(columns, prop)
    if not prop.multiple:
        return f"first({row} order by r.row) filter ({row} is not null)"
    return unique(f"flatten(list({row} order by r.row) filter ({row} is not null))")


def _value_columns(value: StagedValue) -> list[str]:
    return [value.column, value.clear] if value.mode == "set_or_clear" else [value.column]


def _fold(value: StagedValue) -> Iterator[str]:
    """Yield the folds of one property's rows, in the order of arrival."""
    name = quote_identifier(value.column)
    column = f"r.{name}"
    if value.mode == "set_or_clear":
        clear = f"r.{quote_identifier(value.clear)}"
        decides = f"filter ({column} is not null or {clear})"
        yield f"arg_max_null({column}, r.row) {decides} as {name}"
        yield f"coalesce(arg_max({clear}, r.row) {decides}, false) as {quote_identifier(value.clear)}"
    else:
        yield f"{_FOLDS[value.mode](column)} as {name}"


_FOLDS: dict[str, Callable[[str], str]] = {
    "set": lambda column: f"arg_max({column}, r.row)",
    "set_if_empty": lambda column: f"arg_min({column}, r.row)",
    "add": lambda column: unique(f"flatten(list({column} order by r.row) filter ({column} is not null))"),
    "sum": lambda column: f"sum({column})",
}


def _withheld(columns: Columns, allowed: str) -> Step:
    """Judge profiles by their consent as it would be after the run."""
    every = consent_targets(columns)
    news = ",\n    ".join(becoming(columns, every, base_of_old))
    query = f"""select profile_id,
    {news}
from {"patch" if any(target.value for target in every) else "touched"}
left join warehouse.profile profile using (profile_id)"""
    sql = f"""create or replace temp table withheld as
select profile_id
from ({moved(columns, query)})
where not {allowed}"""
    return Step("withheld", sql)


def _inserted(columns: Columns) -> Step:
    every = targets(columns)
    names = ", ".join(target.name for target in every)
    values = ",\n    ".join(becoming(columns, every, base_of_new))
    query = f"""select patch.profile_id, patch.first_row as _first_row,
    {values}
from patch
where patch.is_new"""
    sql = f"""insert into warehouse.profile (profile_id, created_at, updated_at, _created_by, {names})
select profile_id, make_timestamptz(epoch_us($now) + _first_row), $now, $creator, {names}
from ({moved(columns, query)})"""
    return Step("profile", sql)


_PLACED = """with placed as materialized (
    select patch.*, profile.rowid as place
    from patch
    join warehouse.profile profile using (profile_id)
    where not patch.is_new
)
"""
"""Where the profiles are that rows were assigned to. By it DuckDB decodes the vectors that hold them and no others; by
ids, the one in a hundred that its Bloom filter lets through is decoded as well, and with it nearly every vector."""

_BY_PLACE = "placed patch\njoin warehouse.profile profile on profile.rowid = patch.place"
_BY_ID = "patch\njoin warehouse.profile profile using (profile_id)\nwhere not patch.is_new"


def _revised(columns: Columns, *, whole: bool, lists: bool) -> Step:
    every = targets(columns)

    def base(target: Target) -> str:
        old = base_of_old(target)
        return without_back(target.value, old) if lists and target.value in columns.adds else old

    others = f"profile.* exclude (profile_id, {', '.join(target.name for target in every)})," if whole else ""
    noted = [
        *(target.old for target in every),
        *(target.said for target in every if target.prop in columns.consent_lists),
    ]
    olds = [f"profile.{target.name} as {target.old}" for target in every]
    differs = [f"{target.old} is distinct from {target.name}" for target in every]
    named = [
        f"case when {differ} then {quote_literal(target.prop.name)} end"
        for target, differ in zip(every, differs, strict=True)
    ]
    inner = ",\n    ".join([*olds, *becoming(columns, every, base)])
    query = f"""{_PLACED if whole else ""}select patch.profile_id, patch.first_row as _first_row, {others}
    {inner}
from {_BY_PLACE if whole else _BY_ID}"""
    sql = f"""create or replace temp table revised as
select * exclude ({", ".join(noted)}),
    list_filter([{", ".join(named)}], lambda name: name is not null) as _changed
from ({moved(columns, query)})
where {" or ".join(differs)}"""
    return Step("revised", sql)


def _replaced() -> Iterator[Step]:
    """Yield the steps that write changed profiles as new rows."""
    yield Step("profile", "delete from warehouse.profile where profile_id in (select profile_id from revised)")
    sql = """insert into warehouse.profile by name
select * exclude (_first_row, _changed) replace ($now as updated_at)
from revised"""
    yield Step("profile", sql)


def _updated(every: Iterable[Target]) -> Step:
    """Only what differs is updated: rewriting a list makes DuckDB write the whole row anew."""
    sets = ", ".join(f"{target.name} = revised.{target.name}" for target in every)
    sql = f"""update warehouse.profile profile
set {sets}, updated_at = $now
from revised
where profile.profile_id = revised.profile_id"""
    return Step("profile", sql)


def _identifier_steps(prop: Property, changes: Changes) -> Iterator[Step]:
    """Keep `profile_identifier` equal to the identifier columns, unnested."""
    name, text = quote_identifier(prop.name), quote_literal(prop.name)
    value = f"unnest({name})" if prop.multiple else name
    sources = []
    if changes.created:
        created = f"updated_at = $now and created_at >= $now and {name} is not null"
        sources.append(f"select {value} as value, profile_id from warehouse.profile where {created}")
    if prop.name in changes.properties:
        changed = f"revised where list_contains(_changed, {text})"
        sources.append(f"select {value} as value, profile_id from {changed}")
        yield Step(
            "profile_identifier",
            f"delete from warehouse.profile_identifier where property = {text} "
            f"and profile_id in (select profile_id from {changed})",
        )
    yield Step(
        "profile_identifier",
        f"""insert into warehouse.profile_identifier
select {text}, value::varchar, profile_id
from ({" union all ".join(sources)})
where value is not null""",
    )
