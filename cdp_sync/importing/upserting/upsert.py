"""Writes the linked rows into profiles, with ledger, history and quarantine, in one transaction."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cdp_sync.errors import GoalFailed, ValueOutOfRange
from cdp_sync.importing.linking.linking import link, staged_columns
from cdp_sync.importing.linking.waiting import waiting_steps
from cdp_sync.importing.report import report_of
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.upserting.contributions import (
    Guard,
    back_entry_steps,
    correction_step,
    list_steps,
    remember_key_steps,
    remember_steps,
)
from cdp_sync.importing.upserting.overflow import leave_out_what_outgrows
from cdp_sync.importing.upserting.plan import (
    Changes,
    less_back_steps,
    patch_steps,
    profile_steps,
    withheld_steps,
    write_steps,
)
from cdp_sync.importing.upserting.sampling import changed_value_step, sample_steps
from cdp_sync.model import GoalReport, Profiles
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.warehouse import Session, Step, statement
from cdp_sync.warehouse.exchange import count_imported, number_of
from cdp_sync.warehouse.history import write_run
from cdp_sync.warehouse.properties import sync_properties

FEW = 0.05
"""Share of all profiles up to which those that rows were assigned to are few; see `Changes.whole`."""

_VACUUM_EVERY = 16
"""Of so many small imports, DuckDB removes dead rows and joins small row groups after one."""


def upsert_profiles(run: GoalRun) -> GoalReport:
    """Apply what was linked, all of it or nothing, and report.

    Opens the warehouse for writing. If another process wrote to it since the rows were linked, they are linked again
    first, so that two runs that meet the same new person end with one profile.
    """
    with run.open("write") as session:
        report = _upsert_or_leave_out(session, run)
    run.close()
    return report


def _upsert_or_leave_out(session: Session, run: GoalRun) -> GoalReport:
    """Apply what was linked; where a sum would outgrow its property, without the cells that it outgrows it with."""
    try:
        return _upsert(session, run)
    except ValueOutOfRange as error:
        session.roll_back()
        columns = staged_columns(session, run)
        if not (columns.sums and leave_out_what_outgrows(session, columns)):
            raise
        try:
            return _upsert(session, run)
        except ValueOutOfRange:
            raise _does_not_fit(columns) from error


def _upsert(session: Session, run: GoalRun) -> GoalReport:
    now = _now(session)
    staged = session.value("select count(*) from staging.file where state in ('staged', 'retried')")
    columns = staged_columns(session, run)
    session.set("preserve_insertion_order", "false")
    sync_properties(session, _with_detected(run.profiles, columns))
    if staged:
        guard = _work_out(session, run, columns)
    session.execute("begin")
    if staged:
        _write(session, run, columns, guard, now)
    named = {"connection": run.connection, "goal": run.goal.name}
    session.execute(statement("importing/upserting/noted_file"), named)
    session.execute(statement("importing/upserting/rejected"), {**named, "run_id": run.run_id})
    report = report_of(session, run, applied=staged > 0)
    seconds = time.time() - run.began if run.began else None
    write_run(session, run, report, now, seconds=seconds)
    session.execute("commit")
    return report


def _does_not_fit(columns: Columns) -> GoalFailed:
    sums = ", ".join(f"{value.prop.name} ({value.prop.value_type})" for value in columns.sums)
    return GoalFailed(
        f"A sum does not fit its property: {sums}.",
        needed="The property's type must hold the largest sum.",
        remedy="Declare a larger precision under a new name, or correct the amounts. Nothing of this run landed.",
    )


def _now(session: Session) -> datetime:
    """Return the time of this run: later than the creation of any profile, so that new ones can be told by it.

    Profiles of one run are created a microsecond apart, in the order of their rows.
    """
    latest = session.value("select max(created_at) from warehouse.profile")
    now = datetime.now(UTC)
    return max(now, latest + timedelta(microseconds=1)) if latest else now


def _with_detected(profiles: Profiles, columns: Columns) -> Profiles:
    """Add the properties that were found in files."""
    return profiles.with_properties(value.prop for value in columns.values)


def _work_out(session: Session, run: GoalRun, columns: Columns) -> Guard:
    """Work out what becomes of every profile, before anything is written; return what protects sums."""
    revision = session.value("select number from warehouse.revision")
    if not _linked_at(session, revision):
        link(session, run)
    session.execute(statement("importing/delta/remembered"))
    session.execute(statement("importing/upserting/gone_row"))
    guard = _guard(session, run)
    session.run(patch_steps(columns, guard))
    session.execute(statement("importing/upserting/complaint"))
    if run.objectives:
        session.run(withheld_steps(columns, may_process(run.objectives, run.profiles, ConsentColumns())))
    lists = guard.keyed and bool(columns.adds)
    if _takes_back(session, run, columns, guard, lists=lists):
        session.run(less_back_steps(columns, lists=lists))
    else:
        lists = False
    session.run(profile_steps(columns, whole=_few_known(session), lists=lists))
    for name in ("row_end", "profile_end", "file_counters"):
        session.execute(statement(f"importing/upserting/{name}"))
    return guard


def _guard(session: Session, run: GoalRun) -> Guard:
    """Make `guard`, where rows have added something before or have keys."""
    former = session.value("select count(*) from staging.former where sums is not null") > 0
    guard = Guard(former=former, keyed=bool(run.goal.row_key))
    if guard.keyed:
        session.execute(statement("importing/delta/keyed_before"), {"source": run.source})
    if guard.active:
        session.run([guard.step])
    return guard


def _takes_back(session: Session, run: GoalRun, columns: Columns, guard: Guard, *, lists: bool) -> bool:
    """Gather what is to be taken back; return whether there is anything."""
    vanished = bool(columns.sums) and not guard.keyed and _look_for_vanished(session, run, columns)
    if not (guard.active or vanished):
        return False
    session.run(back_entry_steps(guard, vanished=vanished))
    if lists:
        session.run(list_steps(columns, run.source))
        return bool(session.value("select (select count(*) from back_entry) + (select count(*) from back_value)"))
    return bool(columns.sums) and bool(session.value("select count(*) from back_entry"))


def _look_for_vanished(session: Session, run: GoalRun, columns: Columns) -> bool:
    """Look for amounts of rows that their file no longer holds; return whether they are to be taken back."""
    if not session.value("select count(*) from gone_row where sums is not null"):
        return False
    session.execute(statement("importing/upserting/vanished"))
    if run.goal.redelivered == "replaces":
        return bool(session.value("select count(*) from vanished"))
    session.run([correction_step(columns)])
    return False


def _linked_at(session: Session, revision: int) -> bool:
    linked = "select count(*) from (show tables from staging) where name = 'linked'"
    return bool(session.value(linked)) and session.value("select number from staging.linked") == revision


def _write(session: Session, run: GoalRun, columns: Columns, guard: Guard, now: datetime) -> None:
    named = {"connection": run.connection, "goal": run.goal.name, "run_id": run.run_id}
    links = " or ".join(dict.fromkeys(link.field for link in columns.links))
    changes = _changes(session)
    number = number_of(session, run.connection)
    session.run(sample_steps(columns, changes))
    count_imported(session, run.connection, number)
    if changes.whole:
        _put_off_vacuum(session)
    _bind(session, write_steps(columns, changes), {"now": now, "creator": number})
    session.run(_remember(session, run, columns, guard))
    session.execute(statement("importing/upserting/profile_change"), {"run_id": run.run_id, "now": now})
    session.run([changed_value_step(columns, changes, run)])
    declared = {
        "fingerprint": run.fingerprint,
        "format": run.format,
        "links": run.goal.links_as_json,
        "sums": run.goal.sums_as_json,
    }
    session.execute(statement("importing/upserting/seen_again"), named)
    session.execute(statement("importing/upserting/imported_file"), {**named, **declared, "now": now})
    session.execute(
        statement("importing/upserting/quarantine"),
        {**named, "link_fields": links, "key_fields": " and ".join(run.goal.row_key)},
    )
    session.run(waiting_steps(run, columns))
    session.execute("update warehouse.revision set number = number + 1")


def _remember(session: Session, run: GoalRun, columns: Columns, guard: Guard) -> Iterable[Step]:
    if guard.keyed:
        return remember_key_steps(columns, guard, {"source": run.source, "fingerprint": run.fingerprint})
    known = session.value("select count(*) from remembered") > 0
    return remember_steps(columns, guard, known=known)


def _put_off_vacuum(session: Session) -> None:
    """Let the checkpoint after most small imports leave replaced rows and small row groups as they are.

    Otherwise DuckDB writes row groups anew as soon as their live rows fit into one of them, which may take longer than
    the import.
    """
    if session.value("select number from warehouse.revision") % _VACUUM_EVERY:
        session.set("max_vacuum_tasks", "0")


def _few_known(session: Session) -> bool:
    """Whether rows were assigned to few of the profiles that there were before the run."""
    known, every = session.row(
        """select (select count(*) from touched where not is_new), (select count(*) from warehouse.profile)"""
    )
    return bool(known <= FEW * every)


def _changes(session: Session) -> Changes:
    """Return what a run changes, once that is worked out."""
    return Changes(
        created=session.value("select count(*) from touched where is_new") > 0,
        properties=frozenset(name for (name,) in session.rows("select distinct unnest(_changed) from revised")),
        whole=_few_known(session),
    )


def _bind(session: Session, steps: Iterable[Step], values: Mapping[str, object]) -> None:
    for step in steps:
        bound = {name: value for name, value in values.items() if f"${name}" in step.sql}
        session.run([replace(step, values=bound)])
