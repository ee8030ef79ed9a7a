"""Writes the linked rows into profiles, with ledger, history and quarantine, in one transaction."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cdp_sync.errors import GoalFailed, ValueOutOfRange
from cdp_sync.importing.applying_plan import (
    Changes,
    patch_steps,
    profile_steps,
    remember_steps,
    withheld_steps,
    write_steps,
)
from cdp_sync.importing.columns import Columns
from cdp_sync.importing.linking import link, staged_columns
from cdp_sync.importing.reporting import report_of, write_run
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sampling import changed_value_step, sample_steps
from cdp_sync.model import GoalReport, Profiles
from cdp_sync.warehouse import Session, Step, statement
from cdp_sync.warehouse.consent import ConsentColumns, may_process
from cdp_sync.warehouse.exchange import count_imported, number_of
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
        now = _now(session)
        staged = session.value("select count(*) from staging.file where state = 'staged'")
        columns = staged_columns(session, run)
        session.set("preserve_insertion_order", "false")
        sync_properties(session, _with_detected(run.profiles, columns))
        if staged:
            with _sums_that_fit(columns):
                _work_out(session, run, columns)
        session.execute("begin")
        if staged:
            with _sums_that_fit(columns):
                _write(session, run, columns, now)
        named = {"connection": run.connection, "goal": run.goal.name}
        session.execute(statement("apply/noted_file"), named)
        session.execute(statement("apply/rejected"), {**named, "run_id": run.run_id})
        report = report_of(session, run, applied=staged > 0)
        write_run(session, run, report, now)
        session.execute("commit")
    run.close()
    return report


@contextmanager
def _sums_that_fit(columns: Columns) -> Iterator[None]:
    """Name the properties that a sum may have outgrown."""
    try:
        yield
    except ValueOutOfRange as error:
        if not columns.sums:
            raise
        sums = ", ".join(f"{value.prop.name} ({value.prop.value_type})" for value in columns.sums)
        raise GoalFailed(
            f"A sum does not fit its property: {sums}.",
            needed="A type that holds the largest sum.",
            remedy="Declare a larger precision under a new name, or correct the amounts. Nothing of this run landed.",
        ) from error


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


def _work_out(session: Session, run: GoalRun, columns: Columns) -> None:
    """Work out what becomes of every profile, before anything is written."""
    revision = session.value("select number from warehouse.revision")
    if not _linked_at(session, revision):
        link(session, run)
    session.execute(statement("link/remembered"))
    guarded = session.value("select count(*) from staging.added_before") > 0
    session.run(patch_steps(columns, guarded=guarded))
    session.execute(statement("apply/complaint"))
    if run.objectives:
        session.run(withheld_steps(columns, may_process(run.objectives, run.profiles, ConsentColumns())))
    session.run(profile_steps(columns, whole=_few_known(session)))
    for name in ("row_end", "profile_end", "file_counters"):
        session.execute(statement(f"apply/{name}"))


def _linked_at(session: Session, revision: int) -> bool:
    linked = "select count(*) from (show tables from staging) where name = 'linked'"
    return bool(session.value(linked)) and session.value("select number from staging.linked") == revision


def _write(session: Session, run: GoalRun, columns: Columns, now: datetime) -> None:
    known = session.value("select count(*) from remembered") > 0
    carried = session.value("select count(*) from staging.added_before") > 0
    named = {"connection": run.connection, "goal": run.goal.name, "run_id": run.run_id}
    links = " or ".join(dict.fromkeys(link.field for link in columns.links))
    changes = _changes(session)
    number = number_of(session, run.connection)
    session.run(sample_steps(columns, changes))
    count_imported(session, run.connection, number)
    if changes.whole:
        _put_off_vacuum(session)
    _bind(session, write_steps(columns, changes), {"now": now, "creator": number})
    session.run(remember_steps(columns, known=known, carried=carried))
    session.execute(statement("apply/profile_change"), {"run_id": run.run_id, "now": now})
    session.run([changed_value_step(columns, changes, run)])
    session.execute(statement("apply/imported_file"), {**named, "fingerprint": run.fingerprint, "now": now})
    session.execute(statement("apply/quarantine"), {**named, "link_fields": links})
    session.execute("update warehouse.revision set number = number + 1")


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
        session.run([Step(step.name, step.sql, bound)])
