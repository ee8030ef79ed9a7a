"""Composes the statements that turn linked rows into profiles. Pure: columns in, steps out.

The steps read top to bottom: `patch` is what the rows say for each profile (see `patch.py`), `changed_profile` is what
existing ones become, and the entity's table gets the new ones.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.value_columns import StagedValue
from cdp_sync.importing.upserting.contributions import (
    SQL,
    contribution_step,
    reversal_steps,
    row_value_step,
    without_reversals,
)
from cdp_sync.model import ROW_ENDS, Property
from cdp_sync.warehouse import Step, fixed, quote_identifier, quote_literal

PLACE = "_place"
"""The column of row ids in `changed_profile`; no property is called so."""

OWN, _OWN_IDENTIFIER = "warehouse.own_profile", "warehouse.own_identifier"

_CANDIDATES = "(select profile_id from merge_candidate)"


@dataclass(frozen=True)
class Target:
    """A property that this goal can write: through linking, through a mapping, or both."""

    prop: Property
    linked: bool
    value: StagedValue | None

    @property
    def name(self) -> str:
        """The quoted column of the profile."""
        return quote_identifier(self.prop.name)

    @property
    def gain(self) -> str:
        """The quoted column of `patch` that holds what linking gives."""
        return quote_identifier(f"gain_{self.prop.name}")

    @property
    def said(self) -> str:
        """The quoted name of what the rows alone say, of a list of objectives."""
        return quote_identifier(f"_said_{self.prop.name}")


def targets(columns: Columns) -> tuple[Target, ...]:
    """Return the properties that the goal can write, in order."""
    linked = {prop.name: prop for prop in columns.linked_properties}
    further = (*(value.prop for value in columns.values), *columns.consent_lists)
    every = linked | {prop.name: prop for prop in further}
    values = columns.value_of
    return tuple(Target(prop, name in linked, values.get(name)) for name, prop in every.items())


def becomes(target: Target, base: str) -> str:
    """Return the expression for a property's value after the run, given the one before: the set modes."""
    if target.value is None:
        return base
    column = f"patch.{quote_identifier(target.value.column)}"
    kind = target.prop.sql_type
    match target.value.mode:
        case "set":
            return f"coalesce({column}, {base})"
        case "set_if_empty":
            return f"coalesce({base}, {column})"
        case "set_or_clear":
            clear = f"patch.{quote_identifier(target.value.clear)}"
            return f"case when {clear} then null else coalesce({column}, {base}) end"
        case "add":
            joined = f"list_concat(coalesce({base}, []), {column})"
            return f"case when {column} is null then {base} else {unique(joined)} end"
        case _:
            return f"case when {column} is null then {base} else (coalesce({base}, 0) + {column})::{kind} end"


def base_of_new(target: Target) -> str:
    """Return the expression for what a new profile has before its rows are applied."""
    return f"patch.{target.gain}" if target.linked else f"null::{target.prop.sql_type}"


def base_of_old(target: Target) -> str:
    """Return the expression for what an existing profile has before its rows are applied."""
    old = f"profile.{target.name}"
    if not target.linked:
        return old
    gain = f"patch.{target.gain}"
    if not target.prop.multiple:
        return f"coalesce({old}, {gain})"
    return f"case when {gain} is null then {old} else {unique(f'list_concat(coalesce({old}, []), {gain})')} end"


def becoming(columns: Columns, every: Iterable[Target], base: Callable[[Target], str]) -> Iterator[str]:
    """Yield every property's value after the run under its name, and what `moved` needs."""
    for target in every:
        yield f"{becomes(target, base(target))} as {target.name}"
        if target.prop in columns.consent_lists:
            # What rows put on a list of objectives, whether it was there or not.
            said = f"patch.{quote_identifier(target.value.column)}" if target.value else f"null::{target.prop.sql_type}"
            if target.value and target.value.mode == "set_if_empty":
                said = f"case when {base(target)} is null then {said} end"
            yield f"{said} as {target.said}"


def moved(columns: Columns, query: str) -> str:
    """Let an objective that comes to one list leave the other; where rows say both, it counts as refused."""
    if not columns.consent_lists:
        return query
    consented, refused = (Target(prop, linked=False, value=None) for prop in columns.consent_lists)
    kept = f"not list_contains({consented.said}, x) or coalesce(list_contains({refused.said}, x), false)"
    left = ((consented, f"not list_contains({refused.said}, x)", refused), (refused, kept, consented))
    replaced = ",\n    ".join(
        f"case when {other.said} is null then {each.name} "
        f"else nullif(list_filter({each.name}, lambda x: {stays}), []) end as {each.name}"
        for each, stays, other in left
    )
    return f"""select * replace (
    {replaced}
)
from ({query})"""


@dataclass(frozen=True)
class Changes:
    """What a run changes."""

    created: int
    """New profiles."""
    properties: frozenset[str]
    """The properties in which some existing profile differs."""
    whole: bool
    """Whether `changed_profile` has whole profiles. Those are deleted and inserted anew, which costs by the row: the
    cheaper way where few of all profiles change. To update in place costs by the vector: DuckDB decodes 2,048 texts to
    change one of them, and later writes the changed columns of the whole row group."""
    updated: int = 0
    """Profiles that existed before and that rows are assigned to."""
    summed: bool = False
    """Rows to apply added to sums in the previous import of their file."""
    known: bool = False
    """Some of the files were imported before."""
    candidates: bool = False
    """Rules may merge some of the new profiles, those of `merge_candidate`. They stand in `own_profile` until they are
    joined: where a transaction changes rows that it inserted, DuckDB writes all of these once more."""


def is_placed(columns: Columns, changes: Changes) -> bool:
    """Return whether `changed_profile` has the places of its profiles, as `_place`: the row ids in the entity's table.

    By these DuckDB finds them without reading a column; by ids it reads those of all profiles.
    """
    return changes.whole and not columns.entity.merged


def write_steps(columns: Columns, changes: Changes, now: object, creator: int) -> Iterator[Step]:
    """Yield the steps that write profiles and their identifiers; `creator` is the number of the connection."""
    every, stored, key = targets(columns), columns.entity.stored, columns.entity.key
    values = {"now": now, "creator": creator}
    if changes.candidates:
        yield Step(stored, _created(columns, stored, f"patch.profile_id not in {_CANDIDATES}"), values)
        yield Step(OWN, _created(columns, OWN, f"patch.profile_id in {_CANDIDATES}"), values)
    elif changes.created:
        yield Step(stored, _created(columns, stored), values)
    if changes.properties and changes.whole:
        placed = is_placed(columns, changes)
        working = "profile_id, _first_row, _changed" + (f", {PLACE}" if placed else "")
        written = f"""insert into {stored} by name
select profile_id as {key}, * exclude ({working}) replace ($now as updated_at)
from changed_profile"""
        found = f"rowid in (select {PLACE}" if placed else f"{key} in (select profile_id"
        yield Step(stored, f"delete from {stored} where {found} from changed_profile)")
        yield Step(stored, written, {"now": now})
    elif changes.properties:
        # Only what differs is updated: rewriting a list makes DuckDB write the whole row anew.
        changed = (target.name for target in every if target.prop.name in changes.properties)
        update = f"""update {stored} profile
set {", ".join(f"{name} = changed.{name}" for name in changed)}, updated_at = $now
from changed_profile changed
where profile.{key} = changed.profile_id"""
        yield Step(stored, update, {"now": now})
    for target in every:
        if target.prop.identifier and (changes.created or target.prop.name in changes.properties):
            yield from _identifier_steps(columns, target.prop, changes, now)


def _created(columns: Columns, table: str, condition: str = "true") -> str:
    """Return the statement that inserts new profiles into a table."""
    every = targets(columns)
    names = ", ".join(target.name for target in every)
    expressions = ",\n    ".join(becoming(columns, every, base_of_new))
    query = f"""select patch.profile_id, patch.first_row as _first_row,
    {expressions}
from patch
where patch.is_new and {condition}"""
    return f"""insert into {table} ({columns.entity.key}, created_at, updated_at, _created_by, {names})
select profile_id, make_timestamptz(epoch_us($now) + _first_row), $now, $creator, {names}
from ({moved(columns, query)})"""


def no_profile_steps(columns: Columns) -> tuple[Step, ...]:
    """Return the steps of a goal whose rows are about events alone: no profile is touched."""
    empty = "profile_id uuid, is_new boolean, first_row bigint, rows bigint, file integer"
    changed = "profile_id uuid, _first_row bigint, _changed varchar[]"
    keys = [contribution_step(columns), *reversal_steps(columns, summed=False, vanished=False)] if columns.keyed else []
    return (
        *keys,
        Step("touched_profile", f"create or replace temp table touched_profile ({empty})"),
        row_value_step(columns, summed=False),
        Step("changed_profile", f"create or replace temp table changed_profile ({changed})"),
        _counters_step(columns),
    )


def outcome_steps(columns: Columns, *, whole: bool, lists: bool = False) -> tuple[Step, ...]:
    """Return the steps that work out existing profiles after the run, and the counters. They write to no profile.

    With `lists`, `patch` has values to take off lists; for `whole` see `Changes.whole`.
    """
    every, key = targets(columns), columns.entity.key
    stored = "held_profile" if columns.entity.merged else columns.entity.stored

    def base(target: Target) -> str:
        old = base_of_old(target)
        return without_reversals(target.value, old) if lists and target.value in columns.adds else old

    before = {target: quote_identifier(f"_old_{target.prop.name}") for target in every}  # no property is called so
    selected = [f"profile.{target.name} as {old}" for target, old in before.items()]
    selected += becoming(columns, every, base)
    placed, relations = "", f"patch\njoin {stored} profile on profile.{key} = patch.profile_id\nwhere not patch.is_new"
    if whole:
        # Few profiles are found by their place: DuckDB then decodes the vectors that hold them and no others. By ids,
        # the one in a hundred that its Bloom filter lets through is decoded as well, and with it nearly every vector.
        selected.insert(0, f"profile.* exclude ({key}, {', '.join(target.name for target in every)})")
        if not columns.entity.merged:
            selected.insert(0, f"patch.place as {PLACE}")
        placed = f"""with placed as materialized (
    select patch.*, profile.rowid as place
    from {relations}
)
"""
        relations = f"placed patch\njoin {stored} profile on profile.rowid = patch.place"
    listed = ",\n    ".join(selected)
    query = f"""{placed}select patch.profile_id, patch.first_row as _first_row,
    {listed}
from {relations}"""
    differs = {target.prop.name: f"{old} is distinct from {target.name}" for target, old in before.items()}
    named = [f"case when {differ} then {quote_literal(name)} end" for name, differ in differs.items()]
    said = [target.said for target in every if target.prop in columns.consent_lists]
    sql = f"""create or replace temp table changed_profile as
select * exclude ({", ".join([*before.values(), *said])}),
    list_filter([{", ".join(named)}], lambda name: name is not null) as _changed
from ({moved(columns, query)})
where {" or ".join(differs.values())}"""
    held = [_held_step(columns)] if columns.entity.merged else []
    return (*held, Step("changed_profile", sql), _counters_step(columns))


def _held_step(columns: Columns) -> Step:
    """Return the step that makes `held_profile`: what profiles that rows are about have by themselves."""
    stored, key = columns.entity.stored, columns.entity.key
    sql = f"""create or replace temp table held_profile as
with touched as materialized (select profile_id from touched_profile where not is_new),
placed as materialized (
    select profile.rowid as place
    from touched
    join {stored} profile on profile.{key} = touched.profile_id
    where touched.profile_id not in (select profile_id from warehouse.own_profile)
)
select profile.* from placed join {stored} profile on profile.rowid = placed.place
union all by name
select own.* from touched join warehouse.own_profile own using (profile_id)"""
    return Step("held_profile", sql)


def _counters_step(columns: Columns) -> Step:
    endings = (name.removeprefix("rows_") for name in ROW_ENDS)
    ends = ",\n    ".join(f"coalesce(sum(ends.rows) filter (ending = '{x}'), 0) as rows_{x}" for x in endings)
    return fixed("file_counters", f"{SQL}/file_counters", ends=ends, kind=f"{columns.entity.records.noun}s")


def _identifier_steps(columns: Columns, prop: Property, changes: Changes, now: object) -> Iterator[Step]:
    """Keep the table of identifiers equal to the identifier columns, unnested."""
    table, key = columns.entity.identifier_table, columns.entity.key
    name, text = quote_identifier(prop.name), quote_literal(prop.name)
    value = f"unnest({name})" if prop.multiple else name
    sources: list[str] = []
    if changes.created:
        created = f"updated_at = $now and created_at >= $now and {name} is not null"
        sources.append(f"select {value} as value, {key} as profile_id from {columns.entity.stored} where {created}")
    if changes.candidates:
        aside = f"select {value} as value, profile_id from {OWN} where profile_id in {_CANDIDATES}"
        yield Step(_OWN_IDENTIFIER, _identified(_OWN_IDENTIFIER, text, aside))
    if prop.name in changes.properties:
        changed = f"changed_profile where list_contains(_changed, {text})"
        sources.append(f"select {value} as value, profile_id from {changed}")
        removed = f"property = {text} and {key} in (select profile_id from {changed})"
        yield Step(table, f"delete from {table} where {removed}")
    shown = _identified(table, text, " union all ".join(sources), key)
    yield Step(table, shown, {"now": now} if changes.created else {})


def _identified(table: str, text: str, query: str, key: str = "profile_id") -> str:
    """Return the statement that inserts identifiers in order, so that a search for one reads few row groups."""
    return f"""insert into {table} (property, value, {key})
select {text}, value::varchar as value, profile_id
from ({query})
where value is not null
order by value"""
