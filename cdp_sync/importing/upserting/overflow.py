"""Takes cells out of a run whose sum would outgrow its property: they go to the quarantine, the rest lands."""

from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.warehouse import Session, Step, quote_identifier, quote_literal

_ROUNDS = 50
"""How often one more row of a profile is looked for. After that all later rows of the profile are left out."""

_EXACT = 30
"""Digits up to which sums of many rows are worked out exactly."""


def leave_out_what_outgrows(session: Session, columns: Columns) -> int:
    """Make the cells invalid with which a sum of their profile first outgrows its property; return how many.

    Reads `row_value` and `staging.assigned`, changes `staging.fresh`. To be called outside of a transaction.
    """
    session.run([Step("outgrown", "create or replace temp table outgrown (row bigint, property text)")])
    for value in columns.sums:
        found = True
        for round_ in range(_ROUNDS + 1):
            if found:
                found = _find(session, columns, value, every=round_ == _ROUNDS)
    count = int(session.value("select count(*) from outgrown"))
    if count:
        _mark(session, columns)
    return count


def _find(session: Session, columns: Columns, value: StagedValue, *, every: bool) -> bool:
    """Add to `outgrown` the first row of each profile that exceeds what fits, or also all rows after it."""
    prop, column = quote_identifier(value.prop.name), quote_identifier(value.column)
    wide = value.sql_type if value.prop.precision <= _EXACT else "double"
    before = session.value("select count(*) from outgrown")
    chosen = "row >= first_row" if every else "row = first_row"
    sql = f"""insert into outgrown
        with amount as (
            select r.row, a.profile_id, r.{column}::{wide} as amount
            from row_value r
            join staging.assigned a using (row)
            where a.profile_id is not null and r.{column} is not null
                and r.row not in (select row from outgrown where property = $property)
        ),
        running as (
            select
                amount.row, profile_id, coalesce(profile.{prop}, 0)::{wide} as base,
                base + sum(amount) over (partition by profile_id order by amount.row) as so_far,
                base + sum(amount) over (partition by profile_id) as total
            from amount
            left join {columns.entity.stored} profile using (profile_id)
        ),
        too_much as (
            select profile_id, min(row) filter (try_cast(so_far as {value.prop.value_type}) is null) as first_row
            from running
            where try_cast(total as {value.prop.value_type}) is null
            group by profile_id
        )
        select row, $property from running join too_much using (profile_id) where {chosen}"""
    session.run([Step("outgrown", sql, {"property": value.prop.name})])
    return bool(session.value("select count(*) from outgrown") > before)


def _mark(session: Session, columns: Columns) -> None:
    """Turn the cells into invalid ones: no value, and a complaint."""
    replaced = []
    complaints = ["coalesce(fresh.invalid, [])"]
    for value in columns.sums:
        out = f"list_contains(outgrown.properties, {quote_literal(value.prop.name)})"
        column = quote_identifier(value.column)
        replaced.append(f"case when {out} then null else fresh.{column} end as {column}")
        field = quote_literal(" and ".join(value.fields))
        reason = quote_literal(f"the sum would not fit {value.prop.name} ({value.prop.value_type})")
        entry = f"{{field: {field}, value: fresh.{column}::varchar, reason: {reason}}}"
        complaints.append(f"case when {out} then [{entry}] else [] end")
    invalid = f"nullif({' || '.join(complaints)}, [])"
    marked = f"""create or replace table staging.fresh_row as
select fresh.* replace ({", ".join(replaced)}, {invalid} as invalid)
from staging.fresh fresh
left join (select row, list(property) as properties from outgrown group by row) outgrown using (row)
order by fresh.row"""
    fresh = "create or replace view staging.fresh as from staging.fresh_row"
    session.run([Step("staging.fresh_row", marked), Step("staging.fresh", fresh)])
