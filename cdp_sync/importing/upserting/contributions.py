"""What rows add to profiles: it is added once, and taken back where a row no longer says so.

The ledger keeps for each row of a file the profile that it was applied to and what it added to sums. A row that is
applied again adds the difference. With `row_key` a row is its key, in whatever file it comes: what the key added is
taken back, values of lists included, before the new content is added.
"""

from dataclasses import dataclass

from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.warehouse import Step, quote_identifier, quote_literal, statement


@dataclass(frozen=True)
class Contributed:
    """Which rows to apply may have added something before: none, rows of previous imports, or all as they have keys."""

    rows: bool = False
    """Rows that are applied were in the previous import of their file, and added something."""
    keyed: bool = False
    """The goal's rows have keys."""

    @property
    def possible(self) -> bool:
        """Whether a row can have added something before."""
        return self.rows or self.keyed


def fixed(name: str, yields: str, *reads: str, **values: object) -> Step:
    """Return the step of a statement of this folder."""
    return Step(yields, statement(f"importing/upserting/{name}"), values, reads)


def contribution_step(contributed: Contributed) -> Step:
    """Return the step that makes `contribution`, a row for each row that added something before, or has a key."""
    reads = ("staging.assigned", "staging.previous")
    if contributed.keyed:
        return fixed("contribution_by_key", "contribution", *reads, "staging.staged", "staging.previous_by_key")
    return fixed("contribution", "contribution", *reads)


def row_value_step(columns: Columns, contributed: Contributed) -> Step:
    """Return the step that makes `row_value`: the rows to apply with what each of them says.

    A sum has two columns: what the row adds now, and as `_total_…` what it has added once it is applied.
    """
    sums = {value.column for value in columns.sums}
    adds = {value.column for value in columns.adds}
    selected = ["fresh.row"]
    for name in (quote_identifier(name) for name, _ in columns.declared if name not in sums):
        once = contributed.keyed and name in map(quote_identifier, adds)  # only the last row with a key adds to lists
        selected.append(f"case when contribution.counts then fresh.{name} end as {name}" if once else f"fresh.{name}")
    for value in columns.sums:
        selected.append(f"{_added_now(value, contributed)} as {quote_identifier(value.column)}")
        selected.append(f"{_added_in_all(value, contributed)} as {quote_identifier(value.total)}")
    source = "staging.fresh fresh"
    reads = ["staging.fresh"]
    if contributed.possible:
        found = ["row", "counts", "moved", *(f"{_entry('sums', value)} as {_former(value)}" for value in columns.sums)]
        if contributed.keyed:
            found += [f"{_entry('key_sums', value)} as {_former(value, 'key')}" for value in columns.sums]
        entries = f"select {', '.join(found)} from contribution"
        source += f"\nleft join ({entries}) contribution on contribution.row = fresh.row"
        reads.append("contribution")
    sql = f"create or replace temp view row_value as\nselect {', '.join(selected)}\nfrom {source}"
    return Step("row_value", sql, reads=tuple(reads))


def _entry(sums: str, value: StagedValue) -> str:
    return f"list_filter({sums}, lambda entry: entry.property = {quote_literal(value.prop.name)})[1]"


def _former(value: StagedValue, of: str = "row") -> str:
    """Return the column with a sum's entry of the row, or of its key."""
    return quote_identifier(f"_{of}_{value.prop.name}")


def _amount(value: StagedValue, of: str = "row") -> str:
    return f"(contribution.{_former(value, of)}.amount)::{value.sql_type}"


def _added_now(value: StagedValue, contributed: Contributed) -> str:
    """Return what a row adds now; nothing where it added an amount that an older version did not note."""
    if not contributed.possible:
        return f"fresh.{quote_identifier(value.column)}"
    entry, total = f"contribution.{_former(value)}", _added_in_all(value, contributed)
    if contributed.keyed:
        total = f"case when contribution.counts then {total} end"
    before = f"case when contribution.moved then 0 else {_amount(value)} end"
    return f"""case
        when {entry} is null then {total}
        when {entry}.amount is null then null
        else nullif(coalesce({total}, 0) - {before}, 0)
    end"""


def _added_in_all(value: StagedValue, contributed: Contributed) -> str:
    """Return what a row has added once it is applied. A cell that does not convert takes nothing back."""
    column = f"fresh.{quote_identifier(value.column)}"
    if not contributed.possible:
        return column
    before = _amount(value)
    if not contributed.keyed:
        return f"coalesce({column}, {before})"
    fields = ", ".join(map(quote_literal, value.fields))
    fails = f"len(list_filter(fresh.invalid, lambda cell: cell.field in ({fields}))) > 0"
    return f"coalesce({column}, {before}, case when {fails} then {_amount(value, 'key')} end)"


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
    reads = ("staging.file", "row_value", "staging.assigned", "staging.previous", "vanished_row")
    return Step("staging.file", sql, reads=reads)


def vanished_step() -> Step:
    """Return the step that makes `vanished_row`: rows that added amounts and are no longer in their file."""
    reads = ("staging.file", "staging.staged", "staging.read_before", "staging.previous_row")
    return fixed("vanished_row", "vanished_row", *reads)


def reversal_steps(contributed: Contributed, *, vanished: bool) -> tuple[Step, ...]:
    """Return the steps that gather the amounts to take back: `reversal`.

    With `vanished`, rows that are no longer in their file give back what they added.
    """
    steps = [] if contributed.possible else [contribution_step(contributed)]
    steps.append(fixed("reversal_of_rows", "reversal", "contribution", "staging.assigned"))
    if vanished:
        steps.append(fixed("reversal_of_vanished", "reversal", "reversal", "vanished_row"))
    if contributed.keyed:
        keys = ("contribution", "staging.assigned", "staging.staged", "staging.previous_by_key")
        by_key = ("reversal", "replaced_row", "staging.previous", "staging.set_aside", "staging.previous_by_key")
        steps.append(fixed("replaced_row", "replaced_row", *keys))
        steps.append(fixed("reversal_by_key", "reversal", *by_key))
    return tuple(steps)


def list_steps(columns: Columns, source: object) -> tuple[Step, ...]:
    """Return the steps for what rows with keys add to lists, and what is taken off: `added_value`, `reversed_value`."""
    said = "\nunion all\n".join(
        f"select r.row, a.profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest(r.{quote_identifier(value.column)})::varchar as value "
        "from row_value r join staging.assigned a using (row) where a.profile_id is not null"
        for value in columns.adds
    )
    held = "\n    union all\n    ".join(
        f"select profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest({quote_identifier(value.prop.name)})::varchar as value "
        f"from {columns.entity.stored} where profile_id in (select profile_id from list_value)"
        for value in columns.adds
    )
    added = statement("importing/upserting/added_value").format(held=held)
    return (
        Step(
            "list_value", f"create or replace temp table list_value as\n{said}", {}, ("row_value", "staging.assigned")
        ),
        Step("added_value", added, {"source": source}, ("list_value",)),
        fixed("reversed_value", "reversed_value", "replaced_row", "list_value", source=source),
    )


def profile_reversal_steps(columns: Columns, *, lists: bool) -> tuple[Step, ...]:
    """Return the steps that make `profile_reversal`, what is taken back by profile.

    Profiles that only lose something are added to `touched_profile`.
    """
    adds = columns.adds if lists else ()
    sources, reads = [], []
    if columns.sums:
        sources.append("select profile_id, file, unnest(sums, recursive := true), null::varchar as value from reversal")
        reads.append("reversal")
    if lists:
        sources.append("select profile_id, file, property, null::varchar as amount, value from reversed_value")
        reads.append("reversed_value")
    folds = [
        f"sum(case when {_is(value)} then amount::{value.sql_type} end) as {_back(value)}" for value in columns.sums
    ]
    folds += [f"list(value) filter ({_is(value)} and value is not null) as {_back(value)}" for value in adds]
    made = f"""create or replace temp table profile_reversal as
select profile_id, min(file) as file, {", ".join(folds)}
from ({" union all by name ".join(sources)})
semi join {columns.entity.live} profile using (profile_id)
where {" or ".join(_is(value) for value in (*columns.sums, *adds))}
group by profile_id"""
    touched = """insert into touched_profile
select profile_id, false, null, 0, file from profile_reversal anti join touched_profile using (profile_id)"""
    return (
        Step("profile_reversal", made, reads=tuple(reads)),
        Step("touched_profile", touched, reads=("touched_profile", "profile_reversal")),
    )


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


def remember_steps(columns: Columns, contributed: Contributed, *, known: bool) -> tuple[Step, ...]:
    """Return the steps that write to the ledger which rows of which file were applied, for the next delta.

    `known` says that some of the files were imported before.
    """
    forget = (
        fixed("forgotten_gone_row", "warehouse.imported_row", "staging.gone_row"),
        fixed("kept_row", "warehouse.imported_row", "staging.gone_row"),
    )
    return (*(forget if known else ()), _imported_row_step(columns, contributed))


def remember_key_steps(columns: Columns, contributed: Contributed, values: dict[str, object]) -> tuple[Step, ...]:
    """Return the steps that write to the ledger the rows of files by their content, and what each key brought.

    `values` are the goal's `source` and its `fingerprint`.
    """
    unchanged = ("staging.unchanged", "staging.staged", "staging.file", "staging.previous_by_key")
    by_key = f"""insert into warehouse.keyed_row
select $source, contribution.row_key, r.row_hash, $fingerprint, a.profile_id,
    {_sums(columns, "contribution.key_sums", replace=True)},
    {"added.lists" if columns.adds else "null"}
from contribution
join row_value r using (row)
join staging.assigned a using (row)
{"left join added_value added using (row)" if columns.adds else ""}
where contribution.counts and a.profile_id is not null"""
    reads = ("contribution", "row_value", "staging.assigned", *(("added_value",) if columns.adds else ()))
    return (
        fixed("forgotten_file", "warehouse.imported_row", "staging.file"),
        fixed("unchanged_keyed_row", "warehouse.imported_row", *unchanged),
        _imported_row_step(columns, contributed),
        fixed("forgotten_key", "warehouse.keyed_row", "replaced_row", source=values["source"]),
        Step("warehouse.keyed_row", by_key, values, reads),
    )


def _imported_row_step(columns: Columns, contributed: Contributed) -> Step:
    source = "row_value r join staging.assigned a using (row) join staging.file f using (file)"
    where = "a.profile_id is not null"
    reads = ["row_value", "staging.assigned", "staging.file"]
    if contributed.rows:
        source += " left join staging.previous previous using (row)"
        where += " or previous.sums is not null"
        reads.append("staging.previous")
    sums = _sums(columns, "previous.sums" if contributed.rows else "")
    sql = f"""insert into warehouse.imported_row
select f.source, r.row_hash, a.profile_id is not null, a.profile_id, {sums}
from {source}
where {where}"""
    return Step("warehouse.imported_row", sql, reads=tuple(reads))


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
