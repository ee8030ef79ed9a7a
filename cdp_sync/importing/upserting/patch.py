"""Composes the statements that fold the rows of each profile into one: `patch`. Pure: columns in, steps out."""

from collections.abc import Callable

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.upserting.contributions import (
    SQL,
    contribution_step,
    less_reversals,
    profile_reversal_steps,
    row_value_step,
)
from cdp_sync.model import Property
from cdp_sync.warehouse import Step, fixed, quote_identifier, quote_literal


def patch_steps(columns: Columns, *, summed: bool) -> tuple[Step, ...]:
    """Return the steps that fold the rows of each profile into one: `patch`."""
    return (
        *([contribution_step(columns)] if summed or columns.keyed else []),
        fixed("touched_profile", f"{SQL}/touched_profile"),
        row_value_step(columns, summed=summed),
        _patch(columns, _of_rows(columns)),
    )


def reversed_patch_steps(columns: Columns, *, lists: bool) -> tuple[Step, ...]:
    """Return the steps that make `patch` less what rows no longer add; with `lists`, also less values of lists."""
    patch = _patch(columns, less_reversals(columns, _of_rows(columns), lists=lists))
    return (*profile_reversal_steps(columns, lists=lists), patch)


def _patch(columns: Columns, query: str) -> Step:
    return Step("patch", f"create or replace temp {kind_of_patch(columns)} patch as\n{query}")


def kind_of_patch(columns: Columns) -> str:
    """Return how `patch` is kept: a view, which costs nothing, unless DuckDB 2.0 fails on what it nests.

    Lists that several links fill are made unique, and made unique again with what the profile has; inlined into one
    statement that ends in an internal error.
    """
    several = [link for link in columns.links if link.prop.multiple]
    return "table" if len(several) > len({link.prop.name for link in several}) else "view"


def _of_rows(columns: Columns) -> str:
    gains = []
    for prop in columns.linked_properties:
        fold = "list(value order by rank)" if prop.multiple else "any_value(value)"
        mine = f"{fold} filter (property = {quote_literal(prop.name)})"
        gains.append(f"({mine})::{prop.sql_type} as {quote_identifier(f'gain_{prop.name}')}")
    return f"""(
with gain as (
    select profile_id, {", ".join(gains)} from staging.granted group by profile_id
)
{_solo(columns)}
union all by name
{_several(columns)}
)"""


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
    gains, values = [], []
    for prop in columns.linked_properties:
        ordered = f"({(row := _linked(columns, prop))} order by r.row) filter ({row} is not null)"
        folded = unique(f"flatten(list{ordered})") if prop.multiple else f"first{ordered}"
        gains.append(_gained(prop, folded, "any_value(g.{})"))
    for value in columns.values:
        name = quote_identifier(value.column)
        column = f"r.{name}"
        if value.mode == "set_or_clear":
            clear = f"r.{quote_identifier(value.clear)}"
            decides = f"filter ({column} is not null or {clear})"
            values.append(f"arg_max_null({column}, r.row) {decides} as {name}")
            values.append(f"coalesce(arg_max({clear}, r.row) {decides}, false) as {quote_identifier(value.clear)}")
        else:
            values.append(f"{_FOLDS[value.mode](column)} as {name}")
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


_FOLDS: dict[str, Callable[[str], str]] = {
    "set": lambda column: f"arg_max({column}, r.row)",
    "set_if_empty": lambda column: f"arg_min({column}, r.row)",
    "add": lambda column: unique(f"flatten(list({column} order by r.row) filter ({column} is not null))"),
    "sum": lambda column: f"sum({column})",
}
