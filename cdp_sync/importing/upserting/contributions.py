"""What rows add to profiles: it is added once, and taken back where a row no longer says so.

The ledger keeps for each row of a file the profile that it was applied to and what it added to sums. A row that is
applied again adds the difference. With `row_key` a row is its key, in whatever file it comes: what the key added is
taken back, values of lists included, before the new content is added.

`summed` says that rows to apply added to sums in the previous import of their file.
"""

from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.value_columns import StagedValue
from cdp_sync.warehouse import Step, fixed, quote_identifier, quote_literal

SQL = "importing/upserting"
"""Where the statements of this folder stand."""

_LANDS = "(a.profile_id is not null or a.outcome = 'applied')"
"""The condition that a row is applied: to a profile, or to events alone."""


def contribution_step(columns: Columns) -> Step:
    """Return the step that makes `contribution`, a row for each row that added something before, or has a key."""
    return fixed("contribution", f"{SQL}/contribution_by_key" if columns.keyed else f"{SQL}/contribution")


def row_value_step(columns: Columns, *, summed: bool) -> Step:
    """Return the step that makes `row_value`: the rows to apply with what each of them says.

    A sum has two columns: what the row adds now, and as `_total_…` what it has added once it is applied.
    """
    keyed, contributed = columns.keyed, summed or columns.keyed
    sums = {value.column for value in columns.sums}
    adds = {value.column for value in columns.adds}
    selected = ["fresh.row"]
    for column in (column for column, _ in columns.declared if column not in sums):
        name, once = quote_identifier(column), keyed and column in adds  # only the last row with a key adds to lists
        selected.append(f"case when contribution.counts then fresh.{name} end as {name}" if once else f"fresh.{name}")
    for value in columns.sums:
        now, total = _added(value, keyed=keyed) if contributed else (f"fresh.{quote_identifier(value.column)}",) * 2
        selected += [f"{now} as {quote_identifier(value.column)}", f"{total} as {quote_identifier(value.total)}"]
    source = "staging.fresh fresh"
    if contributed:
        entries = {"row": "sums", "key": "key_sums"} if keyed else {"row": "sums"}
        found = [
            f"{_entry(sums, value)} as {_former(value, of)}" for of, sums in entries.items() for value in columns.sums
        ]
        source += f"""
left join (select {", ".join(["row", "counts", "moved", *found])} from contribution) contribution
    on contribution.row = fresh.row"""
    return Step("row_value", f"create or replace temp view row_value as\nselect {', '.join(selected)}\nfrom {source}")


def _entry(sums: str, value: StagedValue) -> str:
    return f"list_filter({sums}, lambda entry: entry.property = {quote_literal(value.prop.name)})[1]"


def _former(value: StagedValue, of: str) -> str:
    """Return the column with a sum's entry of the `row`, or of its `key`."""
    return quote_identifier(f"_{of}_{value.prop.name}")


def _added(value: StagedValue, *, keyed: bool) -> tuple[str, str]:
    """Return what a row adds now, and what it has added once it is applied.

    It adds nothing where it added an amount that an older version did not note. A cell that does not convert takes
    nothing back.
    """
    column, entry = f"fresh.{quote_identifier(value.column)}", f"contribution.{_former(value, 'row')}"
    before = f"({entry}.amount)::{value.sql_type}"
    total = counts = f"coalesce({column}, {before})"
    if keyed:
        fields = ", ".join(map(quote_literal, value.fields))
        fails = f"len(list_filter(fresh.invalid, lambda cell: cell.field in ({fields}))) > 0"
        of_key = f"(contribution.{_former(value, 'key')}.amount)::{value.sql_type}"
        total = f"coalesce({column}, {before}, case when {fails} then {of_key} end)"
        counts = f"case when contribution.counts then {total} end"
    now = f"""case
        when {entry} is null then {counts}
        when {entry}.amount is null then null
        else nullif(coalesce({counts}, 0) - case when contribution.moved then 0 else {before} end, 0)
    end"""
    return now, total


def correction_step(columns: Columns) -> Step:
    """Return the step that warns of files that lost and gained rows of one profile: they may hold corrected rows."""
    says = " or ".join(f"r.{quote_identifier(value.column)} is not null" for value in columns.sums)
    names = ", ".join(value.prop.name for value in columns.sums)
    warning = (
        f" of the profiles lost rows of this file and gained others; the former amounts stay in {names}. If rows were "
        "corrected, declare `row_key` with the fields that name a row, or `redelivered: replaces` for later deliveries."
    )
    sql = f"""update staging.file file
set warnings = list_append(file.warnings, corrected.profiles || {quote_literal(warning)})
from (
    select r.file, count(distinct a.profile_id) as profiles
    from row_value r
    join staging.assigned a using (row)
    left join staging.previous previous using (row)
    where previous.sums is null and ({says})
        and (r.file, a.profile_id) in (select (file, profile_id) from vanished_row)
    group by r.file
) corrected
where corrected.file = file.file"""
    return Step("staging.file", sql)


def reversal_steps(columns: Columns, *, summed: bool, vanished: bool) -> list[Step]:
    """Return the steps that make `reversal`, the amounts to take back; `vanished`: also of rows that files lost."""
    steps = [] if summed or columns.keyed else [contribution_step(columns)]
    steps.append(fixed("reversal", f"{SQL}/reversal_of_rows"))
    if vanished:
        steps.append(fixed("reversal", f"{SQL}/reversal_of_vanished"))
    if columns.keyed:
        steps.append(fixed("replaced_row", f"{SQL}/replaced_row"))
        steps.append(fixed("reversal", f"{SQL}/reversal_by_key"))
    return steps


def list_steps(columns: Columns, source: object) -> tuple[Step, ...]:
    """Return the steps for what rows with keys add to lists, and what is taken off: `added_value`, `reversed_value`."""
    said = "\nunion all\n".join(
        f"select r.row, a.profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest(r.{quote_identifier(value.column)})::varchar as value "
        "from row_value r join staging.assigned a using (row) where a.profile_id is not null"
        for value in columns.adds
    )
    key = columns.entity.key
    held = "\n    union all\n    ".join(
        f"select {key} as profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest({quote_identifier(value.prop.name)})::varchar as value "
        f"from {columns.entity.by_itself} where {key} in (select profile_id from list_value)"
        for value in columns.adds
    )
    return (
        Step("list_value", f"create or replace temp table list_value as\n{said}"),
        fixed("added_value", f"{SQL}/added_value", {"source": source}, held=held),
        fixed("reversed_value", f"{SQL}/reversed_value", {"source": source}),
    )


def profile_reversal_steps(columns: Columns, *, lists: bool) -> tuple[Step, ...]:
    """Return the steps that sum `reversal` up by profile, and touch profiles that only lose something."""
    adds = columns.adds if lists else ()
    sources = []
    if columns.sums:
        sources.append("select profile_id, file, unnest(sums, recursive := true), null::varchar as value from reversal")
    if lists:
        sources.append("select profile_id, file, property, null::varchar as amount, value from reversed_value")
    folds = [
        f"sum(case when {_is(value)} then amount::{value.sql_type} end) as {_back(value)}" for value in columns.sums
    ]
    folds += [f"list(value) filter ({_is(value)} and value is not null) as {_back(value)}" for value in adds]
    made = f"""create or replace temp table profile_reversal as
select profile_id, min(file) as file, {", ".join(folds)}
from ({" union all by name ".join(sources)}) taken
semi join {columns.entity.stored} profile on profile.{columns.entity.key} = taken.profile_id
where {" or ".join(_is(value) for value in (*columns.sums, *adds))}
group by profile_id"""
    touched = """insert into touched_profile
select profile_id, false, null, 0, file from profile_reversal anti join touched_profile using (profile_id)"""
    return Step("profile_reversal", made), Step("touched_profile", touched)


def less_reversals(columns: Columns, patch: str, *, lists: bool) -> str:
    """Return the query for `patch` less what is taken back, given the query for what the rows say."""
    less = [
        f"case when back.{_back(value)} is null then {column} "
        f"else nullif(coalesce({column}, 0) - back.{_back(value)}, 0) end as {column}"
        for value in columns.sums
        for column in (quote_identifier(value.column),)
    ]
    taken = "".join(f", back.{_back(value)}" for value in (columns.adds if lists else ()))
    replaced = f" replace ({', '.join(less)})" if less else ""
    return f"""select patch_of_rows.*{replaced}{taken}
from (
{patch}
union all by name
select profile_id, is_new, first_row from touched_profile where rows = 0
) patch_of_rows
left join profile_reversal back using (profile_id)"""


def without_reversals(value: StagedValue, base: str) -> str:
    """Return the expression for a list without the values that are taken off it."""
    back = f"patch.{_back(value)}"
    left = f"nullif(list_filter({base}, lambda v: not list_contains({back}, v::varchar)), [])"
    return f"case when {back} is null then {base} else {left} end"


def _is(value: StagedValue) -> str:
    return f"property = {quote_literal(value.prop.name)}"


def _back(value: StagedValue) -> str:
    return quote_identifier(f"_back_{value.prop.name}")


def remember_steps(columns: Columns, *, summed: bool, known: bool) -> list[Step]:
    """Return the steps that write to the ledger which rows were applied; `known`: some files were imported before."""
    names = ("forgotten_gone_row", "kept_row") if known else ()
    forget = [fixed("warehouse.imported_row", f"{SQL}/{name}") for name in names]
    return [*forget, _imported_row_step(columns, summed=summed)]


def remember_key_steps(columns: Columns, values: dict[str, object], *, summed: bool) -> tuple[Step, ...]:
    """Return the steps that write rows and keys to the ledger; `values` are the goal's `source` and `fingerprint`."""
    by_key = f"""insert into warehouse.keyed_row
select $source, contribution.row_key, r.row_hash, $fingerprint, a.profile_id,
    {_sums(columns, "contribution.key_sums", replace=True)},
    {"added.lists" if columns.adds else "null"}
from contribution
join row_value r using (row)
join staging.assigned a using (row)
{"left join added_value added using (row)" if columns.adds else ""}
where contribution.counts and {_LANDS}"""
    return (
        fixed("warehouse.imported_row", f"{SQL}/forgotten_file"),
        fixed("warehouse.imported_row", f"{SQL}/unchanged_keyed_row"),
        _imported_row_step(columns, summed=summed),
        fixed("warehouse.keyed_row", f"{SQL}/forgotten_key", {"source": values["source"]}),
        Step("warehouse.keyed_row", by_key, values),
    )


def _imported_row_step(columns: Columns, *, summed: bool) -> Step:
    source_hash = ", r.source_hash" if columns.processed else ""
    if not (columns.links or columns.consent):  # usable rows are applied, to no profile: no need to join `assigned`
        sql = f"""insert into warehouse.imported_row by name
select f.source, r.row_hash, true as applied{source_hash}
from row_value r
join staging.file f using (file)
where {columns.is_usable}"""
        return Step("warehouse.imported_row", sql)
    sql = f"""insert into warehouse.imported_row by name
select f.source, r.row_hash, {_LANDS} as applied, a.profile_id,
    {_sums(columns, "previous.sums" if summed else "")} as sums{source_hash}
from row_value r
join staging.assigned a using (row)
join staging.file f using (file)
{"left join staging.previous previous using (row)" if summed else ""}
where {_LANDS} {"or previous.sums is not null" if summed else ""}"""
    return Step("warehouse.imported_row", sql)


def _sums(columns: Columns, before: str, *, replace: bool = False) -> str:
    """Return what a row has added by now: to each property what it says, or else, unless replaced, what it had."""
    entries = []
    for value in columns.sums:
        total = f"r.{quote_identifier(value.total)}"
        entry = f"{{property: {quote_literal(value.prop.name)}, amount: {total}::varchar}}"
        otherwise = f" else {_entry(before, value)}" if before and not replace else ""
        entries.append(f"case when a.profile_id is not null and {total} is not null then {entry}{otherwise} end")
    listed = f"list_filter([{', '.join(entries)}], lambda entry: entry is not null)" if entries else "[]"
    if before:
        names = ", ".join(quote_literal(value.prop.name) for value in columns.sums)
        of_others = f"list_filter({before}, lambda entry: entry.property not in ({names}))" if names else before
        listed = f"list_concat({listed}, coalesce({of_others}, []))"
    return f"nullif({listed}, [])" if entries or before else "null"
