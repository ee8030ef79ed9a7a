"""Writes the linked rows into profiles, with ledger, history and quarantine, in one transaction."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from cdp_sync.errors import GoalFailed, ValueOutOfRange
from cdp_sync.importing.delta.watermarks import land_watermarks
from cdp_sync.importing.events.landing import land_events
from cdp_sync.importing.faults import write_faults
from cdp_sync.importing.linking.waiting import waiting_steps
from cdp_sync.importing.reading.readers import RAW_LIMIT
from cdp_sync.importing.reading.records import MARKS
from cdp_sync.importing.report import report_of
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns, staged_columns, with_merges
from cdp_sync.importing.staging.value_columns import StagedValue
from cdp_sync.importing.upserting import contributions, plan
from cdp_sync.importing.upserting.contributions import SQL
from cdp_sync.importing.upserting.merging import land_merges, prepare_merges, separate_touched
from cdp_sync.importing.upserting.patch import patch_steps, reversed_patch_steps
from cdp_sync.importing.upserting.plan import Changes, Target, targets
from cdp_sync.importing.upserting.withheld import withheld_steps
from cdp_sync.merging.report import Merges
from cdp_sync.model import GroupType, ImportReport, Profiles
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.warehouse import (
    Session,
    Step,
    fixed,
    quote_identifier,
    quote_literal,
    statement,
    sync_events,
    sync_groups,
    sync_properties,
)
from cdp_sync.warehouse.backend import begin_at, next_number, revision_of
from cdp_sync.warehouse.clock import next_moment
from cdp_sync.warehouse.history import add_exchanged, write_run

FEW = 0.05
"""Share of all profiles up to which those that rows were assigned to are few; see `Changes.whole`."""

_VACUUM_EVERY = 16
"""Of so many small imports, DuckDB removes dead rows and joins small row groups after one. It would do so as soon
as the live rows of row groups fit into one of them, which may take longer than the import. Events are written in
portions, which fill no row groups."""


def declare_properties(session: Session, run: ImportRun) -> None:
    """Add what declared properties, and types of events or groups, lack in the warehouse; also detected properties."""
    records = run.records.with_properties(value.prop for value in staged_columns(session, run).values)
    if isinstance(records, Profiles):
        sync_properties(session, records)
        sync_events(session, records)
    elif isinstance(records, GroupType):
        sync_groups(session, records)


def upsert_rows(session: Session, run: ImportRun) -> ImportReport:
    """Apply the linked rows, all of them or none; where a sum would outgrow its property, without the cells at fault.

    Raises:
        GoalFailed: A sum does not fit its property, with whatever rows.
    """
    session.set("preserve_insertion_order", "false")
    columns = with_merges(session, staged_columns(session, run))
    try:
        return _upsert(session, run, columns)
    except ValueOutOfRange as error:
        session.roll_back()
        if not (columns.sums and leave_out_what_outgrows(session, columns)):
            raise
        try:
            return _upsert(session, run, columns)
        except ValueOutOfRange:
            sums = ", ".join(f"{value.prop.name} ({value.prop.value_type})" for value in columns.sums)
            raise GoalFailed(
                f"A sum does not fit its property: {sums}.",
                needed="The property's type must hold the largest sum.",
                remedy=(
                    "Declare a larger precision under a new name, or correct the amounts. Nothing of this run landed."
                ),
            ) from error


def _upsert(session: Session, run: ImportRun, columns: Columns) -> ImportReport:
    staged, latest, revision = session.row(
        f"""select exists (from staging.file where state in ('staged', 'retried')),
            (select coalesce(max(created_at), to_timestamp(0)) from {columns.entity.stored}),
            (select revision from staging.linked)"""
    )
    # Later than the creation of any profile, so that new ones are known by it: they are a microsecond apart.
    now = max(datetime.now(UTC), latest + timedelta(microseconds=1))
    changes = _work_out(session, run, columns) if staged else None
    begin_at(session, revision)
    now = next_moment(session, now)
    merges = _write(session, run, columns, changes, now) if changes else Merges()
    session.run(
        (
            fixed("warehouse.imported_file", f"{SQL}/noted_file", run.goal_named),
            fixed("warehouse.quarantine", f"{SQL}/rejected", {**run.key, "marks": MARKS, "limit": RAW_LIMIT}),
        )
    )
    land_watermarks(session, run)
    report = report_of(session, run, merges, applied=staged)
    if staged and run.faults:
        write_faults(session, run, run.faults)
    write_run(session, run, report, now, time.time() - run.began if run.began else None)
    session.commit()
    return report


def _work_out(session: Session, run: ImportRun, columns: Columns) -> Changes:
    """Work out what becomes of every profile; nothing is written yet."""
    if not columns.links:
        session.run(plan.no_profile_steps(columns))
        known = session.value("select exists (from staging.previous_row)")
        return Changes(0, frozenset(), whole=False, known=known)
    gone = "false" if columns.keyed else "exists (from staging.gone_row where sums is not null)"
    summed, known, gone_sums = session.row(
        f"select exists (from staging.previous where sums is not null), exists (from staging.previous_row), {gone}"
    )
    session.run(patch_steps(columns, summed=summed))
    if run.objectives and columns.consent:
        session.run(withheld_steps(columns, may_process(run.objectives, run.profiles, ConsentColumns())))
    vanished = False  # rows that their file no longer holds give back what they added
    if gone_sums and columns.sums:
        session.run([fixed("vanished_row", f"{SQL}/vanished_row")])
        if run.goal.redelivered == "replaces":
            vanished = bool(session.value("select exists (from vanished_row)"))
        else:
            session.run([contributions.correction_step(columns)])
    lists = (summed or columns.keyed or vanished) and _take_back(
        session, run, columns, summed=summed, vanished=vanished
    )
    created, existing, every = session.row(
        f"""select count(*) filter (is_new), count(*) filter (not is_new),
            (select count(*) from {columns.entity.stored})
        from touched_profile"""
    )
    whole = existing <= FEW * every
    session.run(plan.outcome_steps(columns, whole=whole, lists=lists))
    changed = session.rows("select distinct unnest(_changed) from changed_profile")
    properties = frozenset(name for (name,) in changed)
    candidates = columns.entity.is_person and prepare_merges(session, columns, run.profiles, created)
    return Changes(created, properties, whole, existing, summed, known, candidates)


def _take_back(session: Session, run: ImportRun, columns: Columns, *, summed: bool, vanished: bool) -> bool:
    """Put into `patch` what is to be taken back; return whether that includes values of lists."""
    session.run(contributions.reversal_steps(columns, summed=summed, vanished=vanished))
    lists = columns.keyed and bool(columns.adds)
    if lists:
        session.run(contributions.list_steps(columns, run.source))
        found = session.value("select exists (from reversal) or exists (from reversed_value)")
    else:
        found = columns.sums and session.value("select exists (from reversal)")
    if found:
        session.run(reversed_patch_steps(columns, lists=lists))
    return bool(found and lists)


def _write(session: Session, run: ImportRun, columns: Columns, changes: Changes, now: datetime) -> Merges:
    separate_touched(session, columns)
    number = next_number(session, "connection_number", {"connection": run.connection})
    session.run(sample_steps(columns, changes))
    if columns.entity.is_person:
        _count_exchanged(session, run, columns, changes, number)
    if (changes.whole or columns.events) and revision_of(session) % _VACUUM_EVERY:
        session.set("max_vacuum_tasks", "0")
    session.run(plan.write_steps(columns, changes, now, number))
    land_events(session, run, columns, now)
    if columns.entity.is_person:
        session.run(_history_steps(run, columns, changes, now))
    merges = land_merges(session, run, columns, now)
    session.run(_record_steps(run, columns, changes, now))
    session.run(waiting_steps(run, columns))
    session.execute("update warehouse.revision set number = number + 1")
    return merges


def _count_exchanged(session: Session, run: ImportRun, columns: Columns, changes: Changes, number: int) -> None:
    """Count the profiles that the connection imports for the first time: new ones, and before these exist, others."""
    first = 0
    if changes.updated:
        sql = statement("importing/upserting/imported_profile").format(**columns.entity.names)
        first = session.value(sql, {"connection": run.connection, "number": number})
    add_exchanged(session, run.connection, "import", changes.created + first)


def _history_steps(run: ImportRun, columns: Columns, changes: Changes, now: datetime) -> tuple[Step, ...]:
    changed = fixed("warehouse.profile_change", f"{SQL}/profile_change", {"run_id": run.run_id, "now": now})
    return changed, changed_value_step(columns, changes, run)


def _record_steps(run: ImportRun, columns: Columns, changes: Changes, now: datetime) -> Iterator[Step]:
    if columns.keyed:
        source = {"source": run.source, "fingerprint": run.fingerprint}
        yield from contributions.remember_key_steps(columns, source, summed=changes.summed)
    else:
        yield from contributions.remember_steps(columns, summed=changes.summed, known=changes.known)
    yield fixed("warehouse.quarantine", f"{SQL}/seen_again", run.key)
    declared = {
        "fingerprint": run.fingerprint,
        "format": run.goal.format.model_dump_json(by_alias=True),
        "links": run.goal.links_as_json,
        "sums": run.goal.sums_as_json,
    }
    yield fixed("warehouse.imported_file", f"{SQL}/imported_file", {**run.key, **declared, "now": now})
    named = {
        "link_fields": " or ".join(dict.fromkeys(link.field for link in columns.links)),
        "key_fields": " and ".join(run.goal.row_key),
    }
    yield fixed("warehouse.quarantine", f"{SQL}/quarantine", {**run.key, **named})


_ROUNDS = 50
"""How often one more row of a profile is looked for. After that all later rows of the profile are left out."""

_EXACT = 30
"""Digits up to which sums of many rows are worked out exactly."""


def leave_out_what_outgrows(session: Session, columns: Columns) -> int:
    """Make the cells invalid with which a sum of their profile first outgrows its property; return how many.

    Reads `row_value` and `staging.assigned`, changes `staging.fresh`. To be called outside of a transaction.
    """
    session.run([Step("outgrown", "create or replace temp table outgrown (row bigint, property text)")])
    count = 0
    for value in columns.sums:
        for round_ in range(_ROUNDS + 1):
            session.run([_outgrown_step(columns, value, every=round_ == _ROUNDS)])
            before, count = count, int(session.value("select count(*) from outgrown"))
            if count == before:
                break
    if not count:
        return 0
    # The cells turn into invalid ones: no value, and a complaint.
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
    return count


def _outgrown_step(columns: Columns, value: StagedValue, *, every: bool) -> Step:
    """Return the step that adds the first row of each profile that exceeds what fits, or also all rows after it."""
    prop, column = quote_identifier(value.prop.name), quote_identifier(value.column)
    wide = value.sql_type if value.prop.precision <= _EXACT else "double"
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
                amount.row, amount.profile_id, coalesce(profile.{prop}, 0)::{wide} as base,
                base + sum(amount) over (partition by amount.profile_id order by amount.row) as so_far,
                base + sum(amount) over (partition by amount.profile_id) as total
            from amount
            left join {columns.entity.by_itself} profile on profile.{columns.entity.key} = amount.profile_id
        ),
        too_much as (
            select profile_id, min(row) filter (try_cast(so_far as {value.prop.value_type}) is null) as first_row
            from running
            where try_cast(total as {value.prop.value_type}) is null
            group by profile_id
        )
        select row, $property from running join too_much using (profile_id) where {chosen}"""
    return Step("outgrown", sql, {"property": value.prop.name})


_SAMPLE = """create or replace temp table profile_sample as
(
    select profile_id, 'created' as kind, first_row as place, null::text[] as properties, null::bigint as stored_at
    from touched_profile where is_new order by first_row desc limit 5
)
union all
(
    select profile_id, 'updated' as kind, _first_row as place, _changed as properties, {stored_at} as stored_at
    from changed_profile order by _first_row desc limit 5
)"""


def sample_steps(columns: Columns, changes: Changes) -> tuple[Step, ...]:
    """Return the steps that choose the profiles and note the values that will change, before anything is written."""
    placed = plan.is_placed(columns, changes)
    found = "profile.rowid = chosen.stored_at" if placed else f"profile.{columns.entity.key} = chosen.profile_id"
    before = _values("updated", _changing(columns, changes), columns.entity.stored, found)
    return (
        Step("profile_sample", _SAMPLE.format(stored_at=plan.PLACE if placed else "null::bigint")),
        Step("value_before", f"create or replace temp table value_before as\n{before}"),
    )


def changed_value_step(columns: Columns, changes: Changes, run: ImportRun) -> Step:
    """Return the step that records what changed, once profiles are written."""
    found = "profile.{} = chosen.profile_id"
    now = [_values("updated", _changing(columns, changes), "changed_profile", found.format("profile_id"))]
    if changes.created:
        stored = "warehouse.profile_by_itself" if changes.candidates else columns.entity.stored
        now.append(_values("created", targets(columns), stored, found.format(columns.entity.key)))
    sql = f"""insert into warehouse.changed_value
select $run_id, $connection, $goal, profile_id, now.kind, property, value_before.value, now.value
from ({" union all ".join(now)}) now
left join value_before using (profile_id, property)
where value_before.value is distinct from now.value"""
    return Step("warehouse.changed_value", sql, run.key)


def _changing(columns: Columns, changes: Changes) -> list[Target]:
    return [target for target in targets(columns) if target.prop.name in changes.properties]


def _values(kind: str, every: Iterable[Target], table: str, found: str) -> str:
    """Return the query for values of the chosen profiles of a kind, as text, given how `table` has each of these."""
    named = ((quote_literal(target.prop.name), target.name) for target in every)
    values = ", ".join(f"{{property: {text}, value: profile.{name}::text}}" for text, name in named)
    return f"""select chosen.profile_id, chosen.kind,
    unnest([{values}]::struct(property text, value text)[], recursive := true)
from (from profile_sample where kind = {quote_literal(kind)}) chosen
join {table} profile on {found}"""
