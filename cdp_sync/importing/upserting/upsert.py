"""Writes the linked rows into profiles, with ledger, history and quarantine, in one transaction."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cdp_sync.errors import GoalFailed, ValueOutOfRange
from cdp_sync.importing.delta.watermarks import land_watermarks
from cdp_sync.importing.linking.waiting import waiting_steps
from cdp_sync.importing.report import report_of
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns, staged_columns
from cdp_sync.importing.upserting.contributions import (
    SQL,
    correction_step,
    list_steps,
    remember_key_steps,
    remember_steps,
    reversal_steps,
)
from cdp_sync.importing.upserting.overflow import leave_out_what_outgrows
from cdp_sync.importing.upserting.plan import (
    Changes,
    outcome_steps,
    patch_steps,
    reversed_patch_steps,
    withheld_steps,
    write_steps,
)
from cdp_sync.importing.upserting.sampling import changed_value_step, sample_steps
from cdp_sync.model import GoalReport
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.warehouse import Session, Step, fixed, statement
from cdp_sync.warehouse.backend import begin_at, revision_of
from cdp_sync.warehouse.exchange import add_exchanged, number_of
from cdp_sync.warehouse.history import write_run
from cdp_sync.warehouse.properties import sync_properties

FEW = 0.05
"""Share of all profiles up to which those that rows were assigned to are few; see `Changes.whole`."""

_VACUUM_EVERY = 16
"""Of so many small imports, DuckDB removes dead rows and joins small row groups after one. It would do so as soon
as the live rows of row groups fit into one of them, which may take longer than the import."""


def declare_properties(session: Session, run: GoalRun) -> None:
    """Add the columns of the declared properties, and of those that were detected in files."""
    detected = (value.prop for value in staged_columns(session, run).values)
    sync_properties(session, run.profiles.with_properties(detected))


def upsert_rows(session: Session, run: GoalRun) -> GoalReport:
    """Apply the linked rows, all of them or none; where a sum would outgrow its property, without the cells at fault.

    Raises:
        GoalFailed: A sum does not fit its property, with whatever rows.
    """
    session.set("preserve_insertion_order", "false")
    columns = staged_columns(session, run)
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


def _upsert(session: Session, run: GoalRun, columns: Columns) -> GoalReport:
    staged, latest, revision = session.row(
        f"""select exists (from staging.file where state in ('staged', 'retried')),
            (select max(created_at) from {columns.entity.stored}), (select revision from staging.linked)"""
    )
    # Later than the creation of any profile, so that new ones are known by it: they are a microsecond apart.
    now = datetime.now(UTC)
    now = max(now, latest + timedelta(microseconds=1)) if latest else now
    outcome = _work_out(session, run, columns) if staged else None
    begin_at(session, revision)
    if outcome:
        _write(session, run, columns, outcome, now)
    session.run(
        (
            fixed("warehouse.imported_file", f"{SQL}/noted_file", run.goal_named),
            fixed("warehouse.quarantine", f"{SQL}/rejected", run.key),
        )
    )
    land_watermarks(session, run)
    report = report_of(session, run, applied=staged)
    write_run(session, run, report, now, time.time() - run.began if run.began else None)
    session.execute("commit")
    return report


@dataclass(frozen=True)
class Outcome:
    """What is known of a run before anything is written."""

    summed: bool
    """Rows to apply added to sums in the previous import of their file."""
    known: bool
    """Some of the files were imported before."""
    updated: int
    """Profiles that existed before and that rows are assigned to."""
    changes: Changes
    created: int


def _work_out(session: Session, run: GoalRun, columns: Columns) -> Outcome:
    """Work out what becomes of every profile; nothing is written yet."""
    gone = "false" if columns.keyed else "exists (from staging.gone_row where sums is not null)"
    summed, known, gone_sums = session.row(
        f"select exists (from staging.previous where sums is not null), exists (from staging.previous_row), {gone}"
    )
    session.run(patch_steps(columns, summed=summed))
    if run.objectives:
        session.run(withheld_steps(columns, may_process(run.objectives, run.profiles, ConsentColumns())))
    vanished = False  # rows that their file no longer holds give back what they added
    if gone_sums and columns.sums:
        session.run([fixed("vanished_row", f"{SQL}/vanished_row")])
        if run.goal.redelivered == "replaces":
            vanished = bool(session.value("select exists (from vanished_row)"))
        else:
            session.run([correction_step(columns)])
    lists = (summed or columns.keyed or vanished) and _take_back(
        session, run, columns, summed=summed, vanished=vanished
    )
    created, existing, every = session.row(
        f"""select count(*) filter (is_new), count(*) filter (not is_new),
            (select count(*) from {columns.entity.stored})
        from touched_profile"""
    )
    whole = existing <= FEW * every
    session.run(outcome_steps(columns, whole=whole, lists=lists))
    changed = session.rows("select distinct unnest(_changed) from changed_profile")
    changes = Changes(created > 0, frozenset(name for (name,) in changed), whole)
    return Outcome(summed, known, existing, changes, created)


def _take_back(session: Session, run: GoalRun, columns: Columns, *, summed: bool, vanished: bool) -> bool:
    """Put into `patch` what is to be taken back; return whether that includes values of lists."""
    session.run(reversal_steps(columns, summed=summed, vanished=vanished))
    lists = columns.keyed and bool(columns.adds)
    if lists:
        session.run(list_steps(columns, run.source))
        found = session.value("select exists (from reversal) or exists (from reversed_value)")
    else:
        found = columns.sums and session.value("select exists (from reversal)")
    if found:
        session.run(reversed_patch_steps(columns, lists=lists))
    return bool(found and lists)


def _write(session: Session, run: GoalRun, columns: Columns, outcome: Outcome, now: datetime) -> None:
    number = number_of(session, run.connection)
    session.run(sample_steps(columns, outcome.changes))
    first = 0  # profiles that existed and that the connection imports for the first time, counted before new ones exist
    if outcome.updated:
        sql = statement("importing/upserting/imported_profile").format(table=columns.entity.stored)
        first = session.value(sql, {"connection": run.connection, "number": number})
    add_exchanged(session, run.connection, "import", outcome.created + first)
    if outcome.changes.whole and revision_of(session) % _VACUUM_EVERY:
        session.set("max_vacuum_tasks", "0")
    session.run(write_steps(columns, outcome.changes, now, number))
    session.run(_record_steps(run, columns, outcome, now))
    session.run(waiting_steps(run, columns))
    session.execute("update warehouse.revision set number = number + 1")


def _record_steps(run: GoalRun, columns: Columns, outcome: Outcome, now: datetime) -> Iterator[Step]:
    """Yield the steps that write ledger, history and quarantine."""
    if columns.keyed:
        source = {"source": run.source, "fingerprint": run.fingerprint}
        yield from remember_key_steps(columns, source, summed=outcome.summed)
    else:
        yield from remember_steps(columns, summed=outcome.summed, known=outcome.known)
    yield fixed("warehouse.profile_change", f"{SQL}/profile_change", {"run_id": run.run_id, "now": now})
    yield changed_value_step(columns, outcome.changes, run)
    yield fixed("warehouse.quarantine", f"{SQL}/seen_again", run.key)
    declared = {
        "fingerprint": run.fingerprint,
        "format": run.format,
        "links": run.goal.links_as_json,
        "sums": run.goal.sums_as_json,
    }
    yield fixed("warehouse.imported_file", f"{SQL}/imported_file", {**run.key, **declared, "now": now})
    named = {
        "link_fields": " or ".join(dict.fromkeys(link.field for link in columns.links)),
        "key_fields": " and ".join(run.goal.row_key),
    }
    yield fixed("warehouse.quarantine", f"{SQL}/quarantine", {**run.key, **named})
