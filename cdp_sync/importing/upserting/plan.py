"""Composes the statements that turn linked rows into profiles. Pure: columns in, steps out.

The steps read top to bottom: `patch` is what the rows say for each profile, `withheld_profile` are those whose consent
does not allow it, `changed_profile` is what existing ones become, and the entity's table gets the new ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.importing.upserting.contributions import (
    Contributed,
    contribution_step,
    fixed,
    less_reversals,
    profile_reversal_steps,
    row_value_step,
    without_reversals,
)
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
from cdp_sync.warehouse import Step, quote_identifier, quote_literal

_PATCH = ("touched_profile", "row_value", "staging.assigned", "staging.granted")


def patch_steps(columns: Columns, contributed: Contributed) -> tuple[Step, ...]:
    """Return the steps that fold the rows of each profile into one: `patch`."""
    return (
        *([contribution_step(contributed)] if contributed.possible else []),
        fixed("touched_profile", "touched_profile", "staging.assigned"),
        row_value_step(columns, contributed),
        _patch(columns, _of_rows(columns), _PATCH),
    )


def _patch(columns: Columns, query: str, reads: tuple[str, ...]) -> Step:
    return Step("patch", f"create or replace temp {_kind_of_patch(columns)} patch as\n{query}", reads=reads)


def reversed_patch_steps(columns: Columns, *, lists: bool) -> tuple[Step, ...]:
    """Return the steps that take back what rows no longer add: `patch` has profiles that only lose something, too.

    With `lists`, values are taken off lists as well.
    """
    query = less_reversals(columns, _of_rows(columns), lists=lists)
    return (*profile_reversal_steps(columns, lists=lists), _patch(columns, query, (*_PATCH, "profile_reversal")))


def _of_rows(columns: Columns) -> str:
    gains = ", ".join(_taken(prop) for prop in columns.linked_properties)
    return f"""(
with gain as (
    select profile_id, {gains} from staging.granted group by profile_id
)
{_solo(columns)}
union all by name
{_several(columns)}
)"""


def withheld_steps(columns: Columns, allowed: str) -> tuple[Step, ...]:
    """Return the steps that set apart profiles that may not be processed: `withheld_profile`. `patch` has the others.

    `allowed` is the condition for processing a profile, over the columns that hold consent.
    """
    of_withheld = "where profile_id in (from withheld_profile)"
    drop = [
        Step(
            "touched_profile",
            f"delete from touched_profile {of_withheld}",
            reads=("touched_profile", "withheld_profile"),
        )
    ]
    if _kind_of_patch(columns) == "table":
        drop.append(Step("patch", f"delete from patch {of_withheld}", reads=("patch", "withheld_profile")))
    return (
        _withheld(columns, allowed),
        fixed("withheld_row", "staging.assigned", "staging.assigned", "withheld_profile"),
        *drop,
    )


def outcome_steps(columns: Columns, *, whole: bool, lists: bool = False) -> tuple[Step, ...]:
    """Return the steps that work out existing profiles after the run, and the counters. They write to no profile.

    With `lists`, `patch` has values to take off lists; for `whole` see `Changes.whole`.
    """
    rows = ("staging.file", "staging.part", "staging.rejected", "staging.fresh", "staging.assigned")
    ends = ("staging.unchanged", "staging.set_aside", "touched_profile", "changed_profile")
    return (_changed(columns, whole=whole, lists=lists), fixed("file_counters", "file_counters", *rows, *ends))


@dataclass(frozen=True)
class Changes:
    """What a run changes."""

    created: bool
    """Whether there are new profiles."""
    properties: frozenset[str]
    """The properties in which some existing profile differs."""
    whole: bool
    """Whether `changed_profile` has whole profiles. Those are deleted and inserted anew, which costs by the row: the
    cheaper way where few of all profiles change. To update in place costs by the vector: DuckDB decodes 2,048 texts to
    change one of them, and later writes the changed columns of the whole row group."""


def write_steps(columns: Columns, changes: Changes, now: object, creator: int) -> Iterator[Step]:
    """Yield the steps that write profiles and their identifiers; `creator` is the number of the connection."""
    every = targets(columns)
    if changes.created:
        yield _inserted(columns, {"now": now, "creator": creator})
    if changes.properties:
        # Only what differs is updated: rewriting a list makes DuckDB write the whole row anew.
        changed = (target.name for target in every if target.prop.name in changes.properties)
        sets = ", ".join(f"{name} = changed.{name}" for name in changed)
        update = f"""update {columns.entity.stored} profile
set {sets}, updated_at = $now
from changed_profile changed
where profile.profile_id = changed.profile_id"""
        updated = Step(columns.entity.stored, update, {"now": now}, ("changed_profile",))
        yield from _replaced(columns, now) if changes.whole else [updated]
    for target in every:
        if target.prop.identifier and (changes.created or target.prop.name in changes.properties):
            yield from _identifier_steps(columns, target.prop, changes, now)


def _kind_of_patch(columns: Columns) -> str:
    """Return how `patch` is kept: a view, which costs nothing, unless DuckDB 2.0 fails on what it nests.

    Lists that several links fill are made unique, and made unique again with what the profile has; inlined into one
    statement that ends in an internal error.
    """
    several = [link for link in columns.links if link.prop.multiple]
    return "table" if len(several) > len({link.prop.name for link in several}) else "view"


def _taken(prop: Property) -> str:
    fold = "list(value order by rank)" if prop.multiple else "any_value(value)"
    mine = f"{fold} filter (property = {quote_literal(prop.name)})"
    return f"({mine})::{prop.sql_type} as {quote_identifier(f'gain_{prop.name}')}"


def _solo(columns: Columns) -> str:
    """Profiles with one row: its values as they are."""
    gains = []
    for prop in columns.linked_properties:
        links = _linked(columns, prop)
        gains.append(_gained(prop, unique(links) if prop.multiple else links, "g.{}"))
    values = []
    for value in columns.values:
        names = [value.column, value.clear] if value.mode == "set_or_clear" else [value.column]
        values += [f"r.{quote_identifier(name)}" for name in names]
    return f"""select {", ".join(["t.profile_id", "t.is_new", "t.first_row", *gains, *values])}
from touched_profile t
join row_value r on r.row = t.first_row
left join gain g using (profile_id)
where t.rows = 1"""


def _several(columns: Columns) -> str:
    """Profiles with more rows: folded in the order of arrival."""
    gains = []
    for prop in columns.linked_properties:
        ordered = f"({(row := _linked(columns, prop))} order by r.row) filter ({row} is not null)"
        folded = unique(f"flatten(list{ordered})") if prop.multiple else f"first{ordered}"
        gains.append(_gained(prop, folded, "any_value(g.{})"))
    values = [fold for value in columns.values for fold in _fold(value)]
    return f"""select {", ".join(["t.profile_id", "t.is_new", "t.first_row", *gains, *values])}
from touched_profile t
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
    source = "patch" if any(target.value for target in every) else "touched_profile"
    query = f"""select profile_id,
    {news}
from {source} patch
left join {columns.entity.stored} profile using (profile_id)"""
    sql = f"""create or replace temp table withheld_profile as
select profile_id
from ({moved(columns, query)})
where not {allowed}"""
    return Step("withheld_profile", sql, reads=(source,))


def _inserted(columns: Columns, values: dict[str, object]) -> Step:
    every = targets(columns)
    names = ", ".join(target.name for target in every)
    expressions = ",\n    ".join(becoming(columns, every, base_of_new))
    query = f"""select patch.profile_id, patch.first_row as _first_row,
    {expressions}
from patch
where patch.is_new"""
    sql = f"""insert into {columns.entity.stored} (profile_id, created_at, updated_at, _created_by, {names})
select profile_id, make_timestamptz(epoch_us($now) + _first_row), $now, $creator, {names}
from ({moved(columns, query)})"""
    return Step(columns.entity.stored, sql, values, ("patch",))


def _sources(columns: Columns, *, whole: bool) -> tuple[str, str]:
    """Return what comes before a select of patches and existing profiles, and its relations.

    Where few profiles change, they are found by their place: DuckDB then decodes the vectors that hold them and no
    others. By ids, the one in a hundred that its Bloom filter lets through is decoded as well, and with it nearly every
    vector.
    """
    stored = columns.entity.stored
    if not whole:
        return "", f"patch\njoin {stored} profile using (profile_id)\nwhere not patch.is_new"
    placed = f"""with placed as materialized (
    select patch.*, profile.rowid as place
    from patch
    join {stored} profile using (profile_id)
    where not patch.is_new
)
"""
    return placed, f"placed patch\njoin {stored} profile on profile.rowid = patch.place"


def _changed(columns: Columns, *, whole: bool, lists: bool) -> Step:
    every = targets(columns)

    def base(target: Target) -> str:
        old = base_of_old(target)
        return without_reversals(target.value, old) if lists and target.value in columns.adds else old

    said = [target.said for target in every if target.prop in columns.consent_lists]
    olds = [f"profile.{target.name} as {target.old}" for target in every]
    differs = [f"{target.old} is distinct from {target.name}" for target in every]
    named = [
        f"case when {differ} then {quote_literal(target.prop.name)} end"
        for target, differ in zip(every, differs, strict=True)
    ]
    others = [f"profile.* exclude (profile_id, {', '.join(target.name for target in every)})"] if whole else []
    selected = ",\n    ".join([*others, *olds, *becoming(columns, every, base)])
    before, relations = _sources(columns, whole=whole)
    query = f"""{before}select patch.profile_id, patch.first_row as _first_row,
    {selected}
from {relations}"""
    sql = f"""create or replace temp table changed_profile as
select * exclude ({", ".join([*(target.old for target in every), *said])}),
    list_filter([{", ".join(named)}], lambda name: name is not null) as _changed
from ({moved(columns, query)})
where {" or ".join(differs)}"""
    return Step("changed_profile", sql, reads=("patch",))


def _replaced(columns: Columns, now: object) -> tuple[Step, ...]:
    """Return the steps that write changed profiles as new rows."""
    stored, reads = columns.entity.stored, ("changed_profile",)
    written = f"""insert into {stored} by name
select * exclude (_first_row, _changed) replace ($now as updated_at)
from changed_profile"""
    delete = f"delete from {stored} where profile_id in (select profile_id from changed_profile)"
    return Step(stored, delete, reads=reads), Step(stored, written, {"now": now}, reads)


def _identifier_steps(columns: Columns, prop: Property, changes: Changes, now: object) -> Iterator[Step]:
    """Keep the table of identifiers equal to the identifier columns, unnested."""
    table = columns.entity.identifier_table
    name, text = quote_identifier(prop.name), quote_literal(prop.name)
    value = f"unnest({name})" if prop.multiple else name
    sources: list[str] = []
    values: dict[str, object] = {}
    reads: tuple[str, ...] = ()
    if changes.created:
        created = f"updated_at = $now and created_at >= $now and {name} is not null"
        sources.append(f"select {value} as value, profile_id from {columns.entity.stored} where {created}")
        values = {"now": now}
    if prop.name in changes.properties:
        changed, reads = f"changed_profile where list_contains(_changed, {text})", ("changed_profile",)
        sources.append(f"select {value} as value, profile_id from {changed}")
        removed = f"property = {text} and profile_id in (select profile_id from {changed})"
        yield Step(table, f"delete from {table} where {removed}", reads=reads)
    sql = f"""insert into {table}
select {text}, value::varchar, profile_id
from ({" union all ".join(sources)})
where value is not null"""
    yield Step(table, sql, values, reads)
