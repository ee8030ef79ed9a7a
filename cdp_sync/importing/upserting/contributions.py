"""What rows have added to profiles: it is added once, and taken back where a row no longer says so.

The ledger keeps for each row of a file whom it was applied to and what it has added to sums. A row that is applied
again adds the difference. With `row_key` a row is its key, in whatever file it comes: what the key has added is taken
back, values of lists included, before the new content is added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.warehouse import Step, quote_identifier, quote_literal, statement


@dataclass(frozen=True)
class Guard:
    """What protects sums in a run: nothing, the rows of former imports, or row keys."""

    former: bool = False
    """Rows that are applied have added something before."""
    keyed: bool = False
    """The goal's rows have keys."""

    @property
    def active(self) -> bool:
        """Whether there is anything to look at."""
        return self.former or self.keyed

    @property
    def step(self) -> Step:
        """The step that makes `guard`, a row for each row that has added something before, or has a key."""
        return Step(
            "guard", statement("importing/upserting/keyed_guard" if self.keyed else "importing/upserting/guard")
        )


def row_value_step(columns: Columns, guard: Guard) -> Step:
    """Return the step that makes `row_value`: the rows to apply with what each of them says.

    Of a sum it has two columns: what the row adds now, and as `_total_…` what it has added once it is applied.
    """
    sums = {value.column for value in columns.sums}
    selected = ["fresh.row"]
    for name, _ in columns.declared:
        if name not in sums:
            selected.append(_unless_replaced(name, columns, guard))
    for value in columns.sums:
        selected += [_to_add(value, guard), f"{_in_all(value, guard)} as {quote_identifier(value.total)}"]
    source = "staging.fresh fresh"
    if guard.active:
        source += f"\nleft join ({_entries(columns, guard)}) guard on guard.row = fresh.row"
    sql = f"create or replace temp view row_value as\nselect {', '.join(selected)}\nfrom {source}"
    return Step("row_value", sql)


def _unless_replaced(name: str, columns: Columns, guard: Guard) -> str:
    """A value for a list counts only of the last row with a key."""
    column = quote_identifier(name)
    adds = {value.column for value in columns.adds}
    return (
        f"case when guard.counts then fresh.{column} end as {column}"
        if guard.keyed and name in adds
        else f"fresh.{column}"
    )


def _entries(columns: Columns, guard: Guard) -> str:
    """Return the query for `guard` with a column for each sum's former entry."""
    found = ["row", "counts", "moved"]
    for value in columns.sums:
        found.append(f"{_entry('sums', value)} as {_former(value)}")
        if guard.keyed:
            found.append(f"{_entry('key_sums', value)} as {_of_key(value)}")
    return f"select {', '.join(found)} from guard"


def _entry(sums: str, value: StagedValue) -> str:
    return f"list_filter({sums}, lambda entry: entry.property = {quote_literal(value.prop.name)})[1]"


def _former(value: StagedValue) -> str:
    return quote_identifier(f"_former_{value.prop.name}")


def _of_key(value: StagedValue) -> str:
    return quote_identifier(f"_key_{value.prop.name}")


def _to_add(value: StagedValue, guard: Guard) -> str:
    """Return what a row adds now; nothing where it has added an amount that a former version did not note."""
    column = quote_identifier(value.column)
    if not guard.active:
        return f"fresh.{column}"
    entry, amount = f"guard.{_former(value)}", _amount(f"guard.{_former(value)}", value)
    says = f"case when guard.counts then {_in_all(value, guard)} end" if guard.keyed else _in_all(value, guard)
    difference = f"nullif(coalesce({says}, 0) - case when guard.moved then 0 else {amount} end, 0)"
    return f"""case
        when {entry} is null then {says}
        when {entry}.amount is null then null
        else {difference}
    end as {column}"""


def _in_all(value: StagedValue, guard: Guard) -> str:
    """Return what a row has added once it is applied. A cell that does not convert takes nothing back."""
    column = f"fresh.{quote_identifier(value.column)}"
    if not guard.active:
        return column
    former = _amount(f"guard.{_former(value)}", value)
    if not guard.keyed:
        return f"coalesce({column}, {former})"
    fields = ", ".join(map(quote_literal, value.fields))
    fails = f"len(list_filter(fresh.invalid, lambda cell: cell.field in ({fields}))) > 0"
    return f"coalesce({column}, {former}, case when {fails} then {_amount(f'guard.{_of_key(value)}', value)} end)"


def _amount(entry: str, value: StagedValue) -> str:
    return f"({entry}.amount)::{value.sql_type}"


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
    left join staging.former former using (row)
    where former.sums is null and ({says})
        and (r.file, a.profile_id) in (select (file, profile_id) from vanished)
    group by r.file
) corrected
where corrected.file = file.file"""
    return Step("file", sql)


def back_entry_steps(guard: Guard, *, vanished: bool) -> Iterator[Step]:
    """Yield the steps that gather what is to be taken back: `back_entry`.

    Args:
        guard: What protects sums.
        vanished: Rows that their file no longer holds give back what they have added.
    """
    if not guard.active:
        yield Step("guard", statement("importing/upserting/guard"))
    yield Step("back_entry", statement("importing/upserting/back_of_rows"))
    if vanished:
        yield Step("back_entry", statement("importing/upserting/back_of_vanished"))
    if guard.keyed:
        yield Step("replaced", statement("importing/upserting/keyed_replaced"))
        yield Step("back_entry", statement("importing/upserting/keyed_back"))


def list_steps(columns: Columns, source: object) -> Iterator[Step]:
    """Yield the steps that work out what rows with keys add to lists, and what is taken off: `said` to `back_value`."""
    said = "\nunion all\n".join(
        f"select r.row, a.profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest(r.{quote_identifier(value.column)})::varchar as value "
        "from row_value r join staging.assigned a using (row) where a.profile_id is not null"
        for value in columns.adds
    )
    held = "\nunion all\n".join(
        f"select profile_id, {quote_literal(value.prop.name)} as property, "
        f"unnest({quote_identifier(value.prop.name)})::varchar as value "
        "from warehouse.profile where profile_id in (select profile_id from said)"
        for value in columns.adds
    )
    yield Step("said", f"create or replace temp table said as\n{said}")
    yield Step("held", f"create or replace temp table held as\n{held}")
    yield Step("added_value", statement("importing/upserting/keyed_added_value"), {"source": source})
    yield Step("back_value", statement("importing/upserting/keyed_back_value"), {"source": source})


def back_steps(columns: Columns, *, lists: bool) -> Iterator[Step]:
    """Yield the steps that add to `touched` the profiles that only lose something, and make `back`, a row for each."""
    amounts = "select profile_id, file, unnest(sums, recursive := true), null::varchar as value from back_entry"
    entries = [amounts] if columns.sums else []
    if lists:
        entries.append("select profile_id, file, property, null::varchar as amount, value from back_value")
    folds = [
        f"sum(case when {_is(value)} then amount::{value.sql_type} end) as {_back(value)}" for value in columns.sums
    ]
    folds += [
        f"list(value) filter ({_is(value)} and value is not null) as {_back(value)}"
        for value in (columns.adds if lists else ())
    ]
    yield Step(
        "back",
        f"""create or replace temp table back as
select profile_id, min(file) as file, {", ".join(folds)}
from ({" union all by name ".join(entries)})
semi join (from warehouse.profile where merged_into is null) using (profile_id)
where {" or ".join(_is(value) for value in (*columns.sums, *(columns.adds if lists else ())))}
group by profile_id""",
    )
    yield Step(
        "touched",
        """insert into touched
select profile_id, false, null, 0, file from back anti join touched using (profile_id)""",
    )


def with_back(columns: Columns, patch: str, *, lists: bool) -> str:
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
select profile_id, is_new, first_row from touched where rows = 0
) patch_of_rows
left join back using (profile_id)"""


def without_back(value: StagedValue, base: str) -> str:
    """Return the expression for a list without the values that are taken off it."""
    back = f"patch.{_back(value)}"
    left = f"nullif(list_filter({base}, lambda v: not list_contains({back}, v::varchar)), [])"
    return f"case when {back} is null then {base} else {left} end"


def _is(value: StagedValue) -> str:
    return f"property = {quote_literal(value.prop.name)}"


def _back(value: StagedValue) -> str:
    return quote_identifier(f"_back_{value.prop.name}")


def remember_steps(columns: Columns, guard: Guard, *, known: bool) -> Iterator[Step]:
    """Yield the steps that remember which rows of which file were applied, for the next delta; without keys.

    Args:
        columns: The staging columns.
        guard: What protects sums.
        known: Some of the files were imported before.
    """
    if known:
        yield Step("imported_row", statement("importing/upserting/forgotten_row"))
        yield Step("imported_row", statement("importing/upserting/kept_row"))
    yield _remembered(columns, carried=guard.former)


def remember_key_steps(columns: Columns, guard: Guard, values: dict[str, object]) -> Iterator[Step]:
    """Yield the steps that remember the rows of files by their content, and what each key brought.

    Args:
        columns: The staging columns.
        guard: What protects sums.
        values: The goal's `source` and its `fingerprint`.
    """
    source = {"source": values["source"]}
    yield Step("imported_row", statement("importing/upserting/forgotten_file"))
    yield Step("imported_row", statement("importing/upserting/unchanged_keyed_row"))
    yield _remembered(columns, carried=guard.former)
    yield Step("keyed_row", statement("importing/upserting/forgotten_key"), source)
    yield Step(
        "keyed_row",
        f"""insert into warehouse.keyed_row
select $source, guard.row_key, r.row_hash, $fingerprint, a.profile_id, {_sums(columns, "guard.key_sums", replace=True)},
    {"added.lists" if columns.adds else "null"}
from guard
join row_value r using (row)
join staging.assigned a using (row)
{"left join added_value added using (row)" if columns.adds else ""}
where guard.counts and a.profile_id is not null""",
        values,
    )


def _remembered(columns: Columns, *, carried: bool) -> Step:
    source = "row_value r join staging.assigned a using (row) join staging.file f using (file)"
    where = "a.profile_id is not null"
    if carried:
        source += " left join staging.former former using (row)"
        where += " or former.sums is not null"
    sql = f"""insert into warehouse.imported_row
select f.source, r.row_hash, a.profile_id is not null, a.profile_id, {_sums(columns, "former.sums" if carried else "")}
from {source}
where {where}"""
    return Step("imported_row", sql)


def _sums(columns: Columns, before: str, *, replace: bool = False) -> str:
    """Return what a row has added by now: to each property what it says, or else, unless replaced, what it had."""
    entries = [_sum_entry(value, "" if replace else before) for value in columns.sums]
    listed = f"list_filter([{', '.join(entries)}], lambda entry: entry is not null)" if entries else "[]"
    if before:
        names: Sequence[str] = [quote_literal(value.prop.name) for value in columns.sums]
        of_others = (
            f"list_filter({before}, lambda entry: entry.property not in ({', '.join(names)}))" if names else before
        )
        listed = f"list_concat({listed}, coalesce({of_others}, []))"
    return f"nullif({listed}, [])" if entries or before else "null"


def _sum_entry(value: StagedValue, before: str) -> str:
    name, total = quote_literal(value.prop.name), f"r.{quote_identifier(value.total)}"
    otherwise = f" else {_entry(before, value)}" if before else ""
    entry = f"{{property: {name}, amount: {total}::varchar}}"
    return f"case when a.profile_id is not null and {total} is not null then {entry}{otherwise} end"
